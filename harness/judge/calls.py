"""Make the calls to a judge: each reply is on disk before the next one, and a judge that is of no use ends it soon."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, cast

from dtbench.harness.core.errors import MachineryError, ModelError, one_line
from dtbench.harness.core.model import Model, chain_tags
from dtbench.harness.extract.tidy import with_think_tags
from dtbench.harness.judge.plan import JudgePlan
from dtbench.harness.judge.scorer import UNREADABLE, CaseT
from dtbench.harness.judge.verdict import UnreadableError
from dtbench.harness.run.live_line import LiveFigure, LiveState
from dtbench.harness.run.pace import Pace, PacedModel
from dtbench.harness.run.progress import COST, FAILED, RETRIES, limit_figures, pace_figures, token_figures
from dtbench.harness.run.retry import RetryPolicy, generate_with_retries
from dtbench.harness.run.spending import Spending
from dtbench.harness.run.worker_pool import CircuitBreaker, Progress, Stop, WorkerPool
from dtbench.harness.score.answer_record import error_fields, response_fields
from dtbench.harness.store.judged_types import JudgeRecord
from dtbench.harness.store.redact import mask_text
from dtbench.harness.store.run_folder import RunFolder

ATTEMPTS = 3
"""How often a verdict that cannot be read is asked for."""
UNREADABLE_IN_A_ROW = 20
"""A judge whose last replies, so many, cannot be read will not begin to make sense: asking on only costs."""
SHOWN_CHARACTERS = 120
"""Of a reply that cannot be read, in a message."""


class ReadabilityCheck:
    """Counts the replies in a row that cannot be read, and stops once they are too many."""

    def __init__(self, folder: RunFolder, form: str) -> None:
        self._folder = folder
        self._form = form
        self._in_a_row = 0
        self._questions: set[str] = set()
        """One question may be refused however often it is asked: that says little about the judge."""

    def add_readable(self) -> None:
        """Count a reply that can be read."""
        self._in_a_row = 0
        self._questions.clear()

    def add_unreadable(self, question: str, reason: str, text: str) -> None:
        """Count a reply that cannot be read; a MachineryError where it is one too many."""
        self._in_a_row += 1
        self._questions.add(question)
        if self._in_a_row >= UNREADABLE_IN_A_ROW and len(self._questions) > 1:
            raise MachineryError(
                f"the last {self._in_a_row} replies of the judge cannot be read ({reason}), so it stops here. The last "
                f"one begins {beginning(text)}. What is judged is kept in {self._folder.path}. Once the judge "
                f"replies {self._form} (another --model? other instructions by --judge-prompt?), the same command goes "
                "on from there."
            )


class JudgeRun(Generic[CaseT]):
    """Make every call to the judge that has no verdict yet."""

    def __init__(
        self, plan: JudgePlan[CaseT], task: str, model: Model, folder: RunFolder, *, pace: Pace, spending: Spending
    ) -> None:
        self._plan = plan
        self._task = task
        self._folder = folder
        self._pace = pace
        self._spending = spending
        self._model = PacedModel(model, pace)
        self._chain = chain_tags(model.describe())
        self.missing = plan.missing(folder.finished(task))
        self._progress = Progress(len(self.missing))
        self._breaker = CircuitBreaker(0.01 * len(self.missing), jobs="calls to the judge")
        self._readability = ReadabilityCheck(folder, plan.scorer.form)
        self._retries = RetryPolicy(on_retry=self._progress.add_retry)
        self._unreadable = 0

    async def run(self, stop: Stop, workers: int, report: Callable[[Progress], None]) -> None:
        """Call, and append each record as it comes; a MachineryError where the judge is down or cannot be read."""
        await WorkerPool(self._progress, self._breaker, stop, report).run(self.missing, self._judge, workers)

    def state(self, seconds: float) -> LiveState:
        """Return how far it is, after so many seconds."""
        figures = [*pace_figures(self._progress, seconds)]
        figures.append(LiveFigure(f"{self._progress.failed} without verdict", FAILED))
        if (cost := self._spending.cost) is not None:
            figures.append(LiveFigure(f"cost {cost:,.2f}", COST))
        figures += token_figures(self._progress, seconds)
        if self._unreadable:
            figures.append(LiveFigure(f"{self._unreadable} unreadable replies", RETRIES))
        figures += limit_figures(self._pace)
        return LiveState(self._progress.done, self._progress.expected, figures, "calls")

    async def _judge(self, job: tuple[CaseT, int]) -> None:
        has_verdict = await self._has_verdict(*job)  # first: += reads its left side before it waits
        self._progress.failed += not has_verdict

    async def _has_verdict(self, case: CaseT, call: int) -> bool:
        """Make one call, up to ATTEMPTS times; each reply is stored, for it has its price."""
        for attempt in range(1, ATTEMPTS + 1):
            key = case.key(call)
            begun = {"id": key.id, "sample": key.sample, "chain_hash": case.hash, **case.fields()}
            record = cast("JudgeRecord", begun)
            prompt = self._plan.prompt(case, call, attempt - 1)
            try:
                response = await generate_with_retries(self._model, prompt, self._retries)
            except ModelError as error:
                record["error"] = error_fields(error)
                self._folder.append(self._task, record)
                self._spending.add(record)
                self._breaker.add_failure(str(error), of_model=True)
                return False
            self._breaker.add_success()
            record["response"] = response_fields(response)
            self._progress.add_tokens(record["response"]["usage"])
            self._spending.add(record)
            try:
                verdict = self._plan.scorer.read(with_think_tags(response.text, self._chain), case)
            except UnreadableError as error:
                record["error"] = {"kind": UNREADABLE, "message": f"no verdict: {error}", "attempts": attempt}
                self._folder.append(self._task, record)
                self._unreadable += 1
                self._readability.add_unreadable(case.id, str(error), response.text)
                continue
            self._readability.add_readable()
            self._folder.append(self._task, {**record, "verdict": verdict, "attempts": attempt})
            return True
        return False


def beginning(text: str) -> str:
    """Quote how a reply begins, in one line and without secrets; say where it is empty."""
    plain = one_line(" ".join(mask_text(text).split()))
    if len(plain) > SHOWN_CHARACTERS:
        plain = f"{plain[:SHOWN_CHARACTERS].rpartition(' ')[0] or plain[:SHOWN_CHARACTERS]} ..."
    return f"`{plain}`" if plain else "with nothing: it is empty"
