"""Prepare the data of a stage: questions without anything that gives an answer away, and the reward plan."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from dtbench.harness.core.errors import DataError
from dtbench.harness.run.prompt_template import fill_template
from dtbench.harness.store.atomic import replace_whole
from dtbench.training.data.overlap import FOUND, check_overlap
from dtbench.training.data.row_sources import load_rows, split_task
from dtbench.training.data.rows import TrainingRow
from dtbench.training.engines.inside.swift_bridge import ROW_COLUMN, RewardPlan
from dtbench.training.recipe.settings import Recipe, StageRecipe
from dtbench.training.stages.dev_split import HoldOut, load_dev_rows, write_dev_questions
from dtbench.training.stages.judge import plan_settings
from dtbench.training.stages.layout import StageLayout


def prepare_stage(recipe: Recipe, stage: StageRecipe, layout: StageLayout, clips: Path) -> list[str]:
    """Write what the engine and the rewards of a stage read; return notes, a line each.

    Raises a DataError where rows of a file overlap a benchmark whose data is here. The splits of mini never do.
    """
    dev = load_dev_rows(recipe, clips)
    hold_out, rows = HoldOut(dev), dict[str, TrainingRow]()
    for row in itertools.islice(filter(hold_out.allows, rows_of_stage(stage.data, clips)), stage.questions):
        if row.id in rows:
            raise DataError(f"stage {stage.name}: duplicate id {row.id} ({rows[row.id].source}, {row.source}).")
        rows[row.id] = row
    layout.root.mkdir(parents=True, exist_ok=True)
    notes = [*hold_out.notes(len(rows)), *_check_stage_overlap(list(rows.values()), dev, layout.overlaps)]
    learnt, apart = (
        [engine_question(row, recipe.prompt, recipe.system) for row in part] for part in (rows.values(), dev)
    )
    notes += write_dev_questions(recipe, stage, layout.dev_questions, apart)
    lines = "".join(json.dumps(question, ensure_ascii=False) + "\n" for question in learnt)
    settings, all_rows = plan_settings(recipe, layout), {**rows, **{row.id: row for row in dev}}
    plan = RewardPlan(list(stage.rewards), settings, all_rows, layout.reward_counts, [row.id for row in dev])
    plan.write(layout.reward_plan)
    replace_whole(layout.questions, lines.encode())
    return [f"{len(rows)} questions to learn from", *notes]


def _check_stage_overlap(rows: Sequence[TrainingRow], dev: Sequence[TrainingRow], listing: Path) -> list[str]:
    """Compare rows of files with the benchmarks, and with the dev split; none of mini's splits has what another has."""
    foreign, apart = ([row for row in part if split_task(row.source) is None] for part in (rows, dev))
    return check_overlap(foreign, FOUND, None, listing, dev=apart) if foreign or apart else []


def engine_question(row: TrainingRow, prompt: str, system: str = "") -> dict[str, object]:
    """Return a row as engines read it: system prompt, prompt, clip, and the id of the row."""
    text = fill_template(prompt.strip(), row.sample()).text  # the same text as `dtbench run` sends after the stage
    messages = [{"role": "system", "content": system.strip()}] if system.strip() else []
    messages.append({"role": "user", "content": f"<audio>{text}"})
    return {"messages": messages, "audios": [str(row.audio)], ROW_COLUMN: row.id}


def rows_of_stage(sources: Iterable[str], clips: Path) -> Iterator[TrainingRow]:
    """Yield the rows of these sources with absolute paths of their clips; a DataError where one is missing."""
    for source in sources:
        for row in load_rows(source, clips):
            if not row.audio.is_file():
                raise DataError(f"{source}: row {row.id}: there is no clip {row.audio}.")
            yield dataclasses.replace(row, audio=row.audio.resolve())
