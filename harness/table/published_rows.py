"""Published reports as rows of a table: numbers of others, each with its source, not paired with any run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.harness.frames.group_cells import ColumnSpec
from dtbench.harness.store.table_types import TableCell, TableColumn, TableRow
from dtbench.results.board import Entry, make_board, published_tasks


def refuse_unpublished(tasks: Sequence[str], models: Sequence[str]) -> None:
    """Raise a UserError where none of these benchmarks has published scores, or none of them a named model."""
    known = [task for task in tasks if task in published_tasks()]
    if not known:
        listed = ", ".join(published_tasks())
        raise UserError(f"--published: dtbench has no published scores of {', '.join(tasks)}. Known: {listed}.")
    names = {entry.model for task in known for entry in make_board(task, None).entries}
    for model in models:
        if model.casefold() not in {name.casefold() for name in names}:
            meant = did_you_mean(model, sorted(names)).partition("Known: ")[0]
            every_one = f"`dtbench board --task {known[0]} --published` lists all."
            raise UserError(f"--with {model}: no published report of it on {', '.join(known)}. {meant}{every_one}")


def published_entries(task: str, *, every: bool, models: Sequence[str]) -> tuple[list[Entry], list[str]]:
    """Return the reports of a benchmark that can be compared, and those of the named models, best first.

    With them come notes on what is asked for and was not published.
    """
    if task not in published_tasks():
        return [], [f"{task}: dtbench has no published scores of it"]
    entries = make_board(task, None).entries
    names = {entry.model.casefold() for entry in entries}
    notes = [f"{task}: no published report of {model}" for model in models if model.casefold() not in names]
    wanted = {model.casefold() for model in models}
    fit = [entry for entry in entries if entry.model.casefold() in wanted or (every and not entry.why_not)]
    if every and (left := sum(bool(entry.why_not) and entry not in fit for entry in entries)):
        notes.append(
            f"{task}: {left} published reports cannot be compared and are left out; --with adds those of a model"
        )
    return fit, notes


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
