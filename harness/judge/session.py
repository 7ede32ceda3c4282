"""Judge the answers of a run, or made ones with known marks, with a model behind an endpoint; resume if started."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import DtbenchError, UserError
from dtbench.harness.core.model import Model, Preflighted
from dtbench.harness.judge.calls import JudgeRun
from dtbench.harness.judge.known_marks import compare_with_known
from dtbench.harness.judge.plan import JudgeOptions, JudgePlan
from dtbench.harness.judge.rubric import RUBRIC
from dtbench.harness.judge.same_chains import refuse_changed_chains
from dtbench.harness.judge.scorer import CaseChoice, CaseT, JudgeScorer, JudgeSummaryParts, KnownCase
from dtbench.harness.judge.scorers import find_judge_scorer
from dtbench.harness.judge.summary import spending_of
from dtbench.harness.run.live_line import LiveLine
from dtbench.harness.run.pace import Pace
from dtbench.harness.run.signals import Interrupts, no_signals, sigterm_as_interrupt, stop_on_signals
from dtbench.harness.run.spending import Spending, SpendingLimits
from dtbench.harness.run.worker_pool import Stop
from dtbench.harness.score.stored_run import StoredTask, find_data, questions_beside
from dtbench.harness.store.beginning import Resumption
from dtbench.harness.store.jsonl import key_of
from dtbench.harness.store.judged_types import AnswerSummary, CalibrationSummary, JudgeHead, JudgeRecord, JudgeSummary
from dtbench.harness.store.run_folder import RunFolder, StoredRun
from dtbench.harness.store.types import Status
from dtbench.harness.store.verdicts import counting_judges
from dtbench.tasks.stored import RescoreOptions, rewrite_run, stored_task, stored_task_name

CALIBRATION_QUESTIONS = 20
AnyJudgeSummary = JudgeSummary | AnswerSummary | CalibrationSummary
EXIT_CODES: Mapping[str, int] = {"done": 0, "failed": 3, "interrupted": 130}


@dataclass(frozen=True, slots=True)
class JudgeResult:
    """How judging ended."""

    folder: Path
    status: Status
    summary: AnyJudgeSummary
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
    return RunFolder.start(job.folder, _settings(job), resumption=resumption)


def _finish(job: _JudgeJob, folder: RunFolder, stopped: str) -> JudgeResult:
    """Write the summary and the status; `stopped` says why it ended early, where that was not the user's wish."""
    task, plan, options, known = job.stored.task, job.plan, job.options, job.calibration
    every = list(folder.records_as(task.name, JudgeRecord))
    wanted = plan.wanted()
    records = [record for record in every if key_of(record) in wanted]
    if known is None:
        figures, without, count = plan.scorer.summarise(task, plan.cases, plan.calls, records)
    else:
        calibrated = compare_with_known(plan.scorer.kinds, known, records)
        figures, without, count = JudgeSummaryParts(calibrated, calibrated["unread"], calibrated["chains"])
    status: Status = "failed" if without > options.max_unscored * count else "done"
    status = "interrupted" if len(wanted) > len(records) else status
    spent = spending_of(folder.every_record_as(task.name, JudgeRecord))
    where = {"run": str(options.run), "judge": str(job.folder), "status": status}
    head = cast("JudgeHead", {**where, **spent})
    if options.price is not None:
        head["price"] = options.price.of_usage(spent["tokens"])
    others = len(every) - len(records)
    unasked = [_unasked_note(others, options, job.folder)] if others else []
    if notes := [*unasked, *_notes(job), *filter(None, [stopped])]:
        head["notes"] = notes
    summary = cast("AnyJudgeSummary", {**head, **figures})
    folder.write_summary(summary)
    folder.finish(status)
    if note := _update_run(job):
        head["notes"] = [*head.get("notes", ()), note]
        summary = cast("AnyJudgeSummary", {**head, **figures})
        folder.write_summary(summary)
    return JudgeResult(job.folder, status, summary, EXIT_CODES[status])


def estimate_judge(options: JudgeOptions) -> Mapping[str, Any]:
    """Estimate the calls and tokens that are still missing; nothing is asked or written."""
    job = _prepare(options)
    started = (job.folder / "run.json").exists()
    done = StoredRun.open(job.folder, "judge").finished(job.stored.task.name) if started else ()
    return job.plan.estimate(job.plan.missing(done), options.price)


def _notes(job: _JudgeJob) -> Iterator[str]:
    """Say what of this judge is not as the benchmark has it: another model, or another judge whose marks count."""
    own, name = job.plan.scorer.model, job.judge.describe()["model"]
    if own and own.rpartition("/")[2].casefold() not in str(name).casefold():
        yield f"the authors' judge is {own}, this one is {name}: scores by different judges cannot be compared"
    if job.calibration is None and (counting := counting_judges(job.stored.folder, job.stored.task.name)):
        judge = counting.get(job.plan.scorer.name)
        if judge is not None and judge.folder.resolve() != job.folder.resolve():
            yield (
                f"the marks of {judge.folder} count, which began first: move that folder out of the run to use these"
            )


def _update_run(job: _JudgeJob) -> str:
    """Sum up the run with the marks that it waited for; say why where that cannot be done now."""
    scorer, run, task = job.plan.scorer, job.stored.folder, job.stored.task.name
    judge = counting_judges(run, task).get(scorer.name)
    if job.calibration is not None or not scorer.awaited or (judge and judge.folder.resolve() != job.folder.resolve()):
        return ""
    if judge is None:
        return (
            f"marks outside of the run do not count in its scores: leave --out out for that, or name {run}/judge-NAME"
        )
    options = job.options
    wanted = RescoreOptions(only=task, task_file=options.task_file, data_dir=options.data_dir)
    try:
        rewrite_run(run, wanted)
    except DtbenchError as error:
        return f"the run's own summary lacks these marks yet ({error}): `dtbench score {run} --write` adds them"
    return ""


