"""Prepare the data of a stage: questions without anything that gives an answer away, and the reward plan."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from dtbench.harness.core.errors import DataError, UserError
from dtbench.harness.run.prompt_template import fill_template
from dtbench.harness.store.atomic import replace_whole
from dtbench.training.data.mixing import MixedRows, Mixture, SourceRows, mix_rows
from dtbench.training.data.overlap import FOUND, check_overlap
from dtbench.training.data.row_sources import load_rows, split_task, write_clips
from dtbench.training.data.rows import TrainingRow, read_rows
from dtbench.training.engines.inside.swift_bridge import ROW_COLUMN, RewardPlan
from dtbench.training.recipe.settings import Recipe, StageRecipe
from dtbench.training.stages.dev_split import HoldOut, load_dev_rows, write_dev_questions
from dtbench.training.stages.judge import plan_settings
from dtbench.training.stages.layout import StageLayout


def prepare_stage(recipe: Recipe, stage: StageRecipe, layout: StageLayout, clips: Path) -> list[str]:
    """Write what the engine and the rewards of a stage read; return notes, a line each.

    Raises a DataError where rows of a file overlap a benchmark whose data is here. The splits of mini never do.
    """
    layout.root.mkdir(parents=True, exist_ok=True)
    dev = load_dev_rows(recipe, clips)
    if stage.mine is None:
        rows, notes = draw_stage_rows(recipe, stage, clips, dev)
        notes += check_stage_overlap(rows, dev, layout)
    else:  # what was asked was drawn, checked and noted before it was asked
        rows, notes = list(read_rows(layout.mined_rows)), []
    write_clips(rows)
    rows = [dataclasses.replace(row, audio=row.audio.resolve()) for row in rows]
    learnt, apart = ([engine_question(row, recipe.prompt, recipe.system) for row in part] for part in (rows, dev))
    notes += write_dev_questions(recipe, stage, layout.dev_questions, apart)
    lines = "".join(json.dumps(question, ensure_ascii=False) + "\n" for question in learnt)
    settings, all_rows = plan_settings(recipe, stage, layout), {row.id: row for row in [*rows, *dev]}
    dev_ids = [row.id for row in dev]
    plan = RewardPlan(list(stage.rewards), settings, all_rows, layout.reward_counts, dev_ids, recipe.seed)
    plan.write(layout.reward_plan)
    replace_whole(layout.questions, lines.encode())
    return [f"{len(rows)} questions to learn from", *notes]


def engine_question(row: TrainingRow, prompt: str, system: str = "") -> dict[str, object]:
    """Return a row as engines read it: system prompt, prompt, clip, and the id of the row."""
    text = fill_template(prompt.strip(), row.sample()).text  # the same text as `dtbench run` sends after the stage
    messages = [{"role": "system", "content": system.strip()}] if system.strip() else []
    messages.append({"role": "user", "content": f"<audio>{text}"})
    return {"messages": messages, "audios": [str(row.audio)], ROW_COLUMN: row.id}


def draw_stage_rows(recipe: Recipe, stage: StageRecipe, clips: Path, dev: Sequence[TrainingRow] = ()) -> MixedRows:
    """Draw the questions of a stage from its sources, but for those of the dev split; a DataError for a missing clip.

    The clips of mini are still to be written.
    """
    hold_out = HoldOut(dev)
    found = [(source, load_rows(source, clips, write=False)) for source in stage.data]
    sources = [SourceRows(source, list(filter(hold_out.allows, rows))) for source, rows in found]
    mixture = Mixture(
        questions=stage.questions,
        weights=stage.weights,
        shuffle=stage.shuffle,
        seed=recipe.seed + (stage.seed_offset or 0),
    )
    try:
        mixed = mix_rows(sources, mixture)
    except UserError as error:
        raise type(error)(f"stage {stage.name}: {error}") from None
    source_of = {row.id: source for source, rows in sources for row in rows}
    for row in mixed.rows:
        if split_task(source_of[row.id]) is None and not row.audio.is_file():
            raise DataError(f"stage {stage.name}: {source_of[row.id]}: row {row.id}: there is no clip {row.audio}.")
    return MixedRows(mixed.rows, [*hold_out.notes(len(mixed.rows)), *mixed.notes])


def check_stage_overlap(rows: Sequence[TrainingRow], dev: Sequence[TrainingRow], layout: StageLayout) -> list[str]:
    """Compare rows of files with the benchmarks, and with the dev split; none of mini's splits has what another has."""
    foreign, apart = ([row for row in part if split_task(row.source) is None] for part in (rows, dev))
    return check_overlap(foreign, FOUND, None, layout.overlaps, dev=apart) if foreign or apart else []
