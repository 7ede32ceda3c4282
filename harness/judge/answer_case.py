"""One answer of a run, which is held to the right one."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.marks import TaskScorer
from dtbench.harness.core.schema import Sample
from dtbench.harness.judge.scorer import CaseChoice
from dtbench.harness.score.scorers.answer_part import gold_answers
from dtbench.harness.score.stored_run import StoredTask
from dtbench.harness.store.jsonl import Key
from dtbench.harness.store.verdicts import answer_hash, call_key


class AnswerCase(NamedTuple):
    """An answer, and the question with its right answer."""

    sample: Sample
    text: str
    """What follows the chain of thought."""
    repeat: int = 0
    answer_hash: str = ""
    """Of the whole response."""

    @property
    def id(self) -> str:
        """The id of the question."""
        return self.sample.id

    @property
    def asked(self) -> bool:
        """Whether anything was answered; an empty answer has no mark."""
        return bool(self.text.strip())

    @property
    def gold(self) -> str:
        """The right answer, or each of several."""
        return " or ".join(gold_answers(self.sample))

    @property
    def row(self) -> tuple[Any, ...]:
        """All that its mark depends on, but for the judge."""
        sample = self.sample
        return (sample.id, self.repeat, self.text, sample.question, sample.choices, self.gold)

    @property
    def hash(self) -> str:
        """Twelve digits that differ where the answer, the question or the right answer does."""
        return hashlib.sha256(repr(self.row).encode("utf-8", "surrogatepass")).hexdigest()[:12]

    def key(self, call: int) -> Key:
        """Return the key of the record of one call."""
        return call_key(self.id, self.repeat, call)

    def fields(self) -> Mapping[str, Any]:
        """Return which answer it is, and of which response."""
        return {"repeat": self.repeat, "answer_hash": self.answer_hash}


def answer_cases(
    stored: StoredTask, data: Dataset, choice: CaseChoice, scorer: TaskScorer | None
) -> Sequence[AnswerCase]:
    """Return every answer that a scorer is for, in the order of the data; without one, those with a right answer."""
    places = data.places()
    shown = functools.lru_cache(maxsize=None)(lambda place: stored.shown(data.samples[place]).of(data.samples[place]))
    found: list[tuple[int, int, AnswerCase]] = []
    for record in stored.records():
        place = places.get(record["id"])
        if place is None or "error" in record:
            continue
        sample, text = data.samples[place], record["response"]["text"]
        if not (scorer.fits(sample) if scorer is not None else gold_answers(sample)):
            continue
        answer = stored.read(sample, text).whole_answer
        case = AnswerCase(shown(place), answer, record["sample"], answer_hash(text))
        found.append((place, record["sample"], case))
    found.sort(key=lambda one: one[:2])
    if not found:
        what = "right answers" if scorer is None else f"answers that the scorer {scorer.name!r} is for"
        raise UserError(f"{stored.task.name}: the run has no {what}, so there is nothing to judge.")
    if choice.limit is None:
        return [case for *_, case in found]
    kept = set(list(dict.fromkeys(place for place, *_ in found))[: choice.limit])
    return [case for place, _, case in found if place in kept]
