"""Where training data comes from: a file of rows, or a split of the benchmark mini."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.schema import Sample
from dtbench.tasks import registry as task_registry
from dtbench.tasks.data.layouts import task_folder
from dtbench.tasks.mini import SPLIT_OF
from dtbench.tasks.mini_world.clips import GeneratedClip
from dtbench.training.data.rows import TrainingRow, read_rows

TRAINING_SPLITS = {f"mini:{split}": name for name, split in SPLIT_OF.items() if split != "test"}
"""Source -> the task that asks it; the test split is no training data."""


def split_of(source: str) -> str | None:
    """The task that asks a split for training, named as `mini:train-1` or as the task is; None for anything else."""
    return source if source in TRAINING_SPLITS.values() else TRAINING_SPLITS.get(source)


def rows_of(source: str, clips: Path | None = None, limit: int | None = None) -> Iterator[TrainingRow]:
    """The rows of `mini:train-1`, `mini:train-2`, or of a file; clips of mini are written into the folder."""
    if (split := split_of(source)) is not None:
        rows: Iterator[TrainingRow] = _mini_rows(split, clips)
    elif Path(source).suffix in {".json", ".jsonl"} or Path(source).exists():
        rows = read_rows(Path(source))
    else:
        raise UserError(f"{source}: no file of rows, and no split: {' or '.join(TRAINING_SPLITS)} is expected.")
    return islice(rows, limit)


def _mini_rows(name: str, clips: Path | None) -> Iterator[TrainingRow]:
    folder = task_folder(name, None) if clips is None else clips
    for sample in task_registry.get_task(name).samples(folder):
        yield _made(sample, name)


def _made(sample: Sample, name: str) -> TrainingRow:
    """The row of a made clip, which is written where it is not there."""
    assert isinstance(sample.audio, GeneratedClip)
    sample.audio.write()
    return TrainingRow(
        id=sample.id,
        audio=sample.audio.path,
        question=sample.question,
        choices=tuple(sample.choices),
        answer=sample.answer or "",
        chain=str(sample.item["thinking"]),
        source=name,
        extra={**sample.item, "groups": dict(sample.groups)},
    )
