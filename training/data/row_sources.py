"""The sources of training data: a file of rows, or a split of the benchmark mini."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from dtbench.harness.core.errors import UserError
from dtbench.tasks import registry as task_registry
from dtbench.tasks.data.layouts import task_folder
from dtbench.tasks.mini_world.clips import GeneratedClip
from dtbench.tasks.mini_world.splits import SPLIT_OF, slots
from dtbench.training.data.rows import TrainingRow, read_rows

TRAINING_SPLITS = {f"mini:{split}": name for name, split in SPLIT_OF.items() if "train" in split}
"""Source -> its task; splits for tests are no training data."""


def split_task(source: str) -> str | None:
    """Return the task of a training split, given as `mini:train-1` or as the task's name; None for other sources."""
    return source if source in TRAINING_SPLITS.values() else TRAINING_SPLITS.get(source)


def load_rows(
    source: str, clips: Path | None = None, limit: int | None = None, *, write: bool = True
) -> Iterator[TrainingRow]:
    """Yield the rows of `mini:train-1`, `mini:train-2`, or of a file.

    Clips of mini are written into the folder, unless `write` is false: write_clips() does so for some of them.
    """
    if (split := split_task(source)) is not None:
        rows: Iterator[TrainingRow] = _mini_rows(split, clips, write=write)
    elif Path(source).suffix in {".json", ".jsonl"} or Path(source).exists():
        rows = read_rows(Path(source))
    else:
        raise UserError(f"{source}: neither a file of rows nor a split: {' or '.join(TRAINING_SPLITS)} is expected.")
    return islice(rows, limit)


def write_clips(rows: Iterable[TrainingRow]) -> None:
    """Write the clips of those rows that are mini's, where they are not there yet; others have theirs."""
    by_task = {name: {slot.id: slot for slot in slots(SPLIT_OF[name])} for name in TRAINING_SPLITS.values()}
    for row in rows:
        if (slot := by_task.get(row.source, {}).get(row.id)) is not None and not row.audio.is_file():
            GeneratedClip(slot, row.audio.parent.parent).write()


def _mini_rows(name: str, clips: Path | None, *, write: bool) -> Iterator[TrainingRow]:
    folder = task_folder(name, None) if clips is None else clips
    for sample in task_registry.get_task(name).samples(folder):
        assert isinstance(sample.audio, GeneratedClip)
        if write:
            sample.audio.write()
        yield TrainingRow(
            id=sample.id,
            audio=sample.audio.path,
            question=sample.question,
            choices=tuple(sample.choices),
            answer=sample.answer or "",
            chain=str(sample.item["thinking"]),
            source=name,
            extra={**sample.item, "groups": dict(sample.groups)},
        )
