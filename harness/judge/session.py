"""Score a run's reasoning chains, or chains with known marks, against rubrics with an LLM judge; resume if started."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.model import Model, Preflighted
from dtbench.harness.core.typed_settings import read_options
from dtbench.harness.judge.calibrate import CalibrationChain, calibration_chains, compare_with_known
from dtbench.harness.judge.calls import JudgeRun
from dtbench.harness.judge.plan import JudgeOptions, JudgePlan, plan_of
from dtbench.harness.judge.same_chains import refuse_changed_chains
from dtbench.harness.judge.summary import spending_of, summarise_verdicts
from dtbench.harness.run.live_line import LiveLine
from dtbench.harness.run.pace import Pace
from dtbench.harness.run.signals import Interrupts, no_signals, sigterm_as_interrupt, stop_on_signals
from dtbench.harness.run.spending import Spending, SpendingLimits
from dtbench.harness.run.worker_pool import Stop
from dtbench.harness.score.stored_run import StoredTask, find_data, questions_beside
from dtbench.harness.store.beginning import Resumption
from dtbench.harness.store.run_folder import RunFolder, StoredRun
from dtbench.harness.store.summary_types import (
    CalibrationSummary,
    JudgeCalibration,
    JudgeFigures,
    JudgeHead,
    JudgeSummary,
)
from dtbench.harness.store.types import JudgeRecord, Status
from dtbench.models.endpoint.server import Server
from dtbench.models.endpoint.settings import EndpointSettings
from dtbench.tasks.stored import stored_task, stored_task_name

CALIBRATION_QUESTIONS = 20
EXIT_CODES: Mapping[str, int] = {"done": 0, "failed": 3, "interrupted": 130}


@dataclass(frozen=True, slots=True)
class JudgeResult:
    """How judging ended."""

    folder: Path
    status: Status
    summary: JudgeSummary | CalibrationSummary
    exit_code: int


def run_judge(options: JudgeOptions, live: LiveLine) -> JudgeResult:
    """Make every call that is missing, and sum up the verdicts."""
    job = _prepare(options)
    with sigterm_as_interrupt(), _begin(job) as folder:
        return _finish(job, folder, asyncio.run(_ask(job, folder, live, stop_on_signals)))


async def judge_in_loop(options: JudgeOptions, live: LiveLine) -> JudgeResult:
    """Do as run_judge() does in the running loop, without signal handlers; where it is cancelled, it is interrupted."""
    job = _prepare(options)
    with _begin(job) as folder:
        return _finish(job, folder, await _ask(job, folder, live, no_signals))


def _begin(job: _JudgeJob) -> RunFolder:
    job.spending(Stop())
    resumption = Resumption(guard=partial(refuse_changed_chains, task=job.stored.task.name, plan=job.plan))
    return RunFolder.start(job.folder, _settings(job.judge, job.plan, job.stored), resumption=resumption)


def _finish(job: _JudgeJob, folder: RunFolder, stopped: str) -> JudgeResult:
    """Write the summary and the status; `stopped` says why it ended early, where that was not the user's wish."""
    task, plan, options, known = job.stored.task, job.plan, job.options, job.calibration
    every = list(folder.records_as(task.name, JudgeRecord))
    wanted = {(case.id, call) for case, call in plan.missing([])}
    records = [record for record in every if (record["id"], record["sample"]) in wanted]
    figures: JudgeFigures | JudgeCalibration
    if known is None:
        figures = summarise_verdicts(task, plan, records)
        without, count = figures["unscored"], figures["n"]
    else:
        figures = compare_with_known(known, records)
        without, count = figures["unread"], figures["chains"]
    status: Status = "failed" if without > options.max_unscored * count else "done"
    status = "interrupted" if len(wanted) > len(records) else status
    spent = spending_of(folder.every_record_as(task.name, JudgeRecord))
    where = {"run": str(options.run), "judge": str(job.folder), "status": status}
    head = cast("JudgeHead", {**where, **spent})
    if options.price is not None:
        head["price"] = options.price.of_usage(spent["tokens"])
    others = len(every) - len(records)
    if notes := [*([_unasked_note(others, options, job.folder)] if others else []), *([stopped] if stopped else [])]:
        head["notes"] = notes
    summary = cast("JudgeSummary | CalibrationSummary", {**head, **figures})
    folder.write_summary(summary)
    folder.finish(status)
    return JudgeResult(job.folder, status, summary, EXIT_CODES[status])


def estimate_judge(options: JudgeOptions) -> Mapping[str, Any]:
    """Estimate the calls and tokens that are still missing; nothing is asked or written."""
    job = _prepare(options)
    started = (job.folder / "run.json").exists()
    done = StoredRun.open(job.folder, "judge").finished(job.stored.task.name) if started else ()
    return job.plan.estimate(job.plan.missing(done))


