"""Accuracy with its interval by run, and by the values of a group or of any other column of few values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dtbench.harness.core.errors import DtbenchError, UserError, did_you_mean
from dtbench.harness.core.model import Notify
from dtbench.harness.core.user_warnings import warn_user
from dtbench.harness.frames.as_pandas import need_pandas, to_frame
from dtbench.harness.frames.columns import MARK, Kind, plain_name, table_from_rows
from dtbench.harness.frames.find_runs import Runs, find_runs
from dtbench.harness.frames.runs import FIGURES, summary_of
from dtbench.harness.frames.samples import SampleSource, TaskOfRun, table_of, tasks_of_runs
from dtbench.harness.score.group_shares import share_over_clips

if TYPE_CHECKING:
    from pandas import DataFrame

Row = dict[str, Any]
_NO_GROUPS = ("id", "question", "choices", "answer", "choice", "thinking", "response", "seconds", "error_message")
"""Columns that have nearly as many values as rows."""


def summary_df(
    runs: Runs,
    by: str | Sequence[str] | None = None,
    *,
    tasks: Sequence[str] | str | None = None,
    notify: Notify = warn_user,
) -> DataFrame:
    """Return accuracy with 95 % intervals, a row for each run and task, or for each of their values in columns.

    `by` takes columns of the samples frame, such as those of the groups. Without it the figures are those of
    summary.json; with it, n counts the answers that there are. An answer without a value in a column is in no row.
    """
    need_pandas()
    source = replace(SampleSource.of(tasks, None, None, notify), texts=False)
    parts = tasks_of_runs(find_runs(runs, notify), source)
    names = [by] if isinstance(by, str) else list(by or ())
    columns, rows = _by_group(parts, names, notify) if names else ([], list(_each_whole(parts, notify)))
    kinds: dict[str, Kind] = {"run": "string", "task": "string", **dict.fromkeys(columns, "string"), **FIGURES}
    return to_frame(table_from_rows(rows, kinds), ["run", "task", *columns])


def _each_whole(parts: Sequence[TaskOfRun], notify: Notify) -> Iterator[Row]:
    for part in parts:
        try:
            yield _whole(part)
        except DtbenchError as error:
            if len(parts) == 1:
                raise
            notify(f"left out: {part.where}: {error}")


def _whole(part: TaskOfRun) -> Row:
    summary = summary_of(part.run, part.name)
    official, strict = summary["official"], summary["strict"]
    return {
        "run": str(part.run.path),
        "task": part.name,
        "n": summary["n"],
        "counted": official["counted"],
        "official": official["accuracy"],
        "official_low": official["low"],
        "official_high": official["high"],
        "strict": strict["accuracy"],
        "strict_low": strict["low"],
        "strict_high": strict["high"],
        "unanswered": summary["unanswered"],
        "failed": summary["failed"],
    }


def _by_group(parts: Sequence[TaskOfRun], names: Sequence[str], notify: Notify) -> tuple[list[str], list[Row]]:
    """Return the columns that are meant, and a row for each combination of their values."""
    table = table_of(parts, notify)
    columns = [_column(name, table.column_names) for name in names]
    shared = {(str(part.run.path), part.name): part.about["shared_clips"] for part in parts}
    groups: dict[tuple[str, ...], list[Row]] = {}
    verdicts = ("correct", "official", "counted", "choice", "error")
    marks = [MARK] if MARK in table.column_names else []
    needed = [*dict.fromkeys(["run", "task", "id", *columns, *verdicts, *marks])]
    for batch in table.select(needed).to_batches():
        for row in batch.to_pylist():
            values = [row[name] for name in columns]
            if None not in values:
                row["clip"] = shared[row["run"], row["task"]].get(row["id"], row["id"])
                groups.setdefault((row["run"], row["task"], *map(_text, values)), []).append(row)
    places = {run_and_task: place for place, run_and_task in enumerate(shared)}
    order = sorted(groups, key=lambda key: (places[key[0], key[1]], key[2:]))
    heads = ["run", "task", *columns]
    return columns, [{**dict(zip(heads, key, strict=True)), **_figures(groups[key])} for key in order]


def _mark(row: Row) -> float:
    mark: float | None = row.get(MARK)
    return float(bool(row["official"])) if mark is None else mark


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _column(name: str, known: Sequence[str]) -> str:
    """Return the column of a name or heading; a UserError where there is none, or it has too many values."""
    found = name if name in known else next((one for one in known if one in {plain_name(name), f"group_{name}"}), None)
    able = [one for one in known if one not in _NO_GROUPS]
    if found is None:
        raise UserError(f"by: no column {name!r}. {did_you_mean(name, able)}")
    if found in _NO_GROUPS:
        raise UserError(f"by: {name!r} has as many values as answers; choose of {', '.join(able)}.")
    if found in {"run", "task"}:
        raise UserError(f"by: {name!r} is a column of every summary already; choose of {', '.join(able)}.")
    return found


def _figures(rows: Sequence[Row]) -> Row:
    """Return the figures of these answers; none of accuracy where right and wrong are not known."""
    answered = [row for row in rows if row["error"] is None]
    head = {
        "n": len(rows),
        "unanswered": sum(row["choice"] is None for row in answered),
        "failed": len(rows) - len(answered),
        "counted": sum(bool(row["counted"]) for row in answered),
    }
    decided = [row for row in rows if row["choice"] is None or row["correct"] is not None]
    if all(row["official"] is None for row in answered) or not decided:
        return head
    counted = [row for row in answered if row["counted"]]
    strict = share_over_clips([row["clip"] for row in decided], [row["correct"] is True for row in decided])
    figures = {**head, "strict": strict["accuracy"], "strict_low": strict["low"], "strict_high": strict["high"]}
    if counted:
        official = share_over_clips([row["clip"] for row in counted], [_mark(row) for row in counted])
        low, high = official["low"], official["high"]
        figures |= {"official": official["accuracy"], "official_low": low, "official_high": high}
    return figures
