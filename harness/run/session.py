"""`dtbench run`: check the request, ask the questions, sum up the answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Coroutine, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.model import Model, Notify, Preflighted, Startable, chain_tags
from dtbench.harness.core.price import SpentFigures
from dtbench.harness.core.task import Task, load_questions
from dtbench.harness.run.challenge import refuse_forbidden
from dtbench.harness.run.config import describe_request
from dtbench.harness.run.dispatch import DispatchSettings, choose_concurrency
from dtbench.harness.run.loop import TaskRun
from dtbench.harness.run.pace import Pace
from dtbench.harness.run.place import place_of
from dtbench.harness.run.plan import (
    TaskPlan,
    read_ids,
    refuse_unknown_ids,
    select_samples,
)
from dtbench.harness.run.progress import ProgressDisplay
from dtbench.harness.run.prompt_words import prompt_form
from dtbench.harness.run.request import RunRequest
from dtbench.harness.run.same_questions import refuse_changed_questions
from dtbench.harness.run.signals import sigterm_as_interrupt, stop_on_signals
from dtbench.harness.run.spending import Spending, SpendingLimits
from dtbench.harness.run.worker_pool import Stop
from dtbench.harness.score.ablations import compare_related
from dtbench.harness.score.forced_choice import refuse_unbudgeted, refuse_unforced
from dtbench.harness.score.stored_run import StoredTask
from dtbench.harness.score.summary import with_figures
from dtbench.harness.store.beginning import Resumption
from dtbench.harness.store.growth import other_task_notes
from dtbench.harness.store.provenance import version_notes
from dtbench.harness.store.run_folder import RunFolder
from dtbench.harness.store.run_json import read_info
from dtbench.harness.store.shard_states import ShardState, questions_hash, shard_states, with_shards
from dtbench.harness.store.shards import Shard
from dtbench.harness.store.summary_types import RelatedFigures, Summary, TaskSummary
from dtbench.harness.store.types import Status, TaskInfo
from dtbench.models.backends import ModelUse, open_models
from dtbench.models.checkpoints import families
from dtbench.tasks import registry as task_registry

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


def run(request: RunRequest, *, quiet: bool) -> RunResult:
    """Run benchmarks; resume if the folder already has answers."""
    if len(request.think_budget) > 1:
        raise UserError("--think-budget: one run has one budget; several are several runs: see RunRequest.by_budget().")
    (outcome,) = run_many([request], quiet=quiet)
    return outcome


def run_many(requests: Sequence[RunRequest], *, quiet: bool) -> Iterator[RunResult]:
    """Run one model several times on the same questions, loaded once; stop after a run that does not end well."""
    planned = [make_plans(request) for request in requests]
    first = requests[0]
    uses = [use_of(plan) for plan in planned[0]]
    models = open_models(first.model, first.options, uses, first.backend)
    with sigterm_as_interrupt(), asyncio.Runner() as runner:
        try:
            for request, blank in zip(requests, planned, strict=True):
                plans = plans_for_models(blank, models)
                job = _Job(plans, models, last=request is requests[-1])
                outcome = _run_one(request, job, runner, quiet=quiet)
                yield outcome
                if outcome.exit_code:
                    return
        finally:
            # Let a stop that an interrupt left scheduled take place, or it would stop what runs next.
            runner.get_loop().call_soon(runner.get_loop().stop)
            runner.get_loop().run_forever()
            for model in dict.fromkeys(models):
                runner.run(model.aclose())


def use_of(plan: TaskPlan) -> ModelUse:
    """Return what a model is opened for."""
    form = plan.form
    return ModelUse(plan.data.whole.samples, plan.task.prescribed, form.answer, form.think_budget is not None)


def plans_for_models(plans: Sequence[TaskPlan], models: Sequence[Model]) -> Sequence[TaskPlan]:
    """Return the plans with what their models bring of their own, such as a system prompt."""
    return [plan.with_model(model) for plan, model in zip(plans, models, strict=True)]


class _Job(NamedTuple):
    plans: Sequence[TaskPlan]
    models: Sequence[Model]
    """One for each plan."""
    last: bool
    """Whether no other run needs these models."""


def _run_one(request: RunRequest, job: _Job, runner: asyncio.Runner, *, quiet: bool) -> RunResult:
    plans, models, _ = job
    settings = run_settings(request, plans, models)
    stop, concurrency = Stop(), choose_concurrency(request.concurrency, models)
    spending = Spending.of_models(limits_of(request), models, stop)
    settings["endpoint"]["concurrency"] = concurrency
    if spending.price is not None:
        settings["endpoint"]["price"] = spending.price.as_json()
    place = place_of(request, [plan.task.name for plan in plans], settings["model"])
    start = partial(RunFolder.start, place.path, settings, request=describe_request(request), shard=request.part)
    guard = partial(refuse_changed_questions, plans=plans)
    with start(resumption=Resumption(place.why, guard)) as folder, ProgressDisplay(quiet=quiet) as progress:
        if place.why:
            progress.notify(f"the run goes to {place.path}, {place.why}")
        for note in _version_notes(folder):
            progress.notify(note)
        dispatch = DispatchSettings(concurrency, request.long_clips, request.max_failed)
        progress.pace = Pace(concurrency, request.rpm, stop=stop, notify=progress.notify)
        progress.spending = spending
        spending.add_stored(folder)
        runner.run(_ask_all(job, folder, dispatch, progress, stop))
        return _finish(plans, folder, request.max_failed, spending)


def limits_of(request: RunRequest) -> SpendingLimits:
    """Return what a run may use in all."""
    return SpendingLimits(request.max_cost, request.max_tokens_in_all)


async def _ask_all(
    job: _Job, folder: RunFolder, settings: DispatchSettings, progress: ProgressDisplay, stop: Stop
) -> None:
    """Ask the tasks one after the other, until a stop is requested."""
    plans, models, last = job
    tried = set[int]()
    with stop_on_signals(stop, progress.notify):
        for place, (plan, model) in enumerate(zip(plans, models, strict=True)):
            run = TaskRun(plan, model, folder, settings, pace=progress.pace, spending=progress.spending)
            if run.progress.done < plan.expected:
                if stop.requested:  # what may be spent is spent
                    return
                folder.drop_summary()
                if isinstance(model, Startable) and not await _start_model(model, stop, progress.notify):
                    return
                if isinstance(model, Preflighted) and id(model) not in tried:
                    tried.add(id(model))
                    if not await _preflight(model, run, folder, stop, progress.notify):
                        return
            _LOG.info("%s: %d of %d answers are there", plan.task.name, run.progress.done, plan.expected)
            progress.begin(plan, run.progress, torn=folder.torn[plan.task.name])
            await run.run(stop, progress.show)
            progress.end(run.progress)
            if stop.requested:
                return
            if last and model not in models[place + 1 :]:  # before the next one is up: both may not fit on one GPU
                await model.aclose()


async def _start_model(model: Startable, stop: Stop, notify: Notify) -> bool:
    """Start a model; return False where the user stops meanwhile."""
    return await _unless_stopped(model.start(notify), stop)


async def _preflight(model: Preflighted, run: TaskRun, folder: RunFolder, stop: Stop, notify: Notify) -> bool:
    """Try a model with the first question, and keep what it finds; return False where the user stops meanwhile."""

    async def trial() -> None:
        prompt = await run.first_prompt()
        found = {} if prompt is None else await model.preflight(prompt, notify)
        if found:
            folder.note_preflight(found)

    return await _unless_stopped(trial(), stop)


async def _unless_stopped(work: Coroutine[Any, Any, None], stop: Stop) -> bool:
    """Await something that is done before the first question; return False where the user stops meanwhile."""
    task = asyncio.create_task(work)
    while not (await asyncio.wait({task}, timeout=0.2))[0]:
        if stop.requested:
            task.cancel()
            await asyncio.wait({task})
            return False
    task.result()
    return True


def _with_spending(outcome: RunResult, spending: Spending) -> RunResult:
    """Add to how a run ended what it used, and why it ended early where that was not the user's wish."""
    spent = spending.figures() if spending.counts else None
    stopped = spending.last_words() if outcome.status == "interrupted" else ""
    return replace(outcome, spent=spent, stopped=stopped, notes=[*outcome.notes, *([stopped] if stopped else [])])


