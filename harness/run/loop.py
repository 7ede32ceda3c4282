"""The loop: questions in, records out, in any order, each on disk before its worker asks the next.

There are some workers more than requests allowed in flight: while those wait for the model, the others read and
resample clips. Beside the questions themselves nothing is held but what the workers are at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from dtbench.harness.core.errors import DataError, MachineryError, ModelError, TaskError, format_error
from dtbench.harness.core.model import Model
from dtbench.harness.core.schema import Prompt, Response, Sample
from dtbench.harness.run.circuit_breaker import CircuitBreaker
from dtbench.harness.run.dispatch import Conditions, Dispatcher
from dtbench.harness.run.plan import TaskPlan
from dtbench.harness.run.task_group import task_group
from dtbench.harness.score.forced_choice import read_forced, right_place, stored_odds
from dtbench.harness.store.run_folder import RunFolder

ON_AGAIN = "Run the same command again once that is mended: it goes on from here."

Record = dict[str, Any]


@dataclass(slots=True)
class RunProgress:
    """How far a task is."""

    expected: int
    done: int = 0
    """Of them, those with a record, earlier starts included."""
    asked: int = 0
    """Those asked by this start; the counts below are of these."""
    correct: int = 0
    unanswered: int = 0
    failed: int = 0


@dataclass(slots=True)
class Stop:
    """Whether the run shall end early."""

    wanted: bool = False
    """No new question is asked; what is in flight is finished."""
    now: bool = False
    """What is in flight is given up."""


class TaskRun:
    """One task of a run, from the first missing question to the last."""

    def __init__(self, plan: TaskPlan, model: Model, folder: RunFolder, conditions: Conditions) -> None:
        self.plan = plan
        self._finished = folder.finished(plan.task.name)
        self.tally = RunProgress(plan.expected, len(self._finished))
        self._folder = folder
        self._patience = CircuitBreaker(conditions.max_failed * plan.expected)
        self._asker = Dispatcher(model, conditions, plan.form.audio)
        self._prompt_hash = plan.prompt_hash()

    async def ask_all(self, stop: Stop, report: Callable[[RunProgress], None]) -> None:
        """Ask what is missing, and append every answer as it comes; a MachineryError where the model is down."""
        questions = self.plan.questions(self._finished)
        try:
            async with task_group() as group:
                for _ in range(min(self._asker.workers, self.plan.expected - len(self._finished))):
                    group.create_task(self._work(questions, stop, report))
        finally:
            self._asker.close()
        if self._patience.failed and self._patience.failed == self.tally.done == self.plan.expected:
            raise self._hopeless(f"all {self.tally.done} questions failed")

    async def _work(
        self, questions: Iterator[tuple[int, int]], stop: Stop, report: Callable[[RunProgress], None]
    ) -> None:
        for place, repeat in questions:
            if stop.wanted:
                return
            sample, prompt = self.plan.question(place, repeat)
            record = await self._answer(sample, prompt)
            self._folder.append(self.plan.task.name, record)
            self._count(record)
            report(self.tally)
            if self._patience.is_over:
                raise self._hopeless(f"the last {self._patience.in_a_row} questions all failed, the run stops here")

    async def _answer(self, sample: Sample, prompt: Prompt) -> Record:
        """The record of one question, whatever becomes of it."""
        record: Record = {"id": sample.id, "sample": prompt.repeat, "prompt_hash": self._prompt_hash, "audio": None}
        try:
            heard = await self._asker.heard(prompt)
            if heard is not None:
                record["audio"] = {name: getattr(heard, name) for name in ("seconds", "rate", "channels", "rule")}
            response = await self._asker.answer(prompt, heard)
        except (ModelError, DataError) as error:
            kind = "audio" if isinstance(error, DataError) else "model"
            record["error"] = {"kind": kind, "message": str(error), "attempts": getattr(error, "attempts", 0)}
        else:
            record |= judged(self.plan, sample, prompt, response)
        record["groups"] = dict(sample.groups)
        return record

    def _count(self, record: Record) -> None:
        self.tally.done += 1
        self.tally.asked += 1
        if "error" in record:
            self.tally.failed += 1
            self._patience.failure(record["error"]["message"], of_model=record["error"]["kind"] == "model")
            return
        self._patience.answer()
        if record["score"]["correct"] is None:
            self.tally.unanswered += 1
        else:
            self.tally.correct += record["score"]["correct"]

    def _hopeless(self, what: str) -> MachineryError:
        return MachineryError(
            f"{self.plan.task.name}: {what}. The last one: {self._patience.last.rstrip('.')}. {ON_AGAIN}"
        )


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
