"""The judge's calls: each verdict is on disk before its worker makes the next call."""

from __future__ import annotations

from collections.abc import Callable

from dtbench.harness.core.errors import ModelError
from dtbench.harness.core.model import Model
from dtbench.harness.judge.plan import Case, JudgePlan
from dtbench.harness.judge.verdict import UnreadableError, read_judge_verdict
from dtbench.harness.run.pace import AdaptiveConcurrency, PacedModel
from dtbench.harness.run.retry import RetryPolicy, generate_with_retries
from dtbench.harness.run.worker_pool import CircuitBreaker, Progress, Stop, WorkerPool
from dtbench.harness.score.answer_record import response_fields
from dtbench.harness.store.run_folder import RunFolder
from dtbench.harness.store.types import JudgeRecord

ATTEMPTS = 3
"""How often a verdict that cannot be read is asked for."""
UNREADABLE = "unreadable"


class JudgeRun:
    """Make every call to the judge that has no verdict yet."""

    def __init__(self, plan: JudgePlan, task: str, model: Model, folder: RunFolder, pace: AdaptiveConcurrency) -> None:
        self._plan = plan
        self._task = task
        self._folder = folder
        self._model = PacedModel(model, pace)
        self._missing = plan.missing(folder.finished(task))
        self._progress = Progress(len(self._missing))
        self._breaker = CircuitBreaker(0.01 * len(self._missing), jobs="calls to the judge")

    async def run(self, stop: Stop, workers: int, report: Callable[[Progress], None]) -> None:
        """Call, and append each record as it comes; a MachineryError where the judge is down."""
        await WorkerPool(self._progress, self._breaker, stop, report).run(self._missing, self._judge, workers)

    async def _judge(self, job: tuple[Case, int]) -> None:
        record = await self._call(*job)
        self._folder.append(self._task, record)
        self._progress.failed += "error" in record

    async def _call(self, case: Case, call: int) -> JudgeRecord:
        """The record of one call, whatever becomes of it."""
        record: JudgeRecord = {"id": case.id, "sample": call}
        unreadable = ""
        for attempt in range(ATTEMPTS):
            prompt = self._plan.prompt(case, call, attempt)
            try:
                response = await generate_with_retries(self._model, prompt, RetryPolicy())
            except ModelError as error:
                self._breaker.add_failure(str(error), of_model=True)
                return {**record, "error": {"kind": "model", "message": str(error), "attempts": error.attempts}}
            self._breaker.add_success()
            record["response"] = response_fields(response)
            try:
                verdict = read_judge_verdict(response.text, case.rubric.criteria)
            except UnreadableError as error:
                unreadable = str(error)
                continue
            names = [criterion.name for criterion in case.rubric.criteria]
            marks = dict(zip(names, verdict.marks, strict=True))
            return {
                **record,
                "verdict": {"marks": marks, "why": dict(zip(names, verdict.why, strict=True)), "share": verdict.share},
                "attempts": attempt + 1,
            }
        return {**record, "error": {"kind": UNREADABLE, "message": f"no verdict: {unreadable}", "attempts": ATTEMPTS}}
