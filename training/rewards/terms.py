"""The rewards by name, each from a batch that has been read: one number a completion, before it is put on the grid."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dtbench.harness.core.errors import DataError
from dtbench.harness.extract.answer import extract
from dtbench.training.data.rows import TrainingRow
from dtbench.training.rewards import mini_grader as events
from dtbench.training.rewards.completion import ParsedCompletion
from dtbench.training.rewards.cosines import ChainPair
from dtbench.training.rewards.counts import RewardCounts
from dtbench.training.rewards.embedding import Nearness
from dtbench.training.rewards.evaluator import Evaluator, EvaluatorQuery, Verdict
from dtbench.training.rewards.evaluator_prompts import Marks, compare_prompt, read_marks, read_support, support_prompt
from dtbench.training.rewards.settings import EVENTS, RewardSettings

ROUND = 1024
"""Rewards are multiples of 1/ROUND: a group of equal ones then has a deviation of exactly 0 in an engine's float32."""


@dataclass(slots=True)
class RewardBatch:
    """Completions that have been read, and with what they are rewarded."""

    rows: Sequence[TrainingRow]
    taken: Sequence[ParsedCompletion]
    caught: Sequence[str | None]
    """The guard that rules each chain out."""
    settings: RewardSettings
    evaluator: Evaluator
    nearness: Nearness
    report: RewardCounts
    marks: Sequence[float | None] | None = None
    """The evaluator's, of the comparable ones, once it was asked."""

    def comparable(self) -> list[int]:
        """The places of right answers whose chains no guard rules out: only those are like a reference at all."""
        places = [at for at, taken in enumerate(self.taken) if taken.right and self.caught[at] is None]
        for at in places:
            if not self.rows[at].chain.strip():
                raise DataError(
                    f"row {self.rows[at].id}: it has no reference chain, and a reward of this stage compares with one. "
                    f"`dtbench chains` writes them."
                )
        return places

    def spread(self, places: Sequence[int], values: Sequence[float]) -> list[float]:
        """The values at their places, 0 everywhere else."""
        known = dict(zip(places, values, strict=True))
        return [known.get(at, 0.0) for at in range(len(self.rows))]


def accuracy(batch: RewardBatch) -> list[float]:
    """1 where the task's own score says that the answer is right."""
    return [float(taken.right) for taken in batch.taken]


def template(batch: RewardBatch) -> list[float]:
    """1 where the completion has the form that is asked for."""
    return [float(taken.formatted) for taken in batch.taken]


def consistency(batch: RewardBatch) -> list[float]:
    """1 where the chain supports the answer given, right or wrong; without a verdict, its words decide."""
    places = [
        at for at, taken in enumerate(batch.taken) if taken.extraction.choice is not None and batch.caught[at] is None
    ]
    verdicts: Sequence[Verdict | None] = [None] * len(places)
    if batch.settings.consistency != "words":
        questions = [_support(batch.rows[at], batch.taken[at]) for at in places]
        verdicts = batch.evaluator.decide(questions, batch.report)
    return batch.spread(
        places,
        [
            _by_words(batch, at) if said is None else float(said["supports"])
            for at, said in zip(places, verdicts, strict=True)
        ],
    )


def evaluator(batch: RewardBatch) -> list[float]:
    """The mean of four marks against the reference; where there is no verdict, how near the embedding is."""
    places = batch.comparable()
    marks = _marks(batch, places)
    without = [at for at, mark in zip(places, marks, strict=True) if mark is None]
    instead = dict(zip(without, _near(batch, without), strict=True))
    return batch.spread(places, [instead[at] if mark is None else mark for at, mark in zip(places, marks, strict=True)])


def embedding(batch: RewardBatch) -> list[float]:
    """How near the chain is to the reference as a text."""
    places = batch.comparable()
    return batch.spread(places, _near(batch, places))


def hybrid(batch: RewardBatch) -> list[float]:
    """Both, half each unless the recipe says otherwise; where there is no verdict, the embedding alone."""
    places = batch.comparable()
    weight = batch.settings.embedding_weight
    return batch.spread(
        places,
        [
            near if mark is None else weight * near + (1 - weight) * mark
            for mark, near in zip(_marks(batch, places), _near(batch, places), strict=True)
        ],
    )


REWARDS: Mapping[str, Callable[[RewardBatch], list[float]]] = {
    "accuracy": accuracy,
    "format": template,
    "consistency": consistency,
    "evaluator": evaluator,
    "embedding": embedding,
    "hybrid": hybrid,
}


def concludes(chain: str, choice: str | None, choices: Sequence[str]) -> bool:
    """Return whether the chain's own conclusion, extracted like any answer, is the chosen option."""
    return choice is not None and extract(chain, choices).choice == choice


def on_grid(value: float) -> float:
    """The nearest multiple of 1/ROUND."""
    return round(value * ROUND) / ROUND


def _by_words(batch: RewardBatch, at: int) -> float:
    taken = batch.taken[at]
    return float(concludes(taken.chain, taken.extraction.choice, batch.rows[at].choices))


def _marks(batch: RewardBatch, places: Sequence[int]) -> Sequence[float | None]:
    """The evaluator's marks as one number each, None where it came to none; given once for all rewards of a batch."""
    if batch.marks is None:
        given = _given(batch, places)
        for marks in given:
            if marks is not None:
                batch.report.marked(marks._asdict())
        batch.marks = [None if marks is None else marks.mean for marks in given]
    return batch.marks


def _given(batch: RewardBatch, places: Sequence[int]) -> list[Marks | None]:
    if batch.settings.evaluator == EVENTS:
        return [events.marks(batch.rows[at], batch.taken[at].chain) for at in places]
    questions = [_compare(batch.rows[at], batch.taken[at].chain) for at in places]
    verdicts = batch.evaluator.decide(questions, batch.report)
    return [None if said is None else Marks(**said) for said in verdicts]


def _near(batch: RewardBatch, places: Sequence[int]) -> list[float]:
    pairs = [ChainPair(batch.rows[at].id, batch.taken[at].chain, batch.rows[at].chain) for at in places]
    return batch.nearness.of(pairs, batch.report) if pairs else []


def _compare(row: TrainingRow, chain: str) -> EvaluatorQuery:
    return EvaluatorQuery(row.id, "evaluator", functools.partial(compare_prompt, row, chain), read_marks)


def _support(row: TrainingRow, taken: ParsedCompletion) -> EvaluatorQuery:
    given = taken.extraction.choice or ""
    return EvaluatorQuery(
        row.id, "consistency", functools.partial(support_prompt, row, taken.chain, given), read_support
    )
