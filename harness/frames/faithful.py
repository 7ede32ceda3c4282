"""What `dtbench faithful` measured, as one table: a row for each share, of all questions and by group."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from dtbench.harness.core.errors import UserError
from dtbench.harness.frames.as_pandas import need_pandas, to_frame
from dtbench.harness.frames.columns import Kind, table_from_rows
from dtbench.harness.store.faithful_summaries import read_all_faithful
from dtbench.harness.store.faithful_types import FaithfulSummary, InterventionFigures

if TYPE_CHECKING:
    from pandas import DataFrame

COLUMNS: Mapping[str, Kind] = MappingProxyType(
    {
        "run": "string",
        "task": "string",
        "heading": "string",
        "group": "string",
        "change": "string",
        "measure": "string",
        "count": "whole",
        "n": "whole",
        "value": "real",
        "low": "real",
        "high": "real",
    }
)


def faithful_df(runs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> DataFrame:
    """Return every share that was measured of the reasoning of a run, or of several, by their folders.

    `measure` is follow, keep, other or right; `value`, `low` and `high` are shares of 1. `heading` and `group` are
    empty where all questions are meant.
    """
    need_pandas()
    folders = [runs] if isinstance(runs, str | os.PathLike) else runs
    rows = [row for run in folders for summary in _summaries(Path(run)) for row in _rows(summary)]
    return to_frame(table_from_rows(rows, COLUMNS), ["run", "task", "heading", "group", "change", "measure"])


def _summaries(run: Path) -> list[FaithfulSummary]:
    found = read_all_faithful(run)
    if not found:
        raise UserError(f"{run}: nothing was measured of its reasoning: `dtbench faithful {run}` does it.")
    return found


def _rows(summary: FaithfulSummary) -> Iterator[Mapping[str, Any]]:
    about = {"run": summary["run"], "task": summary["task"]}
    for one in summary["interventions"]:
        yield from _shares(one, {**about, "heading": None, "group": None})
    for heading, values in summary["groups"].items():
        for value, changes in values.items():
            for one in changes:
                yield from _shares(one, {**about, "heading": heading, "group": value})


def _shares(one: InterventionFigures, about: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    shares = {"follow": one["follow"], "keep": one["keep"], "other": one["other"], "right": one["right"]}
    for name, share in shares.items():
        if share is not None:
            limits = {"value": share["accuracy"], "low": share["low"], "high": share["high"]}
            counts = {"count": share["correct"], "n": share["n"]}
            yield {**about, "change": one["intervention"], "measure": name, **counts, **limits}