def _unasked_note(count: int, options: JudgeOptions, folder: Path) -> str:
    how = "" if options.limit is None else "; judge without --limit to count those of its other answers"
    return f"{count} more calls of this judge lie in {folder}{how}"


class _JudgeJob(NamedTuple):
    stored: StoredTask
    judge: Model
    plan: JudgePlan[Any]
    calibration: Sequence[KnownCase[Any]] | None
    """Cases whose marks are known; None where the run's own are judged."""
    folder: Path
    options: JudgeOptions

    def spending(self, stop: Stop) -> Spending:
        """Return what judging may cost; a UserError for a limit of money where no price is known."""
        options = self.options
        limits = SpendingLimits(options.max_cost, options.max_tokens_in_all)
        if options.price is not None:
            return Spending(limits, options.price, stop)
        return Spending.of_models(limits, [self.judge], stop)


def _prepare(options: JudgeOptions) -> _JudgeJob:
    run = StoredRun.open(options.run)
    stored = stored_task(run, stored_task_name(run, options.task), options.task_file)
    data = _data(stored, options)
    scorer = find_judge_scorer(stored.task, data, options.scorer, options.wording)
    plan = _plan(scorer, stored, data, options)
    judge = scorer.connect(options.base_url, options.model, options.options)
    known = scorer.known(plan.cases) if options.calibrate else None
    if known is not None:
        plan = dataclasses.replace(plan, cases=[one.case for one in known], calls=1)
    folder = options.out or run.path / _folder_name(judge, scorer, options)
    return _JudgeJob(stored, judge, plan, known, folder, options)


def _folder_name(judge: Model, scorer: JudgeScorer[Any], options: JudgeOptions) -> str:
    """Name the folder of the verdicts by the model, and by what it judges where that is no rubric."""
    slug = _plain(str(judge.describe()["model"]))[:80] or "model"
    what = "" if scorer.name == RUBRIC else f"-{_plain(scorer.name)}"
    return f"judge-{slug}{what}{'-calibration' * options.calibrate}"


def _plain(name: str) -> str:
    return re.sub(r"[^\w.+-]+", "-", name).strip("-.")


def describe_estimate(estimate: Mapping[str, Any]) -> str:
    """Return the tokens and the price of an estimate as part of a line."""
    tokens = f"about {estimate['prompt_tokens']:,} input and {estimate['completion_tokens']:,} output tokens"
    return tokens + (f", about {estimate['price']:,.2f} at the prices given" if "price" in estimate else "")


def _data(stored: StoredTask, options: JudgeOptions) -> Dataset:
    data = find_data(stored, options.data_dir)
    if data is None:
        version = stored.about["data"]["version"]
        raise UserError(
            f"the questions of {stored.task.name} ({version}) were not found, and {questions_beside(stored).lacking}: "
            f"name the folder of the data with --data-dir."
        )
    return data


def _plan(scorer: JudgeScorer[CaseT], stored: StoredTask, data: Dataset, options: JudgeOptions) -> JudgePlan[CaseT]:
    cases = scorer.cases(stored, data, CaseChoice(options.limit, options.sample))
    if options.calibrate and options.limit is None:
        cases = cases[:CALIBRATION_QUESTIONS]
    return JudgePlan(scorer, cases, options.calls or scorer.calls, options.seed)


def _settings(job: _JudgeJob) -> dict[str, Any]:
    plan, stored, about = job.plan, job.stored, dict(job.judge.describe())
    where = {name: about.pop(name) for name in ("urls", "version") if name in about}
    scorer = plan.scorer
    named = {} if scorer.name == RUBRIC else {"scorer": scorer.name, "rule": dict(scorer.rule or {})}
    return {
        "kind": "judge",
        "judge": about,
        "endpoint": where,
        **named,
        **({"calibration": True} if job.calibration is not None else {}),
        "prompt": scorer.wording.whole,
        "prompt_hash": scorer.wording.hash,
        "calls": plan.calls,
        "judge_seed": plan.seed,
        "tasks": {
            stored.task.name: {
                "chains": plan.fingerprint(),
                "questions": len(plan.cases),
                "data": stored.about["data"],
                **({} if scorer.every_repeat else {"sample": job.options.sample}),
            }
        },
    }


async def _ask(job: _JudgeJob, folder: RunFolder, live: LiveLine, interrupts: Interrupts) -> str:
    """Make the calls, and return why that ended before all were made, where it was not the user who stopped it."""
    stop, model, plan, task, options = Stop(), job.judge, job.plan, job.stored.task.name, job.options
    spending = job.spending(stop)
    spending.add_stored(folder, JudgeRecord)
    pace = Pace(options.concurrency, options.rpm, stop=stop, notify=live.notify)
    run = JudgeRun(plan, task, model, folder, pace=pace, spending=spending)
    folder.plan({task: len({*plan.wanted(), *folder.finished(task)})})
    if run.missing:
        folder.drop_summary()
        live.notify(f"judge: {len(run.missing)} calls, {describe_estimate(plan.estimate(run.missing, options.price))}")
    try:
        with interrupts(stop, live.notify), live.showing("judge", run.state):
            if run.missing and isinstance(model, Preflighted):
                folder.note_preflight(await model.preflight(plan.prompt(*run.missing[0], 0), live.notify))
            await run.run(stop, options.concurrency, lambda progress: live.refresh())
    finally:
        await model.aclose()
    return spending.last_words()
