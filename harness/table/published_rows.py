"""Published reports as rows of a table: numbers of others, each with its source, not paired with any run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.harness.frames.group_cells import ColumnSpec
from dtbench.harness.store.table_types import TableCell, TableColumn, TableRow
from dtbench.results.board import Entry, make_board, published_tasks


def published_entries(task: str, *, every: bool, models: Sequence[str]) -> list[Entry]:
    """Return the reports of a benchmark that can be compared, and those of the named models, best first."""
    if task not in published_tasks():
        known = ", ".join(published_tasks())
        raise UserError(f"--published: dtbench has no published scores of {task}. Known: {known}.")
    entries = make_board(task, None).entries
    names = {entry.model.casefold() for entry in entries}
    for model in models:
        if model.casefold() not in names:
            meant = did_you_mean(model, sorted({entry.model for entry in entries})).partition("Known: ")[0]
            every_one = f"`dtbench board --task {task} --published` lists all."
            raise UserError(f"--with {model}: no published report of it on {task}. {meant}{every_one}")
    wanted = {model.casefold() for model in models}
    return [entry for entry in entries if entry.model.casefold() in wanted or (every and not entry.why_not)]


def published_row(entry: Entry, specs: Sequence[ColumnSpec], columns: Sequence[TableColumn]) -> TableRow:
    """Return the row of a report."""
    cells = list(_cells(entry, specs))
    more = columns[len(specs) :]
    for place, column in enumerate(more):
        known = column["of"] == "rubrics" and entry.rubrics is not None and place == 0
        cells.append(_cell(entry.rubrics) if known else None)
    source = f"{entry.source}, {entry.where}" + (f", {entry.date}" if entry.date else "")
    return {
        "label": entry.model,
        "kind": "published",
        "source": source,
        "not_comparable": entry.why_not,
        "cells": cells,
    }


def _cells(entry: Entry, specs: Sequence[ColumnSpec]) -> Iterator[TableCell | None]:
    groups = {name.casefold(): value for name, value in entry.groups.items()}
    for spec in specs:
        if not spec.where:
            limits = (entry.low / 100, entry.high / 100)
            yield {"value": entry.score / 100, "low": limits[0], "high": limits[1], "n": None}
            continue
        names = [spec.title, *(spec.where.values() if len(spec.where) == 1 else ())]
        yield next((_cell(groups[name.casefold()]) for name in names if name.casefold() in groups), None)


def _cell(percent: float | None) -> TableCell | None:
    return None if percent is None else {"value": percent / 100, "low": None, "high": None, "n": None}
