"""The dev split of a training: held-out questions on which a model is measured while it trains.

Questions that a stage would draw from it are not trained on, nor is any other question about the same clips.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.core.errors import DataError, UserError
from dtbench.harness.store.atomic import replace_whole
from dtbench.tasks.registry import TASKS
from dtbench.training.data.row_sources import TRAINING_TASKS, load_rows, split_task, write_clips
from dtbench.training.data.rows import TrainingRow
from dtbench.training.recipe.settings import Recipe, StageRecipe


class DevBatches(NamedTuple):
    """A dev split in batches of equal size, so that the mean over batches is the mean over questions."""

    questions: int
    each: int
    """Questions that a process takes at a time."""


def check_dev_sources(recipe: Recipe) -> None:
    """Raise a UserError for a dev split that is a benchmark: it would choose the model that is tested on it."""
    for source in recipe.validation.data if recipe.validation is not None else ():
        is_tested = source in recipe.evaluation.tasks or source.lower() in TASKS
        if is_tested and split_task(source) is None:
            raise UserError(
                f"validation: data = {source!r}: a benchmark is no dev split, as the model that it chooses is tested "
                f"on it. Name a JSON-lines file of rows, or {' or '.join(TRAINING_TASKS)}."
            )


def load_dev_rows(recipe: Recipe, clips: Path) -> list[TrainingRow]:
    """Return the rows of the dev split, the same in every stage; none without [validation]."""
    validation = recipe.validation
    if validation is None:
        return []
    rows: dict[str, TrainingRow] = {}
    for source in validation.data:
        for row in load_rows(source, clips, write=False):
            if row.id in rows:
                raise DataError(f"validation: duplicate id {row.id} ({rows[row.id].source}, {row.source}).")
            rows[row.id] = row
    chosen = list(rows.values())
    if validation.questions is not None and validation.questions < len(chosen):
        drawn = random.Random(f"dev {recipe.seed}").sample(range(len(chosen)), validation.questions)
        chosen = [chosen[place] for place in sorted(drawn)]
    write_clips(chosen)
    for row in chosen:
        if not row.audio.is_file():
            raise DataError(f"validation: row {row.id}: there is no clip {row.audio}.")
    return chosen


class HoldOut:
    """Keeps rows about clips of the dev split out of training."""

    def __init__(self, dev: Sequence[TrainingRow]) -> None:
        self._ids, self._clips = {row.id for row in dev}, {row.audio.resolve() for row in dev}
        self.held = 0
        """Rows that were kept from training so far."""

    def allows(self, row: TrainingRow) -> bool:
        """Return whether a row may be trained on: no dev question is about its clip."""
        if not self._ids:
            return True
        if row.audio.resolve() in self._clips:
            self.held += 1
            return False
        if row.id in self._ids:
            raise DataError(f"row {row.id} ({row.source}): a dev question about another clip has the same id.")
        return True

    def notes(self, learnt: int) -> list[str]:
        """Return a note on what was held out; a UserError where nothing is left to learn from."""
        if self._ids and not learnt:
            raise UserError(f"validation: all {self.held} questions are dev questions: lower its `questions`.")
        held = f"{self.held} questions are held out, as their clips are in the dev split"
        return [held] if self.held else []


def write_dev_questions(
    recipe: Recipe, stage: StageRecipe, path: Path, questions: Sequence[Mapping[str, object]]
) -> list[str]:
    """Write the questions of the dev split as the engine reads them, in whole batches; return notes."""
    if recipe.validation is None:
        return []
    used = dev_batches(recipe, stage, len(questions)).questions
    lines = [json.dumps(question, ensure_ascii=False) + "\n" for question in questions[:used]]
    replace_whole(path, "".join(lines).encode())
    left = f", without the last {len(questions) - used}, as batches are whole" if used < len(questions) else ""
    return [f"{used} dev questions{left}"]


def dev_batch_of(recipe: Recipe, stage: StageRecipe, path: Path) -> int:
    """Return how many dev questions a process takes at a time; before they are prepared, how many are planned."""
    if recipe.validation is None:
        return 1
    planned = recipe.validation.questions or recipe.training_of(stage).micro_batch * recipe.machines.data_parallel
    count = path.read_bytes().count(b"\n") if path.exists() else planned
    return dev_batches(recipe, stage, count).each


def dev_batches(recipe: Recipe, stage: StageRecipe, questions: int) -> DevBatches:
    """Return how so many questions are measured; a UserError where there are fewer of them than processes."""
    processes, most = recipe.machines.data_parallel, recipe.training_of(stage).micro_batch
    used, each = max((questions // (size * processes) * size * processes, size) for size in range(1, most + 1))
    if not used:
        raise UserError(f"validation: {questions} questions: at least {processes} are expected, one a process.")
    return DevBatches(used, each)
