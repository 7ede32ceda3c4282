"""The loop: questions in, records out, in any order, each on disk before its worker asks the next.

There are some workers more than requests allowed in flight: while those wait for the model, the others read and
resample clips. Nothing is held but what the workers are at, so memory does not grow with the length of a run.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from dtbench.harness.audio import Heard, hear, noise, silence
from dtbench.harness.errors import DataError, MachineryError, ModelError
from dtbench.harness.extract import extract
from dtbench.harness.model import Model
from dtbench.harness.plan import TaskPlan
from dtbench.harness.retry import Policy, ask
from dtbench.harness.schema import Prompt, Response, Sample, Score
from dtbench.harness.store import RunFolder

READERS = 2
"""Threads that read and resample clips, and workers beyond the requests in flight."""
HOPELESS = 8
"""A model that failed so many questions and answered none will not answer the others either."""

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Conditions:
    """How a run is carried out; what it asks is in its plans."""

    concurrency: int = 16
    rule: str = "cut"
    """What is done with a clip that is longer than the model takes."""
    policy: Policy = field(default_factory=Policy)


@dataclass(slots=True)
class Tally:
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
    """Whether no new question shall be asked; what is in flight is finished."""

    wanted: bool = False


class TaskRun:
    """One task of a run, from the first missing question to the last."""

    def __init__(self, plan: TaskPlan, model: Model, folder: RunFolder, conditions: Conditions) -> None:
        self.plan = plan
        self.tally = Tally(plan.expected)
        self._model = model
        self._folder = folder
        self._conditions = conditions
        self._slots = asyncio.Semaphore(conditions.concurrency)
        self._readers = ThreadPoolExecutor(READERS) if model.listens else None
        self._last_failure = ""
        self._prompt_hash = plan.prompt_hash()
        self.tally.done = len(self._finished())

    def _finished(self) -> set[tuple[str, int]]:
        return self._folder.finished(self.plan.task.name)

    async def ask_all(self, stop: Stop, report: Callable[[Tally], None]) -> None:
        """Ask what is missing, and append every answer as it comes."""
        finished = self._finished()
        questions = self.plan.prompts(finished)
        workers = self._conditions.concurrency + (READERS if self._readers else 0)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(workers, self.plan.expected - len(finished))):
                    group.create_task(self._work(questions, stop, report))
        except* MachineryError as errors:
            raise errors.exceptions[0] from None
        finally:
            if self._readers is not None:
                self._readers.shutdown(cancel_futures=True)

    async def _work(
        self, questions: Iterator[tuple[Sample, Prompt]], stop: Stop, report: Callable[[Tally], None]
    ) -> None:
        for sample, prompt in questions:
            if stop.wanted:
                return
            record = await self._answer(sample, prompt)
            self._folder.append(self.plan.task.name, record)
            self._count(record)
            report(self.tally)
            self._refuse_the_hopeless()

    async def _answer(self, sample: Sample, prompt: Prompt) -> Record:
        """The record of one question, whatever becomes of it."""
        record: Record = {"id": sample.id, "sample": prompt.repeat, "prompt_hash": self._prompt_hash, "audio": None}
        try:
            heard = await self._hear(prompt)
            if heard is not None:
                prompt = dataclasses.replace(prompt, wav=heard.wav)
                record["audio"] = {name: getattr(heard, name) for name in ("seconds", "rate", "channels", "rule")}
            async with self._slots:
                response = await ask(self._model, prompt, self._conditions.policy)
        except (ModelError, DataError) as error:
            kind = "audio" if isinstance(error, DataError) else "model"
            self._last_failure = str(error)
            record["error"] = {"kind": kind, "message": str(error), "attempts": getattr(error, "attempts", 1)}
        else:
            record |= judged(self.plan, sample, prompt, response)
        record["groups"] = dict(sample.groups)
        return record

    async def _hear(self, prompt: Prompt) -> Heard | None:
        if self._readers is None:
            return None
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, prompt)

    def _read(self, prompt: Prompt) -> Heard:
        heard = hear(prompt.audio, self._model.rate, self._model.limit_seconds, self._conditions.rule)
        if self.plan.form.audio == "silence":
            return silence(heard)
        return noise(heard, prompt.seed or 0) if self.plan.form.audio == "noise" else heard

    def _count(self, record: Mapping[str, Any]) -> None:
        self.tally.done += 1
        self.tally.asked += 1
        if "error" in record:
            self.tally.failed += 1
        elif record["score"]["correct"] is None:
            self.tally.unanswered += 1
        else:
            self.tally.correct += record["score"]["correct"]

    def _refuse_the_hopeless(self) -> None:
        tally = self.tally
        if tally.failed == tally.done and tally.failed >= min(HOPELESS, tally.expected):
            raise MachineryError(
                f"{self.plan.task.name}: the first {tally.failed} questions all failed, the run stops here; "
                f"the last one: {self._last_failure.rstrip('.')}. "
                f"Run the same command again once that is mended: it goes on from here."
            )


def judged(plan: TaskPlan, sample: Sample, prompt: Prompt, response: Response) -> Record:
    """What a record says of an answer: the response, what was read from it, and both verdicts."""
    read = extract(response.text, prompt.choices)
    score = plan.task.score(sample, read)
    return {
        "response": {
            "text": response.text,
            "finish_reason": response.finish_reason,
            "usage": dict(response.usage),
            "seconds": round(response.seconds, 4),
            "attempts": response.attempts,
        },
        "extraction": {"answer": read.answer, "choice": read.choice, "how": read.how},
        "score": score_as_json(score),
    }


def score_as_json(score: Score) -> Record:
    """Both verdicts as a record holds them."""
    official = score.official
    return {
        "official": {"correct": official.correct, "counted": official.counted, "why": official.why},
        "correct": score.correct,
    }
