"""`dtbench run`: check the request, ask the questions, sum up the answers."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import DtbenchError, UserError
from dtbench.harness.core.model import Model, Notify, Preflighted, Startable, chain_tags
from dtbench.harness.core.task import Task, load_questions
from dtbench.harness.run.challenge import refuse_forbidden
from dtbench.harness.run.config import describe_request
from dtbench.harness.run.dispatch import DispatchSettings, choose_concurrency
from dtbench.harness.run.ending import RunResult, finish_run, folder_notes
from dtbench.harness.run.few_shot import check_example_clips, choose_examples, without_examples
from dtbench.harness.run.loop import TaskRun
from dtbench.harness.run.pace import Pace
from dtbench.harness.run.place import place_of
from dtbench.harness.run.plan import TaskPlan
from dtbench.harness.run.planned_words import planned_words, refuse_unknown_questions
from dtbench.harness.run.progress import ProgressDisplay
from dtbench.harness.run.prompt_words import prompt_form
from dtbench.harness.run.request import RunRequest
from dtbench.harness.run.same_questions import ResumeGuard
from dtbench.harness.run.selection import read_ids, refuse_unknown_ids, select_samples
from dtbench.harness.run.signals import Interrupts, no_signals, sigterm_as_interrupt, stop_on_signals
from dtbench.harness.run.spending import Spending, SpendingLimits
from dtbench.harness.run.worker_pool import Stop
from dtbench.harness.score.forced_choice import refuse_unbudgeted, refuse_unforced
from dtbench.harness.store.beginning import Resumption
from dtbench.harness.store.paraphrases import keep_paraphrases
from dtbench.harness.store.run_folder import RunFolder
from dtbench.models.backends import ModelUse, open_models
from dtbench.tasks import registry as task_registry
from dtbench.tasks.suites import expand_suites

_LOG = logging.getLogger(__name__)


def run_benchmarks(request: RunRequest, *, quiet: bool) -> RunResult:
    """Run benchmarks; resume if the folder already has answers."""
    refuse_several_runs(request)
    (outcome,) = run_many([request], quiet=quiet)
    return outcome


def run_many(requests: Sequence[RunRequest], *, quiet: bool) -> Iterator[RunResult]:
    """Run one model several times on the same questions, loaded once; stop after a run that does not end well."""
    jobs = open_jobs(requests)
    with sigterm_as_interrupt(), asyncio.Runner() as runner:
        try:
            for job in jobs:
                with begin_run(job, quiet=quiet) as begun:
                    with redirect_stdout(sys.stderr):  # of the code of models; stdout is for what the command prints
                        runner.run(begun.ask(stop_on_signals))
                    outcome = begun.finish()
                yield outcome
                if outcome.exit_code:
                    return
        finally:
            # Let a stop that an interrupt left scheduled take place, or it would stop what runs next.
            runner.get_loop().call_soon(runner.get_loop().stop)
            runner.get_loop().run_forever()
            with redirect_stdout(sys.stderr):
                runner.run(close_models(jobs[0].models))


async def run_in_loop(request: RunRequest, *, quiet: bool) -> RunResult:
    """Run benchmarks in the running loop, without signal handlers; a cancelled run is interrupted."""
    refuse_several_runs(request)
    opening = asyncio.ensure_future(asyncio.to_thread(open_jobs, [request]))
    try:
        (job,) = await asyncio.shield(opening)
    except asyncio.CancelledError:
        await close_models((await opening)[0].models)  # a thread cannot be cancelled
        raise
    try:
        with begin_run(job, quiet=quiet) as begun:
            await begun.ask(no_signals)
            return begun.finish()
    finally:
        await close_models(job.models)


def refuse_several_runs(request: RunRequest) -> None:
    """Refuse a request that is several runs."""
    if request.permute in {"all", "cyclic"}:
        raise UserError(
            f"--permute {request.permute}: these are several runs, which `dtbench run` makes: give a number."
        )
    if (words := planned_words(request)) is not None and request.wording is None and words.by_id is not None:
        assert words.file is not None
        if words.file.most > 1:
            raise UserError(
                f"--paraphrase {request.paraphrase}: it has several paraphrases of a question, which are several runs; "
                f"--wording 1 to {words.file.most} names one."
            )
    if len(request.think_budget) > 1:
        raise UserError("--think-budget: one run has one budget; several are several runs: see RunRequest.by_budget().")


async def close_models(models: Iterable[Model], notify: Notify = _LOG.warning) -> None:
    """Close each model once; what fails is told, as the answers are stored."""
    for model in dict.fromkeys(models):
        try:
            await model.aclose()
        except DtbenchError as error:
            notify(f"{error} Every answer is stored.")


def use_of(plan: TaskPlan) -> ModelUse:
    """Return what a model is opened for."""
    form = plan.form
    return ModelUse(
        plan.every_wording(), plan.task.prescribed, form.answer, form.think_budget is not None, plan.most_clips
    )


def plans_for_models(plans: Sequence[TaskPlan], models: Sequence[Model]) -> Sequence[TaskPlan]:
    """Return the plans with what their models bring of their own, such as a system prompt."""
    return [plan.with_model(model) for plan, model in zip(plans, models, strict=True)]


class RunJob(NamedTuple):
    """A run whose models are open."""

    request: RunRequest
    plans: Sequence[TaskPlan]
    models: Sequence[Model]
    """One for each plan."""
    last: bool
    """Whether no other run needs these models."""


def open_jobs(requests: Sequence[RunRequest]) -> Sequence[RunJob]:
    """Plan runs on the same questions, and open the models that all of them share."""
    first = requests[0]
    loaded = load_tasks(first)
    planned = [make_plans(request, loaded) for request in requests]
    uses = [use_of(plan) for plan in planned[0]]
    if first.model_object is not None:
        models: Sequence[Model] = [first.model_object] * len(uses)
    else:
        models = open_models(first.model, first.options, uses, first.backend)
    by_task = {plan.task.name: model for plan, model in zip(planned[0], models, strict=True)}
    jobs = []
    for request, plans in zip(requests, planned, strict=True):
        own = [by_task[plan.task.name] for plan in plans]
        jobs.append(RunJob(request, plans_for_models(plans, own), own, request is requests[-1]))
    return jobs


@dataclass(frozen=True, slots=True)
class BegunRun:
    """A run whose folder is open for writing."""

    job: RunJob
    folder: RunFolder
    progress: ProgressDisplay
    dispatch: DispatchSettings
    spending: Spending
    stop: Stop

    async def ask(self, interrupts: Interrupts) -> None:
        """Ask the tasks one after the other, until a stop is requested."""
        plans, models = self.job.plans, self.job.models
        tried = set[int]()
        with interrupts(self.stop, self.progress.notify):
            for place, (plan, model) in enumerate(zip(plans, models, strict=True)):
                if not await self._ask_task(plan, model, tried):
                    return
                if self.job.last and model not in models[place + 1 :]:  # both may not fit on one GPU
                    await close_models([model], self.progress.notify)

    def finish(self) -> RunResult:
        """Write the summary and the status."""
        return finish_run(self.job.plans, self.folder, self.job.request.max_failed, self.spending)

    async def _ask_task(self, plan: TaskPlan, model: Model, tried: set[int]) -> bool:
        """Ask what has no answer; return False where that ends early."""
        stop, notify, name = self.stop, self.progress.notify, plan.task.name
        run = TaskRun(plan, model, self.folder, self.dispatch, pace=self.progress.pace, spending=self.spending)
        if run.progress.done < plan.expected:
            if stop.requested:  # what may be spent is spent
                return False
            self.folder.drop_summary()
            if isinstance(model, Startable) and not await _start_model(model, stop, notify):
                return False
            if isinstance(model, Preflighted) and id(model) not in tried:
                tried.add(id(model))
                if not await _preflight(model, run, self.folder, stop, notify):
                    return False
        _LOG.info("%s: %d of %d answers are there", name, run.progress.done, plan.expected)
        self.progress.begin(plan, run.progress, torn=self.folder.torn[name])
        await run.run(stop, self.progress.show)
        self.progress.end(run.progress)
        return not stop.requested


@contextmanager
def begin_run(job: RunJob, *, quiet: bool) -> Iterator[BegunRun]:
    """Make the folder of a run, or go on with the one that is there; at the end of the block it is closed."""
    request, plans, models, _ = job
    settings = run_settings(request, plans, models)
    stop, concurrency = Stop(), choose_concurrency(request.concurrency, models)
    spending = Spending.of_models(limits_of(request), models, stop)
    settings["endpoint"]["concurrency"] = concurrency
    if spending.price is not None:
        settings["endpoint"]["price"] = spending.price.as_json()
    place = place_of(request, [plan.task.name for plan in plans], settings["model"])
    words = plans[0].form.words
    start = partial(RunFolder.start, place.path, settings, request=describe_request(request), shard=request.part)
    guard = ResumeGuard(plans)
    with start(resumption=Resumption(place.why, guard)) as folder, ProgressDisplay(quiet=quiet) as progress:
        if words is not None and words.file is not None:
            keep_paraphrases(place.path, words.file)
        if place.why:
            progress.notify(f"the run goes to {place.path}, {place.why}")
        for note in folder_notes(folder):
            progress.notify(note)
        dispatch = DispatchSettings(concurrency, request.long_clips, request.max_failed)
        progress.pace = Pace(concurrency, request.rpm, stop=stop, notify=progress.notify)
        progress.spending = spending
        spending.add_stored(folder)
        if guard.run is not None and folder.shard is None:
            folder.reuse(guard.run)
        yield BegunRun(job, folder, progress, dispatch, spending, stop)


def limits_of(request: RunRequest) -> SpendingLimits:
    """Return what a run may use in all."""
    return SpendingLimits(request.max_cost, request.max_tokens_in_all)


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


class LoadedTasks(NamedTuple):
    """Tasks and their questions, all of them."""

    tasks: Sequence[Task]
    data: Sequence[Dataset]


def load_tasks(request: RunRequest) -> LoadedTasks:
    """Load the questions of each task of a request."""
    tasks = _get_tasks(request)
    return LoadedTasks(tasks, [load_questions(task, request.data_dir) for task in tasks])


def make_plans(request: RunRequest, loaded: LoadedTasks | None = None) -> Sequence[TaskPlan]:
    """Plan each task; refuse what cannot be asked."""
    tasks, data = loaded or load_tasks(request)
    ids = read_ids(request.ids) if request.ids is not None else None
    if ids is not None:
        refuse_unknown_ids(ids, {task.name: one for task, one in zip(tasks, data, strict=True)})
    examples = [choose_examples(task, request.data_dir, request.num_fewshot) for task in tasks]
    asked = [without_examples(one, shown) for one, shown in zip(data, examples, strict=True)]
    form = prompt_form(request, _parts_of(data))
    if form.words is not None:
        refuse_unknown_questions(form.words, [set(one.ids) for one in data], [task.name for task in tasks])
    chosen = [*(["--ids"] if ids is not None else []), *([f"--limit {request.limit}"] if request.limit else [])]
    plans = [
        TaskPlan(
            task,
            form.select(select_samples(one.data, request.limit, ids)),
            request.samples,
            form,
            request.min_evidence,
            request.part,
            chosen,
            shown,
            one.left_out,
        )
        for task, one, shown in zip(tasks, asked, examples, strict=True)
    ]
    if form.asks_some:
        plans = [plan for plan in plans if plan.data.samples] or plans[:1]
    for plan in plans:
        plan.check()
    return plans


def _parts_of(data: Sequence[Dataset]) -> set[str]:
    """Return what questions have, of what a prompt has to say the place of: some are in their clips, or open."""
    have = (("question", any(one.has_words for one in data)), ("options", any(one.has_options for one in data)))
    return {name for name, there in have if there}


def _get_tasks(request: RunRequest) -> Sequence[Task]:
    given = {task.name: task for task in request.task_objects}
    own = [] if request.task_file is None else [task_registry.task_from_file(request.task_file)]
    others = expand_suites(name for name in request.tasks if name not in {task.name for task in own})
    tasks = own + [given[name] if name in given else task_registry.get_task(name) for name in others]
    for task in tasks:
        if (task.in_memory or task.defined_in) and task.name in task_registry.TASKS:
            raise UserError(f"{task.name}: this is the name of a benchmark of dtbench; give your task another.")
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
    for plan, model in zip(plans, models, strict=True):
        if model.listens:
            check_example_clips(plan.examples)
    settings = _settings(request, plans, models)
    if request.track is not None:
        own = [plan.task.name for plan in plans if request.task_file is not None or plan.task.definition is not None]
        refuse_forbidden(request.track, settings, next((name for name in own if name not in task_registry.TASKS), None))
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


def _task_file(request: RunRequest, task: Task) -> dict[str, Any]:
    """Return the file that defines a task of the user's own, for scoring the run again, or that there is none."""
    file = request.task_file
    if task.in_memory:
        return {"in_memory": True}
    kept = {} if task.definition is None or task.name in task_registry.TASKS else {"definition": task.definition}
    if task.defined_in is not None:
        return {"task_file": str(task.defined_in.resolve()), **kept}
    if kept:
        return kept
    return {} if file is None or not task_registry.is_from_file(task, file) else {"task_file": str(file.resolve())}
