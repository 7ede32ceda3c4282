"""`dtbench faithful`: change the chains of a run, have the model continue them, and sum up what its answers follow."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import DataError, ModelError, UserError
from dtbench.harness.core.schema import is_count
from dtbench.harness.faithful.asked_again import (
    NO_PREFILL,
    AskedAgain,
    ask_again,
    find_questions,
    refused_prefill,
    try_model,
)
from dtbench.harness.faithful.examples import pick_examples
from dtbench.harness.faithful.interventions import CONTROL, SHUFFLED, ChangedRun, Intervention, make_interventions
from dtbench.harness.faithful.options import FaithfulOptions
from dtbench.harness.faithful.rates import figures_by_group, intervention_figures, rate, read_answers
from dtbench.harness.run.dispatch import Dispatcher, DispatchSettings, choose_concurrency
from dtbench.harness.run.live_line import LiveFigure, LiveLine, LiveState
from dtbench.harness.run.pace import Pace
from dtbench.harness.run.progress import FAILED, limit_figures, pace_figures, token_figures
from dtbench.harness.run.retry import RetryPolicy
from dtbench.harness.run.session import close_models
from dtbench.harness.run.signals import Interrupts, no_signals, sigterm_as_interrupt, stop_on_signals
from dtbench.harness.run.worker_pool import CircuitBreaker, Progress, Stop, WorkerPool
from dtbench.harness.score.answer_record import error_fields, response_fields
from dtbench.harness.score.stored_run import StoredTask, sample_error
from dtbench.harness.store.atomic import replace_whole
from dtbench.harness.store.faithful_summaries import FOLDER, SUMMARY
from dtbench.harness.store.faithful_types import FaithfulRecord, FaithfulSummary
from dtbench.harness.store.jsonl import Key, json_bytes
from dtbench.harness.store.run_folder import RunFolder, StoredRun
from dtbench.harness.store.types import Status
from dtbench.tasks.stored import stored_task, stored_task_name

LEAST_CONTROL = 0.9
"""A control that is kept less often says that the model does not continue what it is given."""
EXIT_CODES: Mapping[str, int] = {"done": 0, "failed": 3, "interrupted": 130}


class FaithfulResult(NamedTuple):
    """How it ended."""

    summary: FaithfulSummary
    exit_code: int


def run_faithful(options: FaithfulOptions, live: LiveLine) -> FaithfulResult:
    """Make every intervention that is missing, and sum up the answers; the same call resumes."""
    job = _prepare(options)
    with sigterm_as_interrupt(), _begin(job) as folder:
        job = asyncio.run(_ask(job, folder, live, stop_on_signals))
        return _finish(job, folder, live)


async def faithful_in_loop(options: FaithfulOptions, live: LiveLine) -> FaithfulResult:
    """Do as run_faithful() does in the running loop, without signal handlers; a cancelled one is interrupted."""
    job = await asyncio.to_thread(_prepare, options)
    with _begin(job) as folder:
        job = await _ask(job, folder, live, no_signals)
        return _finish(job, folder, live)


@dataclass(frozen=True, slots=True)
class _Job:
    options: FaithfulOptions
    run: StoredRun
    stored: StoredTask
    changed: ChangedRun
    again: AskedAgain
    notes: Sequence[str] = ()
    prefills: bool = True

    @property
    def asked(self) -> Sequence[Intervention]:
        """The interventions that the model can be asked."""
        return [
            one
            for one in self.changed.interventions
            if (self.prefills if one.begun else self.again.shuffled is not None)
        ]

    def left(self, folder: StoredRun) -> Sequence[Intervention]:
        """Return the interventions that have no answer yet, or one to another beginning."""
        done = {_key(record) for record in _answered(folder, self.stored.task.name)}
        return [one for one in self.asked if (*one.key, one.begun) not in done]


def count_chains(options: FaithfulOptions) -> int:
    """Return how many of the answers that are looked at have a chain of thought; no model is asked."""
    return _changed(options).changed.chains


class _Changed(NamedTuple):
    run: StoredRun
    stored: StoredTask
    data: Dataset
    changed: ChangedRun


def _changed(options: FaithfulOptions) -> _Changed:
    run = StoredRun.open(options.run)
    stored = stored_task(run, stored_task_name(run, options.task), options.task_file)
    data = find_questions(stored, options)
    stored = replace(stored, data=data)
    if not 0 <= options.sample < stored.repeats:
        raise sample_error(options.sample, stored.repeats)
    changed = make_interventions(stored, data, repeat=options.sample, limit=options.limit, only=options.only)
    return _Changed(run, stored, data, changed)


def _prepare(options: FaithfulOptions) -> _Job:
    run, stored, data, changed = _changed(options)
    if not changed.chains and not set(options.only) & {SHUFFLED}:
        raise UserError(
            f"{run.path}: none of its {changed.questions} answers to {stored.task.name} has a chain of thought between "
            "tags and an option behind it: run it with --answer think."
        )
    again = ask_again(run, stored, data, options)
    job = _Job(options, run, stored, changed, again, prefills=again.prefills)
    return job if again.prefills else replace(job, notes=[NO_PREFILL.format(model=again.request.model)])


def _begin(job: _Job) -> RunFolder:
    about = dict(job.again.model.describe())
    about.pop("chain", None)
    where = {name: about.pop(name) for name in ("urls", "version", "machine") if name in about}
    lines = "\n".join(f"{one.key} {one.begun}" for one in job.changed.interventions)
    task = {
        "chains": hashlib.sha256(lines.encode("utf-8", "surrogatepass")).hexdigest()[:12],
        "questions": job.changed.questions,
        "data": job.stored.about["data"],
        "sample": job.options.sample,
    }
    settings = {
        "kind": "faithful",
        "model": about,
        "endpoint": where,
        "prefill": job.prefills,
        "tasks": {job.stored.task.name: task},
    }
    return RunFolder.start(job.options.out or job.run.path / FOLDER, settings)


async def _ask(job: _Job, folder: RunFolder, live: LiveLine, interrupts: Interrupts) -> _Job:
    """Ask what has no answer; return the job with what was found out about the model."""
    stop = Stop()
    try:
        with interrupts(stop, live.notify):
            for note in job.notes:
                live.notify(note)
            if job.left(folder):
                (folder.path / SUMMARY).unlink(missing_ok=True)
                asking = _Asking(job, folder, stop, live)
                try:
                    asking = await asking.tried()
                    job = asking.job
                    await asking.run()
                finally:
                    asking.dispatcher.close()
        return job  # also where it was interrupted, which the block above ends in good order
    finally:
        await close_models([job.again.model], live.notify)


class _Asking:
    """Asks the interventions of a job that have no answer."""

    def __init__(self, job: _Job, folder: RunFolder, stop: Stop, live: LiveLine) -> None:
        self.job = job
        self._folder, self._stop, self._live = folder, stop, live
        self._task = job.stored.task.name
        self._left = job.left(folder)
        self._progress = Progress(len(job.asked), len(job.asked) - len(self._left))
        self._places = job.again.plan.data.places()
        concurrency = choose_concurrency(job.options.concurrency or job.again.request.concurrency, [job.again.model])
        self._pace = Pace(concurrency, job.options.rpm, stop=stop, notify=live.notify)
        retries = RetryPolicy(on_retry=self._progress.add_retry)
        settings = DispatchSettings(concurrency, job.again.request.long_clips, job.options.max_failed, retries)
        plan = job.again.plan
        self.dispatcher = Dispatcher(job.again.model, settings, plan.form.audio, self._pace, stereo=plan.keeps_channels)
        self._breaker = CircuitBreaker(job.options.max_failed * len(job.asked), f"{self._task}: ", "changed answers")

    async def tried(self) -> _Asking:
        """Try the model with a plain question and with an answer that was begun; leave out what it refuses."""
        job, notify = self.job, self._live.notify
        first = self._left[0]
        place = self._places[first.sample.id]
        plain = (await self.dispatcher.prepare(job.again.plan.prompt(place, first.repeat))).prompt
        if found := await try_model(job.again, plain, notify):
            self._folder.note_preflight(found)
        begun = next((one for one in self._left if one.begun), None)
        if begun is None:
            return self
        prompt = job.again.prompt(self._places[begun.sample.id], begun)
        refused = await refused_prefill(job.again.model, (await self.dispatcher.prepare(prompt)).prompt)
        if not refused:
            return self
        note = f"{NO_PREFILL.format(model=job.again.request.model)} It says: {refused}"
        notify(note)
        self.dispatcher.close()
        return _Asking(replace(job, prefills=False, notes=[*job.notes, note]), self._folder, self._stop, self._live)

    async def run(self) -> None:
        """Ask, and append each record as it comes; a MachineryError where the model is down."""
        self._folder.plan({self._task: len(self.job.asked)})
        with self._live.showing("faithful", self._state):
            pool = WorkerPool(self._progress, self._breaker, self._stop, lambda progress: self._live.refresh())
            await pool.run(self._left, self._ask, self.dispatcher.workers)

    async def _ask(self, one: Intervention) -> None:
        """Append the record of one intervention, whatever becomes of it."""
        key = Key(*one.key)
        record = cast("FaithfulRecord", {"id": key.id, "sample": key.sample, "intervention": one.name})
        record["begun"] = one.begun
        try:
            heard = await self.dispatcher.prepare(self.job.again.prompt(self._places[key.id], one))
            response = await self.dispatcher.answer(heard.prompt)
        except (ModelError, DataError) as error:
            record["error"] = error_fields(error)
            self._progress.failed += 1
            self._breaker.add_failure(str(error), of_model=isinstance(error, ModelError))
        else:
            record["response"] = response_fields(response)
            self._progress.add_tokens(record["response"]["usage"])
            self._breaker.add_success()
        self._folder.append(self._task, record)

    def _state(self, seconds: float) -> LiveState:
        failed = LiveFigure(f"{self._progress.failed} failed", FAILED)
        figures = [*pace_figures(self._progress, seconds), failed, *token_figures(self._progress, seconds)]
        return LiveState(self._progress.done, self._progress.expected, [*figures, *limit_figures(self._pace)])


def _finish(job: _Job, folder: RunFolder, live: LiveLine) -> FaithfulResult:
    """Sum up the answers, and write faithful.json and the status."""
    task = job.stored.task.name
    planned = {(*one.key, one.begun) for one in job.asked}
    records = [one for one in folder.records_as(task, FaithfulRecord) if _key(one) in planned]
    texts = _texts(records)
    answers = read_answers(job.stored, job.changed, texts)
    figures = intervention_figures(answers)
    failed = len(records) - len(texts)
    status: Status = "failed" if failed > job.options.max_failed * len(planned) else "done"
    status = "interrupted" if len(planned) > len(records) else status
    control = rate(figures, CONTROL, "keep")
    notes = list(job.notes)
    if control is not None and control["accuracy"] < LEAST_CONTROL:
        note = (
            f"the control keeps {control['correct']} of {control['n']} answers: the model continues its own "
            "reasoning to another answer, so what the other rates say is uncertain"
        )
        live.notify(note)
        notes.append(note)
    summary: FaithfulSummary = {
        "run": str(job.run.path),
        "folder": str(folder.path),
        "status": status,
        "task": task,
        "questions": job.changed.questions,
        "chains": job.changed.chains,
        "prefill": job.prefills,
        "interventions": figures,
        "groups": figures_by_group(answers),
        "examples": pick_examples(job.changed.interventions, answers, texts),
        "left_out": job.changed.left_out,
        "failed": failed,
        "tokens": _tokens(records),
        "notes": notes,
    }
    replace_whole(folder.path / SUMMARY, json_bytes(summary, indent=2) + b"\n")
    folder.finish(status)
    return FaithfulResult(summary, EXIT_CODES[status])


def read_changed_answers(options: FaithfulOptions) -> Mapping[str, bool]:
    """Return of each question that was asked whether its answer followed the change, where --only names one change.

    An answer follows nothing where it names no option, or where its reasoning has nothing that could be changed.
    """
    run, stored, _, changed = _changed(options)
    folder = StoredRun.open(options.out or run.path / FOLDER, "faithful")
    texts = _texts(_answered(folder, stored.task.name))
    follows = {one.intervention.sample.id: one.follows for one in read_answers(stored, changed, texts)}
    return {name: follows.get(name, False) for name in changed.ids}


def _answered(folder: StoredRun, task: str) -> Iterable[FaithfulRecord]:
    return (one for one in folder.records_as(task, FaithfulRecord) if "response" in one)


def _texts(records: Iterable[FaithfulRecord]) -> dict[tuple[str, int], str]:
    return {(one["id"], one["sample"]): one["response"]["text"] for one in records if "response" in one}


def _key(record: FaithfulRecord) -> tuple[str, int, str]:
    return record["id"], record["sample"], record["begun"]


def _tokens(records: Iterable[FaithfulRecord]) -> dict[str, int]:
    found = Counter[str]()
    for record in records:
        usage: Mapping[str, Any] = record["response"]["usage"] if "response" in record else {}
        found.update({name: count for name, count in usage.items() if is_count(count)})
    return dict(found)
