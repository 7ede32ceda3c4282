"""How a run ends: its summary and status are written, of all of it or of a shard."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dtbench.harness.core.price import SpentFigures
from dtbench.harness.run.plan import TaskPlan
from dtbench.harness.run.spending import Spending
from dtbench.harness.score.ablations import compare_related
from dtbench.harness.score.stored_run import StoredTask
from dtbench.harness.score.summary import own_figures, with_figures
from dtbench.harness.store.growth import other_task_notes
from dtbench.harness.store.provenance import version_notes
from dtbench.harness.store.run_folder import RunFolder
from dtbench.harness.store.run_json import read_info
from dtbench.harness.store.shard_states import ShardState, questions_hash, shard_states, with_shards
from dtbench.harness.store.shards import Shard
from dtbench.harness.store.summary_types import RelatedFigures, Summary, TaskSummary
from dtbench.harness.store.types import Status, TaskInfo
from dtbench.models.checkpoints import families

_LOG = logging.getLogger(__name__)
INTERRUPTED = 130
FAILED = 3


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended."""

    folder: Path
    status: Status
    summaries: Sequence[TaskSummary]
    exit_code: int
    notes: Sequence[str] = ()
    shard: Shard | None = None
    """The part of the questions that the summaries are of, where the others have not all ended."""
    waiting: Sequence[ShardState] = ()
    """The shards that have not ended."""
    spent: SpentFigures | None = None
    """None where no price is known and no limit was given."""
    stopped: str = ""
    """Why it ended before all was asked, where it was not the user who stopped it."""

    def as_json(self) -> Summary:
        """Return the object that `--json` prints and that summary.json contains."""
        tasks, notes = list(self.summaries), list(self.notes)
        summary: Summary = {"run": str(self.folder), "status": self.status, "tasks": tasks, "notes": notes}
        if self.spent is not None:
            summary["spent"] = self.spent
        if self.shard is not None:
            summary["shard"] = str(self.shard)
        if self.waiting:
            summary["waiting"] = {str(one.shard): one.standing for one in self.waiting}
        return summary


def _with_spending(outcome: RunResult, spending: Spending) -> RunResult:
    """Add to how a run ended what it used, and why it ended early where that was not the user's wish."""
    spent = spending.figures() if spending.counts else None
    stopped = spending.last_words() if outcome.status == "interrupted" else ""
    return replace(outcome, spent=spent, stopped=stopped, notes=[*outcome.notes, *([stopped] if stopped else [])])


def finish_run(plans: Sequence[TaskPlan], folder: RunFolder, max_failed: float, spending: Spending) -> RunResult:
    """Write the summary and the status of a run, or of a shard."""
    tasks = [_planned(plan, folder) for plan in plans]
    parts = [_summary(stored, folder, plan.asks) for stored, plan in zip(tasks, plans, strict=True)]
    outcome = _with_spending(_result(folder, parts, max_failed), spending)
    if folder.shard is None:
        folder.write_summary(outcome.as_json())
        folder.finish(outcome.status)
    else:
        outcome = _finish_shard(folder, tasks, outcome, max_failed)
    for note in outcome.notes:
        _LOG.warning("%s", note)
    return outcome


def _finish_shard(folder: RunFolder, tasks: Sequence[StoredTask], outcome: RunResult, max_failed: float) -> RunResult:
    """Write the status of a shard; where the others have ended too, sum up all of them."""
    folder.finish(outcome.status, missing=sum(summary["missing"] for summary in outcome.summaries))
    waiting = [one for one in shard_states(folder.path, folder.info) if not one.ended]
    asked_last = questions_hash(read_info(folder.path)) == questions_hash(folder.info)
    if asked_last and all(one.info is None and not one.running for one in waiting):  # another N may have answered them
        whole = sum_up(folder, tasks, max_failed)
        if whole.status != "interrupted":
            return whole
    return replace(outcome, shard=folder.shard, waiting=waiting)


def sum_up(folder: RunFolder, tasks: Sequence[StoredTask], max_failed: float) -> RunResult:
    """Write the summary and the status of a run of shards, unless answers are missing: then it is interrupted."""
    outcome = _result(folder, [_summary(stored, folder) for stored in tasks], max_failed)
    if outcome.status != "interrupted":
        folder.write_summary(outcome.as_json())
        folder.end_shards(outcome.status)
    return outcome


def _result(folder: RunFolder, summaries: Sequence[TaskSummary], max_failed: float) -> RunResult:
    """Return how a run ended: interrupted where anything is missing."""
    names = [summary["task"] for summary in summaries]
    beyond = [
        *families.out_of_scope(folder.info["model"].get("family"), names),
        *other_task_notes(folder.info, folder.path),
        *folder_notes(folder),
    ]
    if any(summary["missing"] for summary in summaries):
        return RunResult(folder.path, "interrupted", summaries, INTERRUPTED, beyond)
    if over := list(_over_budget(folder, summaries, max_failed)):
        return RunResult(folder.path, "failed", summaries, FAILED, [*beyond, *over])
    return RunResult(folder.path, "done", summaries, 0, beyond)


def folder_notes(folder: RunFolder) -> list[str]:
    """Say what the starts of a run differ in, those of all its shards together."""
    return version_notes(with_shards(folder.path, folder.info)["starts"])


def _planned(plan: TaskPlan, folder: RunFolder) -> StoredTask:
    name = plan.task.name
    return StoredTask(plan.task, folder.info["tasks"][name], lambda: folder.records(name), folder.path, plan.data)


def _summary(stored: StoredTask, folder: RunFolder, part: Collection[str] | None = None) -> TaskSummary:
    """Sum up a task, or the part of its questions with these ids."""
    if part is not None:
        about: TaskInfo = {**stored.about, "questions": len(part)}
        all_records = stored.records
        stored = replace(stored, about=about, records=lambda: (one for one in all_records() if one["id"] in part))
    name = stored.task.name
    summary = stored.summarise(stored.records())
    summary["notes"] += folder.unasked[name].notes(stored.about, folder.path)
    related: RelatedFigures = {} if part is not None else compare_related(folder, name)
    return with_figures(summary, own_figures(stored.task, stored.known_records()), related)


def _over_budget(folder: RunFolder, summaries: Sequence[TaskSummary], budget: float) -> Iterator[str]:
    for one in summaries:
        if one["failed"] <= budget * one["n"]:
            continue
        first, again = "", "run the same command again to retry them"
        for record in folder.records(one["task"]):
            if "error" in record:
                first = f" (first: {record['id']}: {record['error']['message'].rstrip('.')})"
                if record["error"]["kind"] == "audio":
                    again = f"`dtbench data verify {one['task']}` lists such clips; once they are fixed, {again}"
                break
        what = f"{one['task']}: {one['failed']} of {one['n']} answers failed{first}"
        yield f"{what}, more than the {budget:.2%} of --max-failed: {again}."
