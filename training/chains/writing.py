"""Write what each row lacks, step after step, each on disk before the next is asked for."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from dtbench.harness.core.errors import DataError, ModelError
from dtbench.harness.core.model import Model, chain_tags
from dtbench.harness.core.schema import Prompt
from dtbench.harness.core.task import letter_options
from dtbench.harness.extract.tidy import with_think_tags
from dtbench.harness.run.dispatch import Dispatcher, DispatchSettings
from dtbench.harness.run.live_line import LiveFigure, LiveState
from dtbench.harness.run.pace import Pace
from dtbench.harness.run.progress import FAILED, UNANSWERED, limit_figures, pace_figures, token_figures
from dtbench.harness.run.retry import RetryPolicy
from dtbench.harness.run.worker_pool import CircuitBreaker, Progress, Stop, WorkerPool
from dtbench.harness.score.answer_record import error_fields
from dtbench.harness.store.run_folder import RunFolder
from dtbench.harness.store.types import CotRecord
from dtbench.training.chains.checks import Rejected, parse_caption, parse_chain, parse_question
from dtbench.training.data.rows import TrainingRow

_MARK = re.compile(r"\{(caption|question|options|answer)\}")
CAPTION = """\
Describe this recording for somebody who cannot hear it. Say what sounds there are and in which order; who speaks, \
how, and what is said; which instruments play, and how; how loud, how fast and how far away things are; and in what \
kind of place it may be. Say only what can be heard. Plain sentences, no headings."""
WRITER = """\
You write questions for listeners from a written account of a recording. The account is all you know, and nobody who \
is asked will see it."""
QUESTION = """\
Account of the recording:
{caption}

Write one question that takes several steps of thought about what is heard, not the reading of one word. Give four \
options of the same kind and about the same length, of which one is right and the others could be believed. The \
question must not give the answer away, and must not speak of an account or a description.
Reply with one JSON object and nothing else:
{"question": "...", "choices": ["...", "...", "...", "..."], "answer": "one of the choices, word for word"}"""
REASONER = """\
You write down how an attentive listener gets from a recording to an answer. You have an account of what is heard and \
the right answer. The listener has neither: write as if you heard it, and never mention an account, a description, or \
that you know the answer."""
CHAIN = """\
What is heard:
{caption}

Question: {question}
{options}
The right answer, which the listener does not know yet: {answer}

Write the listener's reasoning in 60 to 180 words of plain sentences. Plan what to listen for; name what is heard that \
matters; draw one conclusion after the other, and rule out the options that do not fit. What the account does not hold \
was not heard. End with this sentence, word for word: So the answer is {answer}."""
PROMPTS = {"caption": CAPTION, "question": f"{WRITER}\n---\n{QUESTION}", "chain": f"{REASONER}\n---\n{CHAIN}"}


def caption_prompt(row: TrainingRow, seed: int) -> Prompt:
    """Make the request for a caption: the clip, and nothing that is known of it."""
    return Prompt(CAPTION, row.audio, id=row.id, seed=seed)


def account(row: TrainingRow) -> str:
    """Return all that is known of what is heard: the caption, and the notes of those who published the clip."""
    return "\n".join(str(row.extra[name]) for name in ("caption", "notes") if row.extra.get(name))


def question_prompt(row: TrainingRow, caption: str, seed: int) -> Prompt:
    """Make the request for a question, from the caption."""
    return Prompt(_fill(QUESTION, caption=caption), row.audio, system=WRITER, id=row.id, seed=seed)


def chain_prompt(row: TrainingRow, caption: str, seed: int) -> Prompt:
    """Make the request for a chain, from caption, question and answer."""
    options = letter_options(row.choices)
    text = _fill(CHAIN, caption=caption, question=row.question, options=options, answer=row.answer)
    return Prompt(text, row.audio, system=REASONER, id=row.id, seed=seed)


def words_hash(names: Sequence[str]) -> str:
    """Return twelve digits that differ where the words of these steps do."""
    return hashlib.sha256("\0".join(PROMPTS[name] for name in names).encode()).hexdigest()[:12]


def _fill(template: str, **fill: str) -> str:
    """Fill in the marks, and leave marks in the filling as they are."""
    return _MARK.sub(lambda mark: fill[mark[1]], template)


STEPS = ("caption", "question", "chain")
ATTEMPTS = 3
"""How often a text that is turned away is asked for, each time with another seed."""


class Step(NamedTuple):
    """One thing that a row lacks."""

    name: str
    prompt: Callable[[int], Prompt]
    """The request, from a seed."""
    parse: Callable[[str], Any | Rejected]
    """Parses a reply."""
    as_json: Callable[[Any], Any]
    """The parsed reply as values of JSON."""


