"""Print the results of a training: the base and each stage, the gain of each stage, and every paired test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dtbench.harness.cli.tables import percent, print_rows

Table = Mapping[str, Any]
NEAR = "boundary"
"""The group whose gains are shown in columns of their own, where a task has it."""


def print_table(table: Table) -> None:
    """Print the tables, one below the other."""
    _print_runs(table)
    gains = list(_gains(table))
    if gains:
        print_rows(("in points", *_HEADINGS), gains)
    prefixes = _prefixes(table)
    pairs = [
        (f"{prefixes[one['task']]}{one['from']} -> {one['to']}", *_cells(one, _near(one))) for one in table["paired"]
    ]
    print_rows(("in points", *_HEADINGS), pairs)
    if table["described"]:
        _print_described(table["described"])


def _prefixes(table: Table) -> Mapping[str, str]:
    """Return the prefix of each task's runs: its name, where there are several tasks."""
    tasks = dict.fromkeys(row["task"] for row in table["rows"])
    return {task: f"{task}: " if len(tasks) > 1 else "" for task in tasks}


def _print_runs(table: Table) -> None:
    rows, prefixes = table["rows"], _prefixes(table)
    groups = list(dict.fromkeys(name for row in rows for name in row["groups"] if name.startswith("diff")))
    with_criteria = any(row["criteria"] is not None for row in rows)
    cells = [
        (
            f"{prefixes[row['task']]}{row['name']}{' *' if row['best'] else ''}",
            percent(row["strict"]["accuracy"]),
            f"{percent(row['strict']['low'])} to {percent(row['strict']['high'])}",
            *(percent(row["groups"][name]["accuracy"]) if name in row["groups"] else "" for name in groups),
            percent(row["formed"]),
            *((_figure(row["criteria"], 2),) if with_criteria else ()),
            _figure(row["words"], 1),
        )
        for row in rows
    ]
    named = [name.split(": ")[1] for name in groups]
    last = ("in form", *(("criteria",) if with_criteria else ()), "words")
    print_rows(("in % (*: the best untrained)", "strict", "95 % interval", *named, *last), cells)


_HEADINGS = ("difference", "95 % interval", "McNemar p", NEAR, "p there")


def _gains(table: Table) -> Iterator[Sequence[str]]:
    """Yield the gain of each stage over the base's direct answers, and over the base with its best prompt."""
    from dtbench.training.stages.outcome import stage_gains

    for task, prefix in _prefixes(table).items():
        for one in stage_gains(table, task):
            against = f"{one.base} *" if one.best else f"{one.base}, direct"
            yield (f"{prefix}{one.stage} over {against}", *_cells(one.all, one.groups.get(NEAR)))


def _near(pair: Table) -> Table | None:
    return next((group for group in pair["groups"] if group["group"] == NEAR), None)


def _cells(pair: Table, near: Table | None) -> Sequence[str]:
    whole = (
        f"{100 * pair['difference']:+.1f}",
        f"{100 * pair['low']:+.1f} to {100 * pair['high']:+.1f}",
        f"{pair['p']:.2g}",
    )
    return (*whole, *(("", "") if near is None else (f"{100 * near['difference']:+.1f}", f"{near['p']:.2g}")))


def _print_described(rows: Sequence[Table]) -> None:
    cells = [
        (f"{row['name']}, {row['difficulty']}", percent(row["exact"]["accuracy"]), percent(row["sounds"]))
        for row in rows
    ]
    print_rows(("descriptions, in %", "right to the word", "sounds described rightly"), cells)


def _figure(value: float | None, decimals: int) -> str:
    return "" if value is None else f"{value:.{decimals}f}"
