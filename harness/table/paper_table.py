"""The table that a paper prints: a row for each run, published rows where they are wanted, the official columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.harness.frames.find_runs import Runs, find_runs
from dtbench.harness.frames.group_cells import (
    ColumnSpec,
    TabledTask,
    chance_of_column,
    column_specs,
    reasoning_cell,
    rubric_cell,
    score_cell,
)
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.run_labels import run_labels
from dtbench.harness.store.table_types import OWN, TASKS, ResultTable, TableCell, TableColumn, TableRow
from dtbench.harness.table.captions import caption_of, notes_of
from dtbench.harness.table.comparable import (
    CellTest,
    add_chance,
    adjust_tests,
    pair_with_first,
    paired_test_of,
    rank_cells,
)
from dtbench.harness.table.formats import csv_of, html_of, html_page, markdown_of
from dtbench.harness.table.latex import latex_of
from dtbench.harness.table.published_rows import published_entries, published_row, refuse_unpublished
from dtbench.harness.table.request import TableOptions


@dataclass(frozen=True, slots=True)
class PaperTable:
    """The tables of some runs, one for each benchmark, which write themselves in several formats."""

    tables: Sequence[ResultTable]
    interval: str = "none"
    decimals: int = 1

    def to_markdown(self) -> str:
        """Return the tables as Markdown."""
        return markdown_of(self.tables, self.interval, self.decimals)

    def to_latex(self) -> str:
        """Return the tables as LaTeX, which needs the package booktabs."""
        return latex_of(self.tables, self.interval, self.decimals)

    def to_csv(self) -> str:
        """Return the tables as one CSV file, in percent, with every interval, n and adjusted p."""
        return csv_of(self.tables, self.decimals)

    def to_html(self) -> str:
        """Return a page with the tables."""
        return html_page(self.tables, self.interval, self.decimals)

    def _repr_html_(self) -> str:
        return html_of(self.tables, self.interval, self.decimals)


def paper_table(runs: Runs, **options: Any) -> PaperTable:
    """Make the table of some runs; the options are the fields of TableOptions, such as by, labels and score."""
    stored = find_runs(runs)
    return table_of(stored, TableOptions(runs=[run.path for run in stored], **options))


def table_of(runs: Sequence[StoredRun], options: TableOptions) -> PaperTable:
    """Make the table of runs that are open."""
    rows = [_PaperRow(label, run) for label, run in zip(run_labels(runs, options.labels), runs, strict=True)]
    names = list(dict.fromkeys(name for run in runs for name in run.info["tasks"]))
    if options.task is not None:
        if options.task not in names:
            raise UserError(f"--task {options.task}: none of the runs has it. {did_you_mean(options.task, names)}")
        names = [options.task]
    if options.published or options.reports:
        refuse_unpublished(names, options.reports)
    if options.by == TASKS:
        tables = [_Maker(rows, names, options).make()]
    else:
        tables = [_Maker(rows, [name], options).make() for name in names]
    return PaperTable(tables, options.interval, options.decimals)


class _PaperRow(NamedTuple):
    label: str
    run: StoredRun


class _TaskColumn(NamedTuple):
    """A column of figures and the benchmark that it is of."""

    task: str
    spec: ColumnSpec


class _Maker:
    """Makes one table, of one benchmark or of several with a column for each."""

    def __init__(self, rows: Sequence[_PaperRow], tasks: Sequence[str], options: TableOptions) -> None:
        self._options = options
        self._score: Any = options.score
        self._tasks = tasks
        self._rows = [row for row in rows if any(name in row.run.info["tasks"] for name in tasks)]
        self._without = [row.label for row in rows if row not in self._rows]
        self._parts = [
            {name: TabledTask.open(row.run, name, options.task_file) for name in tasks if name in row.run.info["tasks"]}
            for row in self._rows
        ]
        self._places = self._all_places()
        self._judges = list(dict.fromkeys(name for part in self._every() for name in part.judges))
        if (options.rubric or options.score == "rubric") and not self._judges:
            flag, first = "--rubric" if options.rubric else "--score rubric", self._rows[0].run.path
            raise UserError(f"{flag}: no judge has scored {first}, nor another of the runs: `dtbench judge RUN` does.")
        if options.score == "rubric" and len(self._judges) > 1:
            raise UserError(
                f"--score rubric: several judges scored these runs ({', '.join(self._judges)}), whose marks cannot be "
                f"compared; without --score rubric there is a column for each."
            )

    def make(self) -> ResultTable:
        """Make the table."""
        columns = [*self._score_columns(), *self._more_columns()]
        rows = [self._run_row(place) for place in range(len(self._rows))]
        tests = self._test(rows)
        adjust_tests(tests)
        specs = [place.spec for place in self._places]
        entries, unpublished = self._entries()
        published = [published_row(entry, specs, columns) for entry in entries]
        rank_cells(columns, [*rows, *published], self._options.decimals)
        table: ResultTable = {
            "title": self._title(),
            "score": self._score,
            "by": self._options.by or OWN,
            "columns": columns,
            "rows": [*self._guessing(columns, rows), *published, *rows],
            "caption": [],
            "notes": [*notes_of(rows, self._without, [part.summary for part in self._every()]), *unpublished],
        }
        table["caption"] = caption_of(table, len(tests), self._judges)
        return table

    def _every(self) -> Iterator[TabledTask]:
        return (part for parts in self._parts for part in parts.values())

    def _title(self) -> str:
        first = next(self._every()).part.task
        return first.title or first.name if len(self._tasks) == 1 else "Benchmarks"

    def _all_places(self) -> list[_TaskColumn]:
        if self._options.by == TASKS:
            return [_TaskColumn(name, ColumnSpec(name, {})) for name in self._tasks]
        (name,) = self._tasks
        parts = [parts[name] for parts in self._parts]
        return [_TaskColumn(name, spec) for spec in column_specs(parts, self._options.by)]

    def _score_columns(self) -> list[TableColumn]:
        of: Any = "rubrics" if self._score == "rubric" else "score"
        return [{"title": place.spec.title, "unit": "share", "of": of} for place in self._places]

    def _more_columns(self) -> list[TableColumn]:
        if self._score == "rubric" or self._options.by == TASKS:
            return []
        titles = ["Rubrics"] if len(self._judges) == 1 else [f"Rubrics by {name}" for name in self._judges]
        columns: list[TableColumn] = [{"title": title, "unit": "share", "of": "rubrics"} for title in titles]
        if self._options.rubric:
            columns.append({"title": "Reasoning", "unit": "characters", "of": "reasoning"})
        return columns

    def _run_row(self, place: int) -> TableRow:
        row, parts = self._rows[place], self._parts[place]
        cells = [self._cell(parts.get(at.task), at.spec) for at in self._places]
        if self._more_columns():
            part = next(iter(parts.values()))
            whole = ColumnSpec("", {})
            judged = (part.judges.get(name) for name in self._judges)
            cells += [None if one is None else rubric_cell(one, whole) for one in judged]
            cells += [reasoning_cell(part.summary)] if self._options.rubric else []
        return {
            "label": row.label,
            "kind": "run",
            "source": str(row.run.path),
            "not_comparable": "",
            "cells": cells,
        }

    def _cell(self, part: TabledTask | None, spec: ColumnSpec) -> TableCell | None:
        if part is None:
            return None
        if self._score == "rubric":
            judged = part.judges.get(self._judges[0])
            return None if judged is None else rubric_cell(judged, spec)
        cell = score_cell(part, spec, self._score)
        add_chance(cell, chance_of_column(part, spec))
        return cell

    def _test(self, rows: Sequence[TableRow]) -> list[CellTest]:
        """Test each run against the first one in the table."""
        tests: list[CellTest | None] = []
        for row, parts in zip(rows[1:], self._parts[1:], strict=True):
            for name in self._tasks:
                first, other = self._parts[0].get(name), parts.get(name)
                if first is None or other is None:
                    continue
                if (paired := pair_with_first(first, other, self._score, row)) is not None:
                    cells = zip(self._places, row["cells"], strict=False)
                    tests += [paired_test_of(paired, at.spec, cell) for at, cell in cells if at.task == name]
        return [test for test in tests if test is not None]

    def _entries(self) -> tuple[list[Any], list[str]]:
        """Return the published reports that are wanted, and notes on those that there are not."""
        options = self._options
        if not (options.published or options.reports):
            return [], []
        return published_entries(self._tasks[0], every=options.published, models=options.reports)

    def _guessing(self, columns: Sequence[TableColumn], rows: Sequence[TableRow]) -> Iterator[TableRow]:
        """Yield the row of what guessing gives, by the first run that tells it."""
        for row in rows:
            chances = [None if cell is None else cell.get("chance") for cell in row["cells"]]
            if any(chance is not None for chance in chances):
                cells: list[TableCell | None] = [
                    None if chance is None else {"value": chance, "low": None, "high": None, "n": None}
                    for chance in chances
                ]
                yield {"label": "Guessing", "kind": "guessing", "source": "", "not_comparable": "", "cells": cells}
                return