def _unasked_note(count: int, options: JudgeOptions, folder: Path) -> str:
    how = "" if options.limit is None else "; judge without --limit to count those of its other answers"
    return f"{count} more calls of this judge lie in {folder}{how}"


class _JudgeJob(NamedTuple):
    stored: StoredTask
    judge: Model
    plan: JudgePlan
    calibration: Sequence[CalibrationChain] | None
    """Chains whose marks are known; None where the run's own are judged."""
    folder: Path
    options: JudgeOptions

    def spending(self, stop: Stop) -> Spending:
        """Return what judging may cost; a UserError for a limit of money where no price is known."""
        options = self.plan.options
        limits = SpendingLimits(options.max_cost, options.max_tokens_in_all)
        if options.price is not None:
            return Spending(limits, options.price, stop)
        return Spending.of_models(limits, [self.judge], stop)


def _prepare(options: JudgeOptions) -> _JudgeJob:
    run = StoredRun.open(options.run)
    stored = stored_task(run, stored_task_name(run, options.task), options.task_file)
    defaults = {"temperature": 0.0, "model": options.model}
    settings = read_options(EndpointSettings, options.options, "a judge", defaults=defaults)
    judge = Server.connect(options.base_url, settings)
    plan = _plan(stored, options)
    known = calibration_chains(plan) if options.calibrate else None
    if known is not None:
        plan = JudgePlan([one.case for one in known], dataclasses.replace(plan.options, calls=1))
    slug = re.sub(r"[^\w.+-]+", "-", str(judge.describe()["model"])).strip("-.")[:80] or "model"
    name = f"judge-{slug}{'-calibration' * options.calibrate}"
    return _JudgeJob(stored, judge, plan, known, options.out or run.path / name, options)


def describe_estimate(estimate: Mapping[str, Any]) -> str:
    """Return the tokens and the price of an estimate as part of a line."""
    tokens = f"about {estimate['prompt_tokens']:,} input and {estimate['completion_tokens']:,} output tokens"
    return tokens + (f", about {estimate['price']:,.2f} at the prices given" if "price" in estimate else "")


def _plan(stored: StoredTask, options: JudgeOptions) -> JudgePlan:
    data = find_data(stored, options.data_dir)
    if data is None:
        version = stored.about["data"]["version"]
        raise UserError(
            f"the questions of {stored.task.name} ({version}) were not found, and {questions_beside(stored).lacking}: "
            f"name the folder of the data with --data-dir."
        )
    plan = plan_of(stored, data, options)
    if options.calibrate and options.limit is None:
        return JudgePlan(plan.cases[:CALIBRATION_QUESTIONS], options)
    return plan


def _settings(model: Model, plan: JudgePlan, stored: StoredTask) -> dict[str, Any]:
    about = dict(model.describe())
    where = {name: about.pop(name) for name in ("urls", "version") if name in about}
    options = plan.options
    return {
        "kind": "judge",
        "judge": about,
        "endpoint": where,
        "prompt": f"{options.wording.system or ''}\n---\n{options.wording.request}",
        "prompt_hash": options.wording.hash,
        "calls": options.calls,
        "judge_seed": options.seed,
        "tasks": {
            stored.task.name: {
                "chains": plan.fingerprint(),
                "questions": len(plan.cases),
                "data": stored.about["data"],
                "sample": options.sample,
            }
        },
    }


async def _ask(job: _JudgeJob, folder: RunFolder, live: LiveLine, interrupts: Interrupts) -> str:
    """Make the calls, and return why that ended before all were made, where it was not the user who stopped it."""
    stop, model, plan, task = Stop(), job.judge, job.plan, job.stored.task.name
    spending = job.spending(stop)
    spending.add_stored(folder, JudgeRecord)
    pace = Pace(plan.options.concurrency, plan.options.rpm, stop=stop, notify=live.notify)
    run = JudgeRun(plan, task, model, folder, pace=pace, spending=spending)
    folder.plan({task: len({*((case.id, call) for case, call in plan.missing([])), *folder.finished(task)})})
    if run.missing:
        folder.drop_summary()
        live.notify(f"judge: {len(run.missing)} calls, {describe_estimate(plan.estimate(run.missing))}")
    try:
        with interrupts(stop, live.notify), live.showing("judge", run.state):
            if run.missing and isinstance(model, Preflighted):
                folder.note_preflight(await model.preflight(plan.prompt(*run.missing[0], 0), live.notify))
            await run.run(stop, plan.options.concurrency, lambda progress: live.refresh())
    finally:
        await model.aclose()
    return spending.last_words()
