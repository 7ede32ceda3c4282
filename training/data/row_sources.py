"""The sources of training data: a file of rows, or a training split of mini's world."""

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

TRAINING_TASKS = tuple(name for name, split in SPLIT_OF.items() if "train" in split)
"""Tasks whose questions are training data; those of tests are none."""


def split_task(source: str) -> str | None:
    """Return the task whose questions a source is; None for a file, and for a task that is no training data.

    Its former spelling is read too: recipes that were written with `mini:train-1` go on.
    """
    name = source.replace("mini:", "mini-", 1)
    return name if name in TRAINING_TASKS else None


def load_rows(
    source: str, clips: Path | None = None, limit: int | None = None, *, write: bool = True
) -> Iterator[TrainingRow]:
    """Yield the rows of a training split, by the name of its task such as `mini-train-1`, or of a file.

    Clips of a split are written into the folder, unless `write` is false: write_clips() does so for some of them.
    """
    if (split := split_task(source)) is not None:
        rows: Iterator[TrainingRow] = _mini_rows(split, clips, write=write)
    elif Path(source).suffix in {".json", ".jsonl"} or Path(source).exists():
        rows = read_rows(Path(source))
    else:
        raise UserError(
            f"{source}: neither a file of rows nor a training split: {' or '.join(TRAINING_TASKS)} is expected."
        )
    return islice(rows, limit)


def write_clips(rows: Iterable[TrainingRow]) -> None:
    """Write the clips of those rows that are mini's, where they are not there yet; others have theirs."""
    by_task = {name: {slot.id: slot for slot in slots(SPLIT_OF[name])} for name in TRAINING_TASKS}
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
