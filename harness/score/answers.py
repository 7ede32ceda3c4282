"""The answers of a run to each question of its data set, in the order of the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.schema import Sample
from dtbench.harness.extract.answer import Extraction
from dtbench.harness.score.stored_run import StoredTask

State = Literal["answered", "unanswered", "failed", "missing"]
NO_ANSWER = Extraction("", "", None, "nothing was said")


class SubmittedAnswer(NamedTuple):
    """A question, and the answer that a prediction file holds for it."""

    sample: Sample
    state: State
    """unanswered: the model said something, and no option can be read from it."""
    thinking: str
    """The chain as the model wrote it, without its tags."""
    choice: str
    """The text of the option; empty where there is none."""
    submission: str
    """What the benchmark's own prediction file holds for it."""


def submitted_answers(stored: StoredTask, data: Dataset, repeat: int) -> list[SubmittedAnswer]:
    """One for each question of the data set, asked or not; of several answers the one with this number."""
    if not 0 <= repeat < stored.repeats:
        stands = "one answer" if stored.repeats == 1 else f"{stored.repeats} answers, numbered from 0"
        raise UserError(f"--sample {repeat}: the run holds {stands} to a question.")
    texts: dict[str, str | None] = {}
    for record in stored.records():
        if record["sample"] == repeat:
            texts[record["id"]] = None if "error" in record else record["response"]["text"]
    return [_answer(stored, sample, texts) for sample in data.samples]


def _answer(stored: StoredTask, sample: Sample, texts: Mapping[str, str | None]) -> SubmittedAnswer:
    text = texts.get(sample.id)
    if text is None:
        state: State = "failed" if sample.id in texts else "missing"
        return SubmittedAnswer(sample, state, "", "", stored.task.submission(sample, NO_ANSWER))
    read = stored.read(sample, text)
    state = "unanswered" if read.choice is None else "answered"
    return SubmittedAnswer(sample, state, read.thinking, read.choice or "", stored.task.submission(sample, read))


def count_states(submitted: Sequence[SubmittedAnswer]) -> dict[str, int]:
    """How many answers there are in each state."""
    return {
        state: sum(one.state == state for one in submitted) for state in ("answered", "unanswered", "failed", "missing")
    }