def missing_steps(row: TrainingRow) -> list[str]:
    """Return what a row lacks, in order; a caption only where something is to be written from it."""
    lacking = [name for name, there in (("question", row.question), ("chain", row.chain)) if not there]
    return ["caption", *lacking] if lacking and not row.extra.get("caption") else lacking


class CotRun:
    """Writes the fields that the rows lack."""

    def __init__(
        self, rows: Sequence[TrainingRow], models: Mapping[str, Model], folder: RunFolder, seed: int, pace: Pace
    ) -> None:
        self._rows = rows
        self._folder = folder
        self._seed = seed
        self._progress = Progress(len(rows))
        self._breaker = CircuitBreaker(0.01 * len(rows), jobs="requests")
        self._pace = pace
        settings = DispatchSettings(pace.most, retries=RetryPolicy(on_retry=self._progress.add_retry))
        self._dispatchers = {step: Dispatcher(model, settings, pace=pace) for step, model in models.items()}
        self._chains = {step: chain_tags(model.describe()) for step, model in models.items()}
        self._kept = {step: {record["id"]: record for record in folder.records_as(step, CotRecord)} for step in STEPS}

    async def run(self, stop: Stop, report: Callable[[Progress], None]) -> None:
        """Take every row through its steps; a MachineryError where a model is down."""
        try:
            await WorkerPool(self._progress, self._breaker, stop, report).run(self._rows, self._write, self._pace.most)
        finally:
            for dispatcher in self._dispatchers.values():
                dispatcher.close()

    def state(self, seconds: float) -> LiveState:
        """Return how far it is, after so many seconds."""
        figures = [*pace_figures(self._progress, seconds)]
        figures.append(LiveFigure(f"{self._progress.rejected} rejected", UNANSWERED))
        figures.append(LiveFigure(f"{self._progress.failed} failed", FAILED))
        figures += [*limit_figures(self._pace), *token_figures(self._progress, seconds)]
        return LiveState(self._progress.done, self._progress.expected, figures, "rows")

    async def _write(self, row: TrainingRow) -> None:
        for name in missing_steps(row):
            record = self._kept[name].get(row.id)
            if record is None or "error" in record:
                record = await self._step(row, _step(name, row))
                self._folder.append(name, record)
                self._kept[name][row.id] = record
            if "taken" not in record:
                self._progress.rejected += "rejected" in record
                self._progress.failed += "error" in record
                return
            row = with_step(row, name, record["taken"])

    async def _step(self, row: TrainingRow, step: Step) -> CotRecord:
        """Run one step and return its record, that of an error too."""
        record: CotRecord = {"id": row.id, "sample": 0}
        dispatcher = self._dispatchers[step.name]
        rejected = Rejected("never asked")
        for attempt in range(ATTEMPTS):
            try:
                prompt = step.prompt(self._seed + 1000 * attempt)
                prompt = (await dispatcher.prepare(prompt)).prompt if step.name == "caption" else prompt
                response = await dispatcher.answer(prompt)
            except (ModelError, DataError) as error:
                self._breaker.add_failure(str(error), of_model=isinstance(error, ModelError))
                return {**record, "error": error_fields(error)}
            self._breaker.add_success()
            self._progress.add_tokens(response.usage)
            record["text"], record["usage"], record["attempts"] = response.text, dict(response.usage), attempt + 1
            parsed = step.parse(with_think_tags(response.text, self._chains[step.name]))
            if not isinstance(parsed, Rejected):
                return {**record, "taken": step.as_json(parsed)}
            rejected = parsed
        return {**record, "rejected": rejected.why}


def _step(name: str, row: TrainingRow) -> Step:
    if name == "caption":
        return Step(name, lambda seed: caption_prompt(row, seed), parse_caption, str)
    caption = account(row)
    if name == "chain":
        prompt = functools.partial(chain_prompt, row, caption)
        return Step(name, prompt, lambda text: parse_chain(text, row), str)
    prompt = functools.partial(question_prompt, row, caption)
    return Step(name, prompt, lambda text: parse_question(text, row), _question_fields)


def _question_fields(row: TrainingRow) -> dict[str, Any]:
    return {"question": row.question, "choices": list(row.choices), "answer": row.answer}


def with_step(row: TrainingRow, name: str, result: Any) -> TrainingRow:
    """Return the row with the result of a step."""
    if name == "caption":
        return dataclasses.replace(row, extra={**row.extra, "caption": result})
    if name == "chain":
        return dataclasses.replace(row, chain=result)
    return dataclasses.replace(
        row, question=result["question"], choices=tuple(result["choices"]), answer=result["answer"]
    )
