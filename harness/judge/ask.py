"""The judge's loop: calls out, verdicts in, each on disk before the next is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from dtbench.harness.core.errors import MachineryError, ModelError
from dtbench.harness.core.model import Model
from dtbench.harness.core.schema import Prompt, Response
from dtbench.harness.judge.plan import Case, JudgePlan
from dtbench.harness.judge.verdict import UnreadableError, read_verdict
from dtbench.harness.run.circuit_breaker import CircuitBreaker
from dtbench.harness.run.loop import Stop
from dtbench.harness.run.pace import AdaptiveConcurrency
from dtbench.harness.run.retry import Policy, ask
from dtbench.harness.run.task_group import task_group
from dtbench.harness.store.run_folder import RunFolder

ATTEMPTS = 3
"""How often a verdict that cannot be read is asked for."""
UNREADABLE = "unreadable"
Record = dict[str, Any]


@dataclass(slots=True)
class Going:
    """How far it is."""

    expected: int
    done: int = 0
    failed: int = 0


class Judging:
    """All calls that are missing, to the last."""

    def __init__(self, plan: JudgePlan, task: str, model: Model, folder: RunFolder, pace: AdaptiveConcurrency) -> None:
        self.pace = pace
        self._plan = plan
        self._task = task
        self._folder = folder
        self._model = Paced(model, pace)
        self._missing = plan.missing(folder.finished(task))
        self.going = Going(len(self._missing))
        self._patience = CircuitBreaker(allowed=0.01 * len(self._missing))
        self._policy = Policy()

    async def ask_all(self, stop: Stop, workers: int, report: Callable[[Going], None]) -> None:
        """Make every call; a MachineryError where the judge is down."""
        calls = iter(self._missing)
        async with task_group() as group:
            for _ in range(min(workers, len(self._missing))):
                group.create_task(self._work(calls, stop, report))

    async def _work(self, calls: Iterator[tuple[Case, int]], stop: Stop, report: Callable[[Going], None]) -> None:
        for case, call in calls:
            if stop.wanted:
                return
            record = await self._verdict(case, call)
            self._folder.append(self._task, record)
            self.going.done += 1
            self.going.failed += "error" in record
            report(self.going)
            if self._patience.is_over:
                raise MachineryError(
                    f"the last {self._patience.in_a_row} calls to the judge all failed, it stops here. The last one: "
                    f"{self._patience.last.rstrip('.')}. Run the same command again once that is mended."
                )

    async def _verdict(self, case: Case, call: int) -> Record:
        """The record of one call, whatever becomes of it."""
        record: Record = {"id": case.id, "sample": call}
        told = ""
        for attempt in range(ATTEMPTS):
            try:
                response = await ask(self._model, self._plan.prompt(case, call, attempt), self._policy)
            except ModelError as error:
                self._patience.failure(str(error), of_model=True)
                return record | {"error": {"kind": "model", "message": str(error), "attempts": error.attempts}}
            self._patience.answer()
            record["response"] = _stored(response)
            try:
                verdict = read_verdict(response.text, case.rubric.criteria)
            except UnreadableError as error:
                told = str(error)
                continue
            names = [criterion.name for criterion in case.rubric.criteria]
            marks = dict(zip(names, verdict.marks, strict=True))
            return record | {
                "verdict": {"marks": marks, "why": dict(zip(names, verdict.why, strict=True)), "share": verdict.share},
                "attempts": attempt + 1,
            }
        return record | {"error": {"kind": UNREADABLE, "message": f"no verdict: {told}", "attempts": ATTEMPTS}}


def _stored(response: Response) -> Record:
    return {
        "text": response.text,
        "finish_reason": response.finish_reason,
        "usage": dict(response.usage),
        "seconds": round(response.seconds, 4),
    }


class Paced:
    """A model whose requests are admitted by a pace."""

    listens = False

    def __init__(self, model: Model, pace: AdaptiveConcurrency) -> None:
        self.rate = model.rate
        self.limit_seconds = model.limit_seconds
        self._model = model
        self._pace = pace
        self.describe = model.describe
        self.aclose = model.aclose

    async def generate(self, prompt: Prompt) -> Response:
        """As the model does, once the pace lets it."""
        async with self._pace:
            try:
                response = await self._model.generate(prompt)
            except ModelError as error:
                if error.too_many:
                    self._pace.refused()
                raise
            self._pace.went_well()
            return response
