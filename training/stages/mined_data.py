"""Mine the questions of a stage inside a training: keep those that an earlier model sometimes answers right.

That model is the base or an earlier stage's. It is asked with the prompt of the training, as in an evaluation, but
with sampling. Its answers are a run of their own, so an interrupted one continues at the next question.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dtbench.harness.core.errors import DataError, UserError
from dtbench.harness.store.atomic import replace_whole
from dtbench.harness.store.jsonl import json_bytes
from dtbench.harness.store.run_folder import StoredRun
from dtbench.training.data.mining import (
    ALWAYS,
    KEPT,
    NEVER,
    OUTCOMES,
    TOO_EASY,
    TOO_HARD,
    UNFINISHED,
    Band,
    MinedRows,
    select_rows,
)
from dtbench.training.data.row_sources import write_clips
from dtbench.training.data.rows import read_rows, write_rows
from dtbench.training.data.rows_task import SPEC, RowsTask
from dtbench.training.recipe.placed_evaluation import placed_evaluation
from dtbench.training.recipe.settings import Evaluation, MineSettings, Recipe, StageRecipe
from dtbench.training.stages.dev_split import load_dev_rows
from dtbench.training.stages.evaluate import EvalRun
from dtbench.training.stages.layout import BASE, Layout
from dtbench.training.stages.stage_data import check_stage_overlap, draw_stage_rows

_SAMPLING = {"temperature": 1.0}
"""A model that always says the same has no pass rate."""
_SHOWN = (NEVER, TOO_HARD, KEPT, TOO_EASY, ALWAYS)


def mining_run(recipe: Recipe, stage: StageRecipe, layout: Layout) -> EvalRun:
    """Return the run in which an earlier model answers the questions of a stage."""
    mine, own = _settings(stage), layout.stage(stage.name)
    model = recipe.model if mine.from_ == BASE else str(layout.stage(mine.from_).model)
    seed = recipe.seed + (stage.seed_offset or 0)
    run = EvalRun(model, own.mined_run, own.mined_questions, recipe.prompt, recipe.system, tasks=(SPEC,))
    revision = recipe.revision if mine.from_ == BASE else None
    return run._replace(samples=mine.samples, seed=seed, revision=revision)


def mining_evaluation(recipe: Recipe, stage: StageRecipe) -> Evaluation:
    """Return how that run asks: as an evaluation does, all questions, by sampling."""
    alone = dataclasses.replace(recipe.evaluation, at_once=1, limit=None)
    placed = placed_evaluation(dataclasses.replace(recipe, evaluation=alone))
    return dataclasses.replace(placed, options={**placed.options, **_SAMPLING, **_settings(stage).options})


def draw_candidates(recipe: Recipe, stage: StageRecipe, layout: Layout) -> list[str]:
    """Write the questions that are to be asked, once; return notes. A DataError where they overlap a benchmark."""
    own = layout.stage(stage.name)
    if own.mined_questions.exists():
        return []
    dev = load_dev_rows(recipe, layout.clips)
    rows, notes = draw_stage_rows(recipe, stage, layout.clips, dev)
    own.mined.mkdir(parents=True, exist_ok=True)
    notes += check_stage_overlap(rows, dev, own)
    write_clips(rows)
    write_rows(own.mined_questions, rows)
    return [f"{len(rows)} questions to ask {_settings(stage).samples} times each", *notes]


def keep_mined_rows(recipe: Recipe, stage: StageRecipe, layout: Layout) -> list[str]:
    """Write the rows in the band and the report, once all is answered; return notes.

    Raises a UserError where too few are left to train on.
    """
    mine, own = _settings(stage), layout.stage(stage.name)
    band = Band(*mine.pass_) if mine.pass_ else Band(1, mine.samples - 1)
    records = StoredRun.open(own.mined_run).records(RowsTask.name)
    mined = select_rows(read_rows(own.mined_questions), records, mine.samples, band)
    if mine.keep is not None:
        mined.draw(mine.keep, recipe.seed + (stage.seed_offset or 0))
    report = {"stage": stage.name, "from": mine.from_, **mined.as_json()}
    replace_whole(own.mined_report, json_bytes(report, indent=2) + b"\n")
    training = recipe.training_of(stage)
    _refuse_too_few(mined, training.batch // training.generations, stage, layout.root)
    write_rows(own.mined_rows, mined.rows)
    return [mining_line(report), *mined.notes()]


def mining_report(layout: Layout, stage: StageRecipe) -> Mapping[str, Any] | None:
    """Return what was mined for a stage; None where nothing was yet."""
    path = layout.stage(stage.name).mined_report
    if stage.mine is None or not path.is_file():
        return None
    report: Mapping[str, Any] = json.loads(path.read_bytes())
    return report


def mining_line(report: Mapping[str, Any]) -> str:
    """Return a report of mining as a line."""
    return (
        f"mined with {report['from']}: {report['rows_kept']} of {report['questions']} questions are trained on "
        f"({', '.join(_counts(report['outcomes'], report['band']))})"
    )


def _counts(outcomes: Mapping[str, int], band: object) -> Iterator[str]:
    for name in (*_SHOWN, *((UNFINISHED,) if outcomes[UNFINISHED] else ())):
        yield f"{outcomes[name]} {'in the band' if name == KEPT else name}"


def _refuse_too_few(mined: MinedRows, needed: int, stage: StageRecipe, root: Path) -> None:
    if len(mined.rows) >= needed:
        return
    counts = ", ".join(f"{mined.outcomes[name]} {name}" for name in OUTCOMES if mined.outcomes[name])
    raise UserError(
        f"stage {stage.name}: mine: {len(mined.rows)} questions are kept, and a step takes {needed}: {counts}; "
        f"kept are those with {mined.band} right answers of {mined.answers}. Change pass, samples, keep, questions or "
        f"data of this stage, and train into another --out with --reuse {root}, which takes over what is done."
    )


def _settings(stage: StageRecipe) -> MineSettings:
    if stage.mine is None:
        raise DataError(f"stage {stage.name}: it mines nothing.")
    return stage.mine
