"""Refuse training data that overlaps a benchmark: write the list, and name the first of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import DataError, UserError
from dtbench.tasks.registry import get_task
from dtbench.training.data.overlap import OverlapIndex
from dtbench.training.data.rows import TrainingRow, write_lines

FOUND, NONE = "found", "none"
BENCHMARKS = ("mmar", "mmau-mini", "mmau-test", "mmsu")
"""What nobody may train on; mini is not among them, as it has splits for training."""
SHOWN = 3


def check_overlap(rows: Sequence[TrainingRow], against: str, data_dir: Path | None, listing: Path) -> list[str]:
    """Return notes on what was compared; a DataError where rows overlap a benchmark, all of them in the listing."""
    datasets, notes = _load_benchmarks(against, data_dir)
    if not datasets:
        return notes
    index = OverlapIndex()
    for name, dataset in datasets.items():
        index.add(name, dataset.samples)
    report = index.check(rows)
    if report.overlaps:
        write_lines(listing, (overlap._asdict() for overlap in report.overlaps))
        shown = ", ".join(f"{o.row} ({o.how} as {o.task} {o.question})" for o in report.overlaps[:SHOWN])
        raise DataError(
            f"{len(report.overlaps)} of {report.rows} rows overlap a benchmark, such as {shown}. All of them are "
            f"listed in {listing}: take them out of the data."
        )
    return [*notes, *_notes(report.rows, index, datasets)]


def _load_benchmarks(against: str, data_dir: Path | None) -> tuple[dict[str, Dataset], list[str]]:
    """Load the benchmarks that a user names, or all whose data is here, with a note on each that is not."""
    if against == NONE:
        return {}, ["overlap: not checked (--against none)"]
    named = [name.strip() for name in against.split(",") if name.strip()]
    if not named:
        raise UserError(f"--against {against!r}: names of benchmarks are expected, or {FOUND}, or {NONE}.")
    if against != FOUND:
        tasks = [get_task(name) for name in named]
        return {task.name: task.load(data_dir) for task in tasks}, []
    datasets, notes = {}, []
    for name in BENCHMARKS:
        try:
            datasets[name] = get_task(name).load(data_dir)
        except DataError:
            notes.append(f"overlap: {name} not checked, its data is not here (`dtbench data pull {name}`)")
    return datasets, notes


def _notes(rows: int, index: OverlapIndex, names: Iterable[str]) -> Iterable[str]:
    yield f"overlap: none of {rows} rows with {', '.join(names)} ({index.clips} clips)"
    if index.undecoded:
        yield (
            f"overlap: {len(index.undecoded)} clips could not be heard, of them only the questions were compared "
            f"(first: {index.undecoded[0]})"
        )
