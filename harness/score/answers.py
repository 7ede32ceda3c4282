"""What a run said to each question of its data set, in the order of the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.schema import Sample
from dtbench.harness.extract.extraction import Extraction
from dtbench.harness.score.stored_run import StoredTask

State = Literal["answered", "unanswered", "failed", "missing"]
NOTHING = Extraction("", "", None, "nothing was said")


class SubmittedAnswer(NamedTuple):
    """A question, and what a file says was answered."""

    sample: Sample
    state: State
    """unanswered: the model said something, and no option can be read from it."""
    thinking: str
    """The chain as the model wrote it, without its tags."""
    choice: str
    """The text of the option; empty where there is none."""
    submission: str
    """What the benchmark's own prediction file holds for it."""


def answers(stored: StoredTask, data: Dataset, repeat: int) -> list[SubmittedAnswer]:
    """One for each question of the data set, asked or not; of several answers the one with this number."""
    if not 0 <= repeat < stored.repeats:
        held = "one answer" if stored.repeats == 1 else f"{stored.repeats} answers, numbered from 0"
        raise UserError(f"--sample {repeat}: the run holds {held} to a question.")
    texts: dict[str, str | None] = {}
    for record in stored.records():
        if record["sample"] == repeat:
            texts[record["id"]] = None if "error" in record else record["response"]["text"]
    return [_said(stored, sample, texts) for sample in data.samples]


def _said(stored: StoredTask, sample: Sample, texts: Mapping[str, str | None]) -> SubmittedAnswer:
    text = texts.get(sample.id)
    if text is None:
        state: State = "failed" if sample.id in texts else "missing"
        return SubmittedAnswer(sample, state, "", "", stored.task.submission(sample, NOTHING))
    read = stored.read(sample, text)
    state = "unanswered" if read.choice is None else "answered"
    return SubmittedAnswer(sample, state, read.thinking, read.choice or "", stored.task.submission(sample, read))


def counts(said: Sequence[SubmittedAnswer]) -> dict[str, int]:
    """How many of each state there are."""
    return {state: sum(one.state == state for one in said) for state in ("answered", "unanswered", "failed", "missing")}
