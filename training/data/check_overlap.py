"""Refusing training data that overlaps benchmarks: the list is written, and the first of it told."""

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
"""Those that nobody may train on; mini, which anybody can make anew, has splits for training."""
SHOWN = 3


class Benchmark(NamedTuple):
    """A benchmark that rows are held against."""

    name: str
    data_dir: Path | None


def benchmarks_of(against: str, data_dir: Path | None) -> tuple[list[Benchmark], list[str]]:
    """The benchmarks that a user names, or all whose data is found; and what is told of those that are not."""
    if against == NONE:
        return [], ["overlap: not checked (--against none)"]
    named = [name.strip() for name in against.split(",") if name.strip()]
    if not named:
        raise UserError(f"--against {against!r}: names of benchmarks are expected, or {FOUND}, or {NONE}.")
    if against != FOUND:
        return [Benchmark(task_registry.get_task(name).name, data_dir) for name in named], []
    there, lines = [], []
    for name in BENCHMARKS:
        try:
            task_registry.get_task(name).load(data_dir)
        except DataError:
            lines.append(f"overlap: {name} not checked, its data is not here (`dtbench data pull {name}`)")
        else:
            there.append(Benchmark(name, data_dir))
    return there, lines


def check_overlap(rows: Sequence[TrainingRow], against: str, data_dir: Path | None, listing: Path) -> list[str]:
    """What was compared and what was not, in lines; a DataError where a row overlaps one of the benchmarks."""
    benchmarks, lines = benchmarks_of(against, data_dir)
    return [*lines, *(refuse_overlap(rows, benchmarks, listing) if benchmarks else [])]


def refuse_overlap(
    rows: Sequence[TrainingRow],
    benchmarks: Sequence[Benchmark],
    listing: Path,
    progress: Callable[[], None] = lambda: None,
) -> list[str]:
    """What was compared, in lines; a DataError where anything overlaps, with all of it in the listing."""
    guard = OverlapIndex()
    for name, data_dir in benchmarks:
        guard.add(name, task_registry.get_task(name).load(data_dir).samples, progress)
    checked = guard.check(rows, progress)
    if checked.overlaps:
        write_lines(listing, (one._asdict() for one in checked.overlaps))
        shown = ", ".join(f"{one.row} ({one.how} as {one.task} {one.question})" for one in checked.overlaps[:SHOWN])
        raise DataError(
            f"{len(checked.overlaps)} of {checked.rows} rows overlap a benchmark, such as {shown}. All of them are "
            f"listed in {listing}: take them out of the data."
        )
    return list(_told(checked.rows, guard, [one.name for one in benchmarks]))


def _told(rows: int, guard: OverlapIndex, names: Iterable[str]) -> Iterable[str]:
    held = ", ".join(names)
    if held:
        yield f"overlap: none of {rows} rows with {held} ({guard.clips} clips)"
    if guard.unheard:
        yield (
            f"overlap: {len(guard.unheard)} clips could not be heard, of them only the questions were compared "
            f"(first: {guard.unheard[0]})"
        )
