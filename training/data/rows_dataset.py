"""Training rows as a data set of `datasets`: the way out, to which dataset_folder.py is the way in."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dtbench.harness.export.task_dataset import audio_cells, need_datasets, save_dataset
from dtbench.training.data.row_sources import load_rows
from dtbench.training.data.rows import TrainingRow, write_rows

if TYPE_CHECKING:
    import datasets

ROWS_SUFFIXES = (".json", ".jsonl")
_TEXTS = ("id", "question", "answer", "chain", "source", "extra")


def save_rows_dataset(rows: Iterable[TrainingRow], to: Path) -> datasets.Dataset:
    """Save rows with their clips in a new folder; `extra` is a column of JSON."""
    found = need_datasets()
    columns = {name: found.Value("string") for name in _TEXTS}
    features = found.Features({**columns, "choices": [found.Value("string")], "audio": found.Audio(decode=False)})
    return save_dataset((_row(row) for row in rows), features, to)


def _row(row: TrainingRow) -> dict[str, Any]:
    texts = {name: getattr(row, name) for name in _TEXTS if name != "extra"}
    extra = json.dumps(row.extra, ensure_ascii=False) if row.extra else ""
    return {**texts, "extra": extra, "choices": list(row.choices), "audio": audio_cells(row.sample())[0]}


def copy_rows(source: str, to: Path, limit: int | None = None, clips: Path | None = None) -> int:
    """Write rows as a file of rows, where `to` ends in .jsonl, or as a data set; return their number.

    `clips` is the folder for the clips of a training split.
    """
    rows = load_rows(source, clips, limit)
    if to.suffix in ROWS_SUFFIXES:
        return write_rows(to, rows)
    return len(save_rows_dataset(rows, to))
