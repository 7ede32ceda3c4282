"""One call of `dtbench judge`: a run's chains, or made ones, before a judge, from where it stands to the end."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.model import Model
from dtbench.harness.judge.ask import Going, Judging
from dtbench.harness.judge.calibrate import CalibrationChain, made_of, plan_for, trusted
from dtbench.harness.judge.plan import Case, JudgePlan, JudgeSettings, plan_of
from dtbench.harness.judge.price import Price, what_it_takes
from dtbench.harness.judge.summary import summarise, tokens_of
from dtbench.harness.run.loop import Stop
from dtbench.harness.run.pace import AdaptiveConcurrency
from dtbench.harness.run.signals import heeded, terminable
from dtbench.harness.score.stored_run import StoredTask, find_data
from dtbench.harness.store.run_folder import RunFolder, Status, StoredRun

SAY_EVERY = 10.0
CALIBRATION_QUESTIONS = 20
FAILED, INTERRUPTED = 3, 130


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeOptions:
    """What the user asked for."""

    how: JudgeSettings
    concurrency: int = 8
    data_dir: Path | None = None
    out: Path | None = None
    calibrate: bool = False
    price: Price | None = None
    max_unscored: float = 0.01
    """The share of questions that may stay without marks."""


@dataclass(frozen=True, slots=True)
class JudgeResult:
    """How it ended."""

    folder: Path
    status: Status
    summary: Mapping[str, Any]
    exit_code: int


def run_judge(
    run: StoredRun, stored: StoredTask, model: Model, wish: JudgeOptions, say: Callable[[str], None]
) -> JudgeResult:
    """Make every call that is missing, and sum up what the judge said."""
    made, asked, path = _prepared(run, stored, model, wish)
    task = stored.task.name
    with terminable(), RunFolder.start(path, _settings(model, asked, stored)) as folder:
        asyncio.run(_ask(asked, task, model, folder, wish, say))
        records = list(folder.records(task))
        summary = summarise(stored.task, asked, records) if made is None else trusted(made, records)
        status, code = _ended(summary, len(asked.missing([])) - len(records), wish)
        tokens = tokens_of(records)
        cost = _cost(wish.price, tokens.get("prompt_tokens", 0), tokens.get("completion_tokens", 0))
        told = {"run": str(run.path), "judge": str(path), "status": status, **summary, "tokens": tokens, **cost}
        folder.write_summary(told)
        folder.finish(status)
        return JudgeResult(path, status, told, code)


def foreseen(run: StoredRun, stored: StoredTask, model: Model, wish: JudgeOptions) -> Mapping[str, Any]:
    """What is left to ask and what that will take, about; nothing is asked or written."""
    _, asked, path = _prepared(run, stored, model, wish)
    done = StoredRun.open(path).finished(stored.task.name) if (path / "run.json").exists() else ()
    return _estimate(asked, asked.missing(done), wish)


class _Prepared(NamedTuple):
    made: Sequence[CalibrationChain] | None
    """Chains whose marks are known, where the judge is to be calibrated."""
    asked: JudgePlan
    path: Path


def _prepared(run: StoredRun, stored: StoredTask, model: Model, wish: JudgeOptions) -> _Prepared:
    if wish.concurrency < 1 or wish.how.calls < 1:
        raise UserError(f"--concurrency {wish.concurrency}, --calls {wish.how.calls}: numbers from 1 up are expected.")
    plan = _plan(stored, wish)
    made = made_of(plan) if wish.calibrate else None
    asked = plan if made is None else plan_for(made, plan)
    name = f"judge-{_slug(str(model.describe()['model']))}{'-calibration' * wish.calibrate}"
    return _Prepared(made, asked, wish.out or run.path / name)


def _estimate(plan: JudgePlan, missing: Sequence[tuple[Case, int]], wish: JudgeOptions) -> dict[str, float]:
    about = plan.estimate(missing)
    return {**about._asdict(), **_cost(wish.price, about.prompt_tokens, about.completion_tokens)}


def _cost(price: Price | None, read: int, written: int) -> dict[str, float]:
    return {} if price is None else {"price": price.of(read, written)}


def _plan(stored: StoredTask, wish: JudgeOptions) -> JudgePlan:
    data = find_data(stored, wish.data_dir)
    if data is None:
        told = stored.about.get("data", {}).get("version")
        raise UserError(f"the questions of {stored.task.name} ({told}) were not found: name them with --data-dir.")
    plan = plan_of(stored, data, wish.how)
    if wish.calibrate and wish.how.limit is None:
        return JudgePlan(plan.cases[:CALIBRATION_QUESTIONS], plan.how)
    return plan


def _settings(model: Model, plan: JudgePlan, stored: StoredTask) -> dict[str, Any]:
    about = dict(model.describe())
    where = {name: about.pop(name) for name in ("urls", "version") if name in about}
    how = plan.how
    return {
        "judge": about,
        "endpoint": where,
        "prompt": f"{how.wording.system or ''}\n---\n{how.wording.asked}",
        "prompt_hash": how.wording.hash,
        "calls": how.calls,
        "judge_seed": how.seed,
        "tasks": {
            stored.task.name: {
                "chains": plan.fingerprint(),
                "questions": len(plan.cases),
                "data": dict(stored.about.get("data", {})),
                "sample": how.sample,
            }
        },
    }


async def _ask(
    plan: JudgePlan, task: str, model: Model, folder: RunFolder, wish: JudgeOptions, say: Callable[[str], None]
) -> None:
    stop, pace = Stop(), AdaptiveConcurrency(wish.concurrency)
    judging = Judging(plan, task, model, folder, pace)
    missing = plan.missing(folder.finished(task))
    if missing:
        folder.drop_summary()
        say(f"judge: {len(missing)} calls, {what_it_takes(_estimate(plan, missing, wish))}")
    try:
        with heeded(stop, say):
            await judging.ask_all(stop, wish.concurrency, _telling(say, pace))
    finally:
        await model.aclose()


def _telling(say: Callable[[str], None], pace: AdaptiveConcurrency) -> Callable[[Going], None]:
    began = said = time.monotonic()

    def tell(going: Going) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said >= SAY_EVERY:
            said = now
            slowed = f", slowed {pace.refusals} times" if pace.refusals else ""
            rate = going.done / (now - began)
            say(f"judge: {going.done} of {going.expected} calls, {rate:.1f}/s, {going.failed} without verdict{slowed}")

    return tell


def _ended(summary: Mapping[str, Any], never_made: int, wish: JudgeOptions) -> tuple[Status, int]:
    if never_made:
        return "interrupted", INTERRUPTED
    without = summary.get("unscored", summary.get("unread", 0))
    count = summary.get("n", summary.get("chains", 0))
    return ("failed", FAILED) if without > wish.max_unscored * count else ("done", 0)


def _slug(name: str) -> str:
    return re.sub(r"[^\w.+-]+", "-", name).strip("-.")[:80] or "model"