def _finish(plans: Sequence[TaskPlan], folder: RunFolder, max_failed: float, spending: Spending) -> RunResult:
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
        *_version_notes(folder),
    ]
    if any(summary["missing"] for summary in summaries):
        return RunResult(folder.path, "interrupted", summaries, INTERRUPTED, beyond)
    if over := _over_budget(summaries, max_failed):
        return RunResult(folder.path, "failed", summaries, FAILED, [*beyond, *over])
    return RunResult(folder.path, "done", summaries, 0, beyond)


def _version_notes(folder: RunFolder) -> list[str]:
    """Say what the starts of a run differ in, those of all its shards together."""
    return version_notes(with_shards(folder.path, folder.info)["starts"])


def make_plans(request: RunRequest) -> Sequence[TaskPlan]:
    """Plan each task; refuse what cannot be asked."""
    tasks = _get_tasks(request)
    ids = read_ids(request.ids) if request.ids is not None else None
    data = [load_questions(task, request.data_dir) for task in tasks]
    if ids is not None:
        refuse_unknown_ids(ids, data)
    form = prompt_form(request)
    chosen = [*(["--ids"] if ids is not None else []), *([f"--limit {request.limit}"] if request.limit else [])]
    plans = [
        TaskPlan(
            task,
            select_samples(one, request.limit, ids),
            request.samples,
            form,
            request.min_evidence,
            request.part,
            chosen,
        )
        for task, one in zip(tasks, data, strict=True)
    ]
    for plan in plans:
        plan.check()
    return plans


