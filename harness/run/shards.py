"""Shards of a run: which one a SLURM array gives to this process, and how they are summed up by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from dtbench.harness.core.errors import UserError
from dtbench.harness.run.ending import RunResult, sum_up
from dtbench.harness.score.stored_run import find_data
from dtbench.harness.store.locks import running_shards
from dtbench.harness.store.run_folder import RunFolder, StoredRun
from dtbench.harness.store.shard_states import shard_states
from dtbench.harness.store.shards import has_shards
from dtbench.tasks.stored import stored_task, stored_task_names

INCOMPLETE = 4
_TASK, _FIRST, _LAST, _COUNT = (f"SLURM_ARRAY_TASK_{name}" for name in ("ID", "MIN", "MAX", "COUNT"))
_STEP = "SLURM_ARRAY_TASK_STEP"


def slurm_shard(environment: Mapping[str, str]) -> str | None:
    """Return I/N of this task of a SLURM array; None outside of one, or where it is the only task of its array."""
    given = {name: environment[name] for name in (_TASK, _FIRST, _LAST, _COUNT, _STEP) if environment.get(name)}
    if _TASK not in given or _FIRST not in given or not given.keys() & {_LAST, _COUNT}:
        return None
    try:
        task, first, step = int(given[_TASK]), int(given[_FIRST]), int(given.get(_STEP, "1"))
        last = int(given[_LAST]) if _LAST in given else first + step * (int(given[_COUNT]) - 1)
        count = int(given[_COUNT]) if _COUNT in given else (last - first) // step + 1
        even = first <= task <= last and (task - first) % step == 0 and (last - first) // step + 1 == count
    except (ValueError, ZeroDivisionError):
        even, count = False, 0
    if not even:
        shown = ", ".join(f"{name}={value}" for name, value in given.items())
        raise UserError(
            f"{shown}: the tasks of this array are not numbered evenly, so its shards are not known: "
            f"give --shard I/N, or --shard 1/1 for all questions."
        )
    return f"{(task - first) // step + 1}/{count}" if count > 1 else None


def merge_shards(path: Path, max_failed: float) -> RunResult:
    """Sum up a run of shards, where each question has a record; otherwise say which shards have not ended."""
    run = StoredRun.open(path)
    if not has_shards(path):
        raise UserError(f"{path}: this run has no shards, so there is nothing to merge; `dtbench score` scores it.")
    waiting = [one for one in shard_states(path, run.info) if not one.ended]
    if running_shards(path):
        return RunResult(path, "interrupted", [], INCOMPLETE, waiting=waiting)
    folder = RunFolder.reopen(path)
    try:
        stored = [stored_task(folder, name) for name in stored_task_names(folder)]
        tasks = [replace(one, data=find_data(one, None)) for one in stored]
        outcome = sum_up(folder, tasks, max_failed)
    finally:
        folder.close()
    if outcome.status != "interrupted":
        return outcome
    missing = sum(summary["missing"] for summary in outcome.summaries)
    return RunResult(path, "interrupted", [], INCOMPLETE, [f"{missing} answers are missing"], waiting=waiting)
