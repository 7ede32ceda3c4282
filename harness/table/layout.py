"""A table as words: what every format writes, before it escapes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from dtbench.harness.core.errors import one_line
from dtbench.harness.store.table_types import ResultTable, TableCell, TableColumn, TableRow
from dtbench.harness.table.captions import BEYOND_CHANCE, DIFFERS
from dtbench.harness.table.comparable import differs

PUBLISHED = "Published, not paired"
OURS = "These runs"
EMPTY = "-"


class CellText(NamedTuple):
    """A cell in words."""

    value: str
    marks: str = ""
    """Signs behind the figure."""
    rank: str = ""
    """best, second, or nothing."""
    interval: str = ""
    """Low and high, without brackets; empty where there is none, or none is wanted."""


class RowText(NamedTuple):
    """A row in words."""

    label: str
    kind: str
    note: str
    """The letter of its source; empty for a run."""
    cells: Sequence[CellText]


class TableText(NamedTuple):
    """A table in words, none of them escaped."""

    title: str
    columns: Sequence[str]
    parts: Sequence[tuple[str, Sequence[RowText]]]
    """Title, which is empty where there is one part alone, and rows."""
    counts: Sequence[str]
    """The number of answers in each column; empty where none is known."""
    below: Sequence[str]
    """Caption, sources and notes, a sentence each."""

    def rows(self) -> Iterator[RowText]:
        """Yield the rows of all parts."""
        return (row for _, rows in self.parts for row in rows)


def table_text(table: ResultTable, interval: str, decimals: int, *, ranked: str = "") -> TableText:
    """Put a table into words; `ranked` says how the best figures look."""
    sources: dict[str, str] = {}
    rows = [_row(row, table["columns"], sources, interval != "none", decimals) for row in table["rows"]]
    guessing, published, runs = ([row for row in rows if row.kind == k] for k in ("guessing", "published", "run"))
    parts = [("", guessing), (PUBLISHED, published), (OURS if published else "", runs)]
    below = [one_line(text) for text in table["caption"]]
    if interval != "none":
        of_others = "; those of published rows take their answers as independent" if published else ""
        below.append(f"Ranges: 95 % intervals{of_others}.")
    if ranked and any(cell.rank for row in rows for cell in row.cells):
        below.append(ranked)
    below += [f"[{letter}] {source}." for source, letter in sources.items()]
    below += [f"Note: {one_line(note)}." for note in table["notes"]]
    titles = [one_line(column["title"]) for column in table["columns"]]
    return TableText(one_line(table["title"]), titles, [part for part in parts if part[1]], _counts(table), below)


def _row(row: TableRow, columns: Sequence[TableColumn], sources: dict[str, str], shown: bool, decimals: int) -> RowText:
    note = ""
    if row["kind"] == "published":
        why = f" (not comparable: {row['not_comparable']})" if row["not_comparable"] else ""
        note = sources.setdefault(one_line(row["source"] + why), _letter(len(sources)))
    cells = [
        _cell(cell, column, shown and row["kind"] != "guessing", decimals)
        for cell, column in zip(row["cells"], columns, strict=True)
    ]
    return RowText(one_line(row["label"]), row["kind"], note, cells)


def _letter(place: int) -> str:
    """Return a, b, ... z, aa, ab, ..."""
    more, last = divmod(place, 26)
    return (_letter(more - 1) if more else "") + chr(ord("a") + last)


def _cell(cell: TableCell | None, column: TableColumn, shown: bool, decimals: int) -> CellText:
    if cell is None:
        return CellText(EMPTY)
    if column["unit"] == "characters":
        return CellText(f"{cell['value']:,.0f}")
    marks = BEYOND_CHANCE * cell.get("beyond_chance", False) + DIFFERS * differs(cell)
    low, high = cell["low"], cell["high"]
    interval = f"{100 * low:.{decimals}f}-{100 * high:.{decimals}f}" if low is not None and high is not None else ""
    return CellText(f"{100 * cell['value']:.{decimals}f}", marks, cell.get("rank", ""), interval if shown else "")


def _counts(table: ResultTable) -> list[str]:
    """Return how many answers each column counts, from the fewest to the most where the runs differ."""
    counts = []
    for place in range(len(table["columns"])):
        known = [cell["n"] for row in table["rows"] if (cell := row["cells"][place]) is not None and cell["n"]]
        few, many = min(known, default=0), max(known, default=0)
        counts.append("" if not known else f"{few:,}" if few == many else f"{few:,}-{many:,}")
    return counts if any(counts) else []