def _get_tasks(request: RunRequest) -> Sequence[Task]:
    own = [] if request.task_file is None else [task_registry.task_from_file(request.task_file)]
    tasks = own + [task_registry.get_task(name) for name in request.tasks if name not in {task.name for task in own}]
    names = [task.name for task in tasks]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"--tasks {','.join(request.tasks)}: the task {name} is there twice; name it once.")
    return tasks


def run_settings(request: RunRequest, plans: Sequence[TaskPlan], models: Sequence[Model]) -> dict[str, Any]:
    """Return the settings of a run, as run.json has them; refuse what the models or the track do not allow."""
    if request.answer == "forced":
        refuse_unforced(request.model, models)
    if request.think_budget:
        refuse_unbudgeted(request.model, models)
    settings = _settings(request, plans, models)
    if request.track is not None:
        refuse_forbidden(request.track, settings, None if request.task_file is None else plans[0].task.name)
    return settings


def _settings(request: RunRequest, plans: Sequence[TaskPlan], models: Sequence[Model]) -> dict[str, Any]:
    each = [dict(model.describe()) for model in models]
    chains = [chain_tags(one) for one in each]
    for one in each:
        one.pop("chain", None)
    about = {name: value for name, value in each[0].items() if all(name in one and one[name] == value for one in each)}
    own = [{name: value for name, value in one.items() if name not in about} for one in each]
    where = {name: about.pop(name) for name in ("urls", "version", "machine") if name in about}
    return {
        "kind": "run",
        "model": about,
        "endpoint": {"spec": request.model, **where},
        "long_clips": request.long_clips,
        **({"track": request.track} if request.track is not None else {}),
        "tasks": {
            plan.task.name: {
                **plan.settings(),
                **({"chain": list(chain)} if chain else {}),
                **({"model": special} if special else {}),
                **_task_file(request, plan.task),
            }
            for plan, chain, special in zip(plans, chains, own, strict=True)
        },
    }


def _task_file(request: RunRequest, task: Task) -> dict[str, str]:
    """Return the file that defines a task of the user's own, for scoring the run again."""
    file = request.task_file
    if task.defined_in is not None:
        return {"task_file": str(task.defined_in.resolve())}
    return {} if file is None or not task_registry.is_from_file(task, file) else {"task_file": str(file.resolve())}


def _planned(plan: TaskPlan, folder: RunFolder) -> StoredTask:
    name = plan.task.name
    return StoredTask(plan.task, folder.info["tasks"][name], lambda: folder.records(name), plan.data)


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
    return with_figures(summary, stored.task.figures(stored.known_records()), related)


def _over_budget(summaries: Sequence[TaskSummary], budget: float) -> list[str]:
    return [
        f"{one['task']}: {one['failed']} of {one['n']} answers failed, more than the {budget:.2%} of --max-failed: "
        f"run the same command again to ask for them anew."
        for one in summaries
        if one["failed"] > budget * one["n"]
    ]
