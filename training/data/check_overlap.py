"""Refuse training data that overlaps a benchmark: write the list, and name the first of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.core.errors import DataError, UserError
from dtbench.tasks import registry as task_registry
from dtbench.training.data.overlap import OverlapIndex
from dtbench.training.data.rows import TrainingRow, write_lines

FOUND, NONE = "found", "none"
BENCHMARKS = ("mmar", "mmau-mini", "mmau-test", "mmsu")
"""What nobody may train on; mini is not among them, as it has splits for training."""
SHOWN = 3


class Benchmark(NamedTuple):
    """A benchmark that rows are compared with."""

    name: str
    data_dir: Path | None


def select_benchmarks(against: str, data_dir: Path | None) -> tuple[list[Benchmark], list[str]]:
    """Return the benchmarks that a user names, or all whose data is here, with a note on each that is not."""
    if against == NONE:
        return [], ["overlap: not checked (--against none)"]
    named = [name.strip() for name in against.split(",") if name.strip()]
    if not named:
        raise UserError(f"--against {against!r}: names of benchmarks are expected, or {FOUND}, or {NONE}.")
    if against != FOUND:
        return [Benchmark(task_registry.get_task(name).name, data_dir) for name in named], []
    benchmarks, notes = [], []
    for name in BENCHMARKS:
        try:
            task_registry.get_task(name).load(data_dir)
        except DataError:
            notes.append(f"overlap: {name} not checked, its data is not here (`dtbench data pull {name}`)")
        else:
            benchmarks.append(Benchmark(name, data_dir))
    return benchmarks, notes


def check_overlap(rows: Sequence[TrainingRow], against: str, data_dir: Path | None, listing: Path) -> list[str]:
    """Return notes on what was compared; a DataError where a row overlaps one of the benchmarks."""
    benchmarks, notes = select_benchmarks(against, data_dir)
    return [*notes, *(refuse_overlap(rows, benchmarks, listing) if benchmarks else [])]


def refuse_overlap(
    rows: Sequence[TrainingRow],
    benchmarks: Sequence[Benchmark],
    listing: Path,
    progress: Callable[[], None] = lambda: None,
) -> list[str]:
    """Return notes on what was compared; a DataError where a row overlaps, with all of them in the listing."""
    index = OverlapIndex()
    for name, data_dir in benchmarks:
        index.add(name, task_registry.get_task(name).load(data_dir).samples, progress)
    report = index.check(rows, progress)
    if report.overlaps:
        write_lines(listing, (overlap._asdict() for overlap in report.overlaps))
        shown = ", ".join(f"{o.row} ({o.how} as {o.task} {o.question})" for o in report.overlaps[:SHOWN])
        raise DataError(
            f"{len(report.overlaps)} of {report.rows} rows overlap a benchmark, such as {shown}. All of them are "
            f"listed in {listing}: take them out of the data."
        )
    return list(_notes(report.rows, index, [benchmark.name for benchmark in benchmarks]))


def _notes(rows: int, index: OverlapIndex, names: Iterable[str]) -> Iterable[str]:
    compared = ", ".join(names)
    if compared:
        yield f"overlap: none of {rows} rows with {compared} ({index.clips} clips)"
    if index.undecoded:
        yield (
            f"overlap: {len(index.undecoded)} clips could not be heard, of them only the questions were compared "
            f"(first: {index.undecoded[0]})"
        )
