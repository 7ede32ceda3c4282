"""One task of a run: questions in, records out, in any order, each on disk before its worker asks the next.

There are some workers more than requests allowed in flight: while those wait for the model, the others read and
resample clips. Beside the questions themselves nothing is held but what the workers are at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dtbench.harness.core.errors import DataError, ModelError, TaskError, format_error
from dtbench.harness.core.model import Model
from dtbench.harness.core.schema import Prompt, Response, Sample
from dtbench.harness.run.dispatch import Dispatcher, DispatchSettings
from dtbench.harness.run.plan import TaskPlan
from dtbench.harness.run.worker_pool import CircuitBreaker, Progress, Stop, WorkerPool
from dtbench.harness.score.forced_choice import read_forced, right_place, stored_odds
from dtbench.harness.store.run_folder import RunFolder

Record = dict[str, Any]


class TaskRun:
    """Ask every question of a task that has no answer yet."""

    def __init__(self, plan: TaskPlan, model: Model, folder: RunFolder, settings: DispatchSettings) -> None:
        self.plan = plan
        self._finished = folder.finished(plan.task.name)
        self.progress = Progress(plan.expected, len(self._finished))
        self._folder = folder
        self._breaker = CircuitBreaker(settings.max_failed * plan.expected, f"{plan.task.name}: ")
        self._dispatcher = Dispatcher(model, settings, plan.form.audio)
        self._prompt_hash = plan.prompt_hash()

    async def run(self, stop: Stop, report: Callable[[Progress], None]) -> None:
        """Ask, and append each record as it comes; a MachineryError where the model is down."""
        pool = WorkerPool(self.progress, self._breaker, stop, report)
        try:
            await pool.run(self.plan.questions(self._finished), self._ask, self._dispatcher.workers)
            if self._breaker.failures and self._breaker.failures == self.progress.done == self.plan.expected:
                raise self._breaker.error(f"all {self.progress.done} questions failed")
        finally:
            self._dispatcher.close()

    async def _ask(self, job: tuple[int, int]) -> None:
        """Append the record of one question, whatever becomes of it."""
        sample, prompt = self.plan.question(*job)
        record: Record = {"id": sample.id, "sample": prompt.repeat, "prompt_hash": self._prompt_hash, "audio": None}
        try:
            audio = await self._dispatcher.prepare(prompt)
            if audio is not None:
                record["audio"] = {name: getattr(audio, name) for name in ("seconds", "rate", "channels", "rule")}
            response = await self._dispatcher.answer(prompt, audio)
        except (ModelError, DataError) as error:
            kind = "audio" if isinstance(error, DataError) else "model"
            record["error"] = {"kind": kind, "message": str(error), "attempts": getattr(error, "attempts", 0)}
        else:
            record |= judged(self.plan, sample, prompt, response)
        record["groups"] = dict(sample.groups)
        self._folder.append(self.plan.task.name, record)
        self._count(record)

    def _count(self, record: Record) -> None:
        if "error" in record:
            self.progress.failed += 1
            self._breaker.add_failure(record["error"]["message"], of_model=record["error"]["kind"] == "model")
            return
        self._breaker.add_success()
        if record["score"]["correct"] is None:
            self.progress.unanswered += 1
        else:
            self.progress.correct += record["score"]["correct"]


def judged(plan: TaskPlan, sample: Sample, prompt: Prompt, response: Response) -> Record:
    """What a record says of an answer: the response, what was read from it, and both verdicts."""
    reads = read_forced if prompt.letters else plan.task.read
    read = reads(response.text, prompt.choices)
    try:
        score = plan.task.score(sample, read)
    except Exception as error:  # someone else's code
        what = f"scoring the answer to {sample.id!r} failed with {format_error(error)}"
        raise TaskError(f"{plan.task.name}: {what}.") from error
    official = score.official
    return {
        "response": {
            "text": response.text,
            "finish_reason": response.finish_reason,
            "usage": dict(response.usage),
            "seconds": round(response.seconds, 4),
            "attempts": response.attempts,
            **stored_odds(response.odds),
        },
        "extraction": {
            "answer": read.answer,
            "choice": read.choice,
            "how": read.how,
            "chain": len(read.thinking),  # in characters; the chain itself stands in the text
        },
        "score": {
            "official": {"correct": official.correct, "counted": official.counted, "why": official.why},
            "correct": score.correct,
            **(right_place(sample, prompt.choices) if prompt.letters else {}),
        },
    }
