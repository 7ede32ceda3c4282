"""The questions that two runs answer otherwise, with what was right before and after, and the comparison as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from dtbench.harness.compare.paired import PairedRuns, join_tasks
from dtbench.harness.compare.several import compare_runs
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.model import Notify
from dtbench.harness.core.user_warnings import warn_user
from dtbench.harness.frames.as_pandas import need_pandas, to_frame
from dtbench.harness.frames.columns import GroupColumns, Kind, table_from_rows
from dtbench.harness.frames.find_runs import Runs, find_runs
from dtbench.harness.frames.samples import SampleSource, TaskOfRun, tasks_of_runs
from dtbench.harness.store.run_folder import StoredRun

if TYPE_CHECKING:
    from pandas import DataFrame

COLUMNS: Mapping[str, Kind] = MappingProxyType(
    {
        "task": "string",
        "id": "string",
        "direction": "string",
        "question": "string",
        "choices": "strings",
        "answer": "string",
        "before_choice": "string",
        "after_choice": "string",
        "before": "real",
        "after": "real",
    }
)


def flips_df(
    before: Runs,
    after: Runs,
    *,
    task: str | None = None,
    score: str = "official",
    data_dir: str | Path | None = None,
    notify: Notify = warn_user,
) -> DataFrame:
    """Return the questions that one of two runs has right and the other wrong: gained or lost, with both choices.

    `frame.attrs["comparisons"]` has what `dtbench compare --json` prints of the same runs: differences with intervals
    and p, by group too.
    """
    need_pandas()
    first, second = _one_run(before, "before"), _one_run(after, "after")
    source = SampleSource.of(task, data_dir, None, notify)
    pairs = join_tasks(first, second, task, score)
    parts = {part.name: part for part in tasks_of_runs([first], source)}
    groups = GroupColumns()
    rows = [row for pair in pairs for row in _flips(pair, parts[pair.task], groups)]
    kinds: dict[str, Kind] = {**COLUMNS, **dict.fromkeys(groups.names(), "string")}
    frame = to_frame(table_from_rows(rows, kinds), ["task", "direction", *groups.names()])
    frame.attrs["comparisons"] = compare_runs(first, [second], task, score)
    return frame


def _one_run(runs: Runs, which: str) -> StoredRun:
    found = find_runs(runs)
    if len(found) > 1:
        raise UserError(f"{which}: one run is expected, these are {len(found)}: name one of {_listed(found)}.")
    return found[0]


def _listed(runs: list[StoredRun]) -> str:
    return ", ".join(str(run.path) for run in runs[:4]) + (" ..." if len(runs) > 4 else "")


def _flips(pair: PairedRuns, part: TaskOfRun, groups: GroupColumns) -> Iterator[dict[str, Any]]:
    for one in pair.questions:
        if one.before == one.after:
            continue
        known: dict[str, Any] = {} if part.questions is None else part.questions.row(one.id)
        yield {
            "task": pair.task,
            "id": one.id,
            "direction": "gained" if one.after > one.before else "lost",
            **known,
            "before_choice": one.choices[0],
            "after_choice": one.choices[1],
            "before": one.before,
            "after": one.after,
            **{groups.name(pair.task, heading): value for heading, value in one.groups},
        }
