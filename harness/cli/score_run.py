"""`dtbench score RUN`: a run folder scored again, from its records alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from dtbench.harness.core.errors import UserError

if TYPE_CHECKING:
    from dtbench.harness.score.stored_run import Rescored
    from dtbench.harness.store.run_folder import StoredRun


class RescoreOptions(NamedTuple):
    """What the user asked of a run folder."""

    run: Path
    only: str | None
    """The one task to score; None for all."""
    task_file: Path | None
    scorer: str | None
    data_dir: Path | None


def score_again(wish: RescoreOptions, *, rows: bool) -> list[Rescored]:
    """The tasks of a run, scored anew; with the lines of `--rows` where they are asked for."""
    from dtbench.harness.store.run_folder import StoredRun
    from dtbench.tasks.stored import stored_task_names

    stored = StoredRun.open(wish.run)
    return [_scored(stored, name, wish, rows=rows) for name in stored_task_names(stored, wish.only)]


def print_scored(scored: Sequence[Rescored], *, as_json: bool) -> None:
    """A list of objects, one a task, or tables."""
    from dtbench.harness.cli.tables import print_summary

    if as_json:
        typer.echo(json.dumps([done.summary for done in scored]))
        return
    for done in scored:
        print_summary(done.summary, groups=True)


def write_summaries(run: Path, scored: Sequence[Rescored]) -> None:
    """Rewrite these tasks' part of summary.json, unless the run is going on."""
    from dtbench.harness.store.lock import RunLock
    from dtbench.harness.store.run_folder import StoredRun

    lock = RunLock(run)
    try:
        stored = StoredRun.open(run)
        before = _stored_summary(run)
        anew = {done.summary["task"]: done.summary for done in scored}
        tasks = {**{one["task"]: one for one in before.get("tasks", [])}, **anew}
        kept = {"run": str(run), "status": stored.info["status"], **before}
        stored.write_summary({**kept, "tasks": [tasks[name] for name in stored.info["tasks"] if name in tasks]})
    finally:
        lock.close()


def _scored(stored: StoredRun, name: str, wish: RescoreOptions, *, rows: bool) -> Rescored:
    from dtbench.harness.score.related_runs import compare_related
    from dtbench.harness.score.stored_run import find_data, rescore
    from dtbench.tasks.stored import stored_task

    part = stored_task(stored, name, wish.task_file)
    task = part.task
    if wish.scorer is not None and wish.scorer not in task.official_versions:
        raise UserError(
            f"--scorer {wish.scorer}: the versions of {name}'s script are {', '.join(task.official_versions)}; "
            f"for one task of a run of several, name it with --task."
        )
    data = find_data(part, wish.data_dir)
    done = rescore(part, data, wish.scorer, rows=rows)
    done.summary.update(compare_related(stored, name))
    if data is not None:
        done.summary.update(task.figures(part.records()))
    if torn := stored.torn.get(name):
        done.summary["notes"].append(f"{torn} records were cut short by a crash; their questions are not answered")
    return done


def _stored_summary(run: Path) -> dict[str, Any]:
    """summary.json; nothing where there is none that can be read, since it can be made again."""
    try:
        summary = json.loads((run / "summary.json").read_bytes())
        well_formed = all(isinstance(one["task"], str) for one in summary["tasks"])
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return {}
    return summary if well_formed and isinstance(summary, dict) else {}
