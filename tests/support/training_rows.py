"""A file of training rows about made-up clips."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from sounds import encoded, sine

from dtbench.training.data.rows import TrainingRow, write_rows

CHOICES = ("a bell", "a drum", "a flute")


def made_rows(folder: Path, count: int) -> list[TrainingRow]:
    """Rows with clips of their own, and questions that say their number."""
    rows = []
    for number in range(count):
        clip = folder / "clips" / f"{number}.wav"
        clip.parent.mkdir(parents=True, exist_ok=True)
        clip.write_bytes(encoded(sine(300.0 + 37 * number, 0.3, 16000), 16000).data)
        rows.append(
            TrainingRow(
                id=f"r{number}",
                audio=clip,
                question=f"Which instrument is number {number}?",
                choices=CHOICES,
                answer=CHOICES[number % 3],
                chain=f"Number {number} is struck and rings on, so it is {CHOICES[number % 3]}.",
                source="made up" if number % 2 else "made down",
                extra={"groups": {"kind": "struck" if number % 3 < 2 else "blown"}},
            )
        )
    return rows


def rows_file(folder: Path, count: int) -> Path:
    """The same as a file."""
    path = folder / "rows.jsonl"
    write_rows(path, made_rows(folder, count))
    return path


def without_chain(row: TrainingRow) -> TrainingRow:
    """The row before anybody has reasoned about it."""
    return dataclasses.replace(row, chain="")
