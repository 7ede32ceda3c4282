"""The loop: for each row what it lacks, step after step, each on disk before the next is asked for."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

from dtbench.harness.audio.prepare import prepare_audio
from dtbench.harness.core.errors import DataError, MachineryError, ModelError
from dtbench.harness.core.model import Model
from dtbench.harness.core.schema import Prompt
from dtbench.harness.run.circuit_breaker import CircuitBreaker
from dtbench.harness.run.loop import ON_AGAIN, Stop
from dtbench.harness.run.retry import Policy, ask
from dtbench.harness.run.task_group import task_group
from dtbench.harness.store.run_folder import RunFolder
from dtbench.training.chains.checks import Limits, Rejected, caption_of, chain_of, question_of
from dtbench.training.chains.wording import caption_prompt, chain_prompt, question_prompt
from dtbench.training.data.rows import TrainingRow

STEPS = ("caption", "question", "chain")
ATTEMPTS = 3
"""How often a text that is turned away is asked for, each time with another seed."""
Record = dict[str, Any]


class Step(NamedTuple):
    """One thing that a row lacks."""

    name: str
    prompt: Callable[[int], Prompt]
    """The request, from a seed."""
    take: Callable[[str], Any | Rejected]
    """What a reply gives."""
    plain: Callable[[Any], Any]
    """The same as JSON holds it."""


@dataclass(slots=True)
class Going:
    """How far it is."""

    expected: int
    done: int = 0
    rejected: int = 0
    failed: int = 0


def steps_of(row: TrainingRow) -> list[str]:
    """What a row lacks, in order; a caption only where something is to be written from it."""
    lacking = [name for name, there in (("question", row.question), ("chain", row.chain)) if not there]
    return ["caption", *lacking] if lacking and not row.extra.get("caption") else lacking


class Writing:
    """All rows that lack something, to the last."""

    def __init__(self, rows: Sequence[TrainingRow], models: Mapping[str, Model], folder: RunFolder, seed: int) -> None:
        self.rows = rows
        self.going = Going(len(rows))
        self._models = models
        self._folder = folder
        self._seed = seed
        self._limits = Limits()
        self._policy = Policy()
        self._patience = CircuitBreaker(allowed=0.01 * len(rows))
        self._kept = {step: {record["id"]: record for record in folder.records(step)} for step in STEPS}

    async def write_all(self, stop: Stop, workers: int, report: Callable[[Going], None]) -> None:
        """Write what is missing; a MachineryError where a model is down."""
        rows = iter(self.rows)
        with ThreadPoolExecutor(2) as readers:
            async with task_group() as group:
                for _ in range(min(workers, len(self.rows))):
                    group.create_task(self._work(rows, stop, report, readers))

    async def _work(
        self, rows: Iterator[TrainingRow], stop: Stop, report: Callable[[Going], None], readers: ThreadPoolExecutor
    ) -> None:
        for row in rows:
            if stop.wanted:
                return
            ended = await self._write(row, readers)
            self.going.done += 1
            self.going.rejected += ended == "rejected"
            self.going.failed += ended == "error"
            report(self.going)
            if self._patience.is_over:
                last = self._patience.last.rstrip(".")
                raise MachineryError(
                    f"the last {self._patience.in_a_row} requests all failed, it stops here. The last one: {last}. "
                    f"{ON_AGAIN}"
                )

    async def _write(self, row: TrainingRow, readers: ThreadPoolExecutor) -> str:
        """Take a row through its steps; how it ended: taken, rejected or error."""
        for name in steps_of(row):
            record = self._kept[name].get(row.id)
            if record is None or "error" in record:
                record = await self._step(row, _step(name, row, self._limits), readers)
                self._folder.append(name, record)
                self._kept[name][row.id] = record
            if "taken" not in record:
                return "rejected" if "rejected" in record else "error"
            row = with_step(row, name, record["taken"])
        return "taken"

    async def _step(self, row: TrainingRow, step: Step, readers: ThreadPoolExecutor) -> Record:
        """The record of one step, whatever becomes of it."""
        record: Record = {"id": row.id, "sample": 0}
        rejected = Rejected("never asked")
        for attempt in range(ATTEMPTS):
            try:
                prompt = step.prompt(self._seed + 1000 * attempt)
                if step.name == "caption":
                    prompt = await self._with_sound(prompt, readers)
                response = await ask(self._models[step.name], prompt, self._policy)
            except (ModelError, DataError) as error:
                of_model = isinstance(error, ModelError)
                self._patience.failure(str(error), of_model=of_model)
                return record | {"error": {"kind": "model" if of_model else "audio", "message": str(error)}}
            self._patience.answer()
            record |= {"text": response.text, "usage": dict(response.usage), "attempts": attempt + 1}
            taken = step.take(response.text)
            if not isinstance(taken, Rejected):
                return record | {"taken": step.plain(taken)}
            rejected = taken
        return record | {"rejected": rejected.why}

    async def _with_sound(self, prompt: Prompt, readers: ThreadPoolExecutor) -> Prompt:
        model = self._models["caption"]
        loop = asyncio.get_running_loop()
        heard = await loop.run_in_executor(readers, prepare_audio, prompt.audio, model.rate, model.limit_seconds)
        return dataclasses.replace(prompt, wav=heard.wav)


def _step(name: str, row: TrainingRow, limits: Limits) -> Step:
    if name == "caption":
        return Step(name, lambda seed: caption_prompt(row, seed), lambda text: caption_of(text, limits), str)
    caption = str(row.extra["caption"])
    if name == "question":
        return Step(name, lambda seed: question_prompt(row, caption, seed), lambda text: question_of(text, row), _asked)
    return Step(name, lambda seed: chain_prompt(row, caption, seed), lambda text: chain_of(text, row, limits), str)


def _asked(row: TrainingRow) -> dict[str, Any]:
    return {"question": row.question, "choices": list(row.choices), "answer": row.answer}


def with_step(row: TrainingRow, name: str, taken: Any) -> TrainingRow:
    """The row with what a step gave."""
    if name == "caption":
        return dataclasses.replace(row, extra={**row.extra, "caption": taken})
    if name == "chain":
        return dataclasses.replace(row, chain=taken)
    return dataclasses.replace(row, question=taken["question"], choices=tuple(taken["choices"]), answer=taken["answer"])
