"""What the signs of a table rest on: tests against the first run, what guessing gives, and which figures are best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from dtbench.harness.compare.paired import PairedRuns, pair_runs
from dtbench.harness.frames.group_cells import ColumnSpec, TabledTask
from dtbench.harness.stats.paired_tests import chance_of_equal, holm
from dtbench.harness.store.table_types import TableCell, TableColumn, TableRow, TableScore
from dtbench.harness.store.types import as_fields

LEVEL = 0.05
"""Adjusted p values below it are marked."""
ALONE = 2
"""With fewer figures in a column there is no best one."""


class CellTest(NamedTuple):
    """A cell, and its test against the same cell of the first run."""

    cell: TableCell
    p: float


def pair_with_first(first: TabledTask, other: TabledTask, score: TableScore, row: TableRow) -> PairedRuns | None:
    """Pair a run with the first one, and keep in its row what else differs; None for marks of a judge."""
    if score == "rubric":
        return None
    paired = pair_runs(first.run, other.run, first.part.task.name, score)
    for one in paired.confounders:
        known = row.setdefault("confounders", [])
        if (fields := as_fields(one)) not in known:
            known.append(fields)
    return paired


def paired_test_of(paired: PairedRuns, column: ColumnSpec, cell: TableCell | None) -> CellTest | None:
    """Test the questions of a column; None where there is no figure, or no question that both runs answered."""
    questions = paired.questions.where(column.holds)
    if cell is None or not questions:
        return None
    pairs = paired.pairs(questions)
    cell["difference"] = sum(pairs.gaps()) / len(pairs)
    return CellTest(cell, chance_of_equal(pairs))


def adjust_tests(tests: Sequence[CellTest]) -> None:
    """Write into each cell its p value, corrected by Holm for all cells that were tested."""
    for one, p in zip(tests, holm([one.p for one in tests]), strict=True):
        one.cell["p_adjusted"] = p


def differs(cell: TableCell) -> bool:
    """Whether a cell differs from the first run's by more than chance."""
    return cell.get("p_adjusted", 1.0) < LEVEL


def add_chance(cell: TableCell | None, chance: float | None) -> None:
    """Write into a cell what guessing gives, and whether its whole interval lies above."""
    if cell is not None and chance is not None:
        cell["chance"] = chance
        if (low := cell["low"]) is not None:
            cell["beyond_chance"] = low > chance


def rank_cells(columns: Sequence[TableColumn], rows: Sequence[TableRow], decimals: int) -> None:
    """Mark the best and the second figure of each column, by what is shown; rows that cannot be compared have none."""
    for place, column in enumerate(columns):
        if column["of"] == "reasoning":
            continue
        fit = [row for row in rows if row["kind"] != "guessing" and not row["not_comparable"]]
        if column["of"] == "rubrics":  # each report has a judge of its own
            fit = [row for row in fit if row["kind"] == "run"]
        cells = [cell for row in fit if (cell := row["cells"][place]) is not None]
        shown = [round(100 * cell["value"], decimals) for cell in cells]
        ranked = sorted(set(shown), reverse=True)
        if len(cells) < ALONE or len(ranked) < ALONE:
            continue
        for cell, value in zip(cells, shown, strict=True):
            if value == ranked[0]:
                cell["rank"] = "best"
            elif value == ranked[1]:
                cell["rank"] = "second"
