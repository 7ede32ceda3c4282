"""Several answers to a question: pass@k and majority@k with intervals, and whether more answers or questions help."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from dtbench.harness.score.outcomes import Answer
from dtbench.harness.stats.intervals import clustered_interval, pass_at
from dtbench.harness.store.paper_types import MajorityFigures, VarianceFigures
from dtbench.harness.store.share_types import EstimateFigures


class RepeatedQuestion(NamedTuple):
    """All answers to one question, none where all are missing."""

    clip: int | str
    answers: Sequence[Answer]

    @property
    def right(self) -> int:
        """Return how many are right."""
        return sum(answer.right for answer in self.answers)


class ClipValue(NamedTuple):
    """A figure of one question between 0 and 1, and its clip."""

    clip: int | str
    value: float


class MajorityVote(NamedTuple):
    """What a majority says."""

    right: float
    """1 where the most frequent option is right; a tie counts as wrong."""
    tie: bool
    right_by_chance: float
    """The chance that it is right where a tie is broken by chance."""


def repeated_questions(answers: Iterable[Answer], questions: int) -> list[RepeatedQuestion]:
    """Put the answers to each question together; of so many questions some may have none."""
    by_question: dict[str, list[Answer]] = {}
    for answer in answers:
        by_question.setdefault(answer.id, []).append(answer)
    found = [RepeatedQuestion(ones[0].clip, ones) for ones in by_question.values()]
    return [*found, *(RepeatedQuestion(f"missing {number}", ()) for number in range(questions - len(found)))]


def counts_of_answers(k: int) -> list[int]:
    """Return 1, 2, 4, ... and k."""
    return sorted({k, *(1 << power for power in range(k.bit_length()) if 1 << power <= k)})


def pass_figures(questions: Sequence[RepeatedQuestion], k: int) -> dict[str, EstimateFigures]:
    """Return pass@1, 2, 4, ... and k, each with its interval over questions."""
    return {
        str(at): _mean([ClipValue(one.clip, pass_at(at, k, one.right)) for one in questions], k)
        for at in counts_of_answers(k)
    }


def majority_figures(questions: Sequence[RepeatedQuestion], k: int) -> dict[str, MajorityFigures]:
    """Return majority@1, 2, 4, ... and k: of fewer than k answers the mean over as many majorities as there are."""
    return {str(at): _majority(questions, k, at) for at in counts_of_answers(k)}


def _majority(questions: Sequence[RepeatedQuestion], k: int, at: int) -> MajorityFigures:
    votes = [_votes(one.answers, k, at) for one in questions]
    each = len(votes) * (k // at)
    right = [
        ClipValue(one.clip, math.fsum(vote.right for vote in of_one) / len(of_one))
        for one, of_one in zip(questions, votes, strict=True)
    ]
    return {
        **_mean(right, k),
        "ties": sum(vote.tie for of_one in votes for vote in of_one) / each,
        "ties_by_chance": math.fsum(vote.right_by_chance for of_one in votes for vote in of_one) / each,
    }


def _votes(answers: Sequence[Answer], k: int, at: int) -> list[MajorityVote]:
    """Return the majority of the first so many repeats, of the next, and so on."""
    by_repeat = {answer.sample: answer for answer in answers}
    starts = range(0, k - at + 1, at)
    return [majority_vote([by_repeat[n] for n in range(start, start + at) if n in by_repeat]) for start in starts]


def majority_vote(answers: Sequence[Answer]) -> MajorityVote:
    """Return what most answers say; one that was not read has no vote."""
    times = Counter([answer.choice for answer in answers if answer.choice is not None])
    most = max(times.values(), default=0)
    level = [choice for choice, count in times.items() if count == most]
    if not level:
        return MajorityVote(0.0, tie=False, right_by_chance=0.0)
    right = len({answer.choice for answer in answers if answer.right}.intersection(level))
    return MajorityVote(float(len(level) == 1 and right), len(level) > 1, right / len(level))


def _mean(values: Sequence[ClipValue], k: int) -> EstimateFigures:
    """Return the mean over questions with its interval over clips, each question as so many answers."""
    sums: dict[int | str, list[float]] = {}
    for clip, value in values:
        sums.setdefault(clip, []).append(value)
    clusters = [(k * math.fsum(sorted(ones)), k * len(ones)) for ones in sums.values()]
    low, high = clustered_interval(clusters)
    return {"value": math.fsum(value for _, value in values) / len(values), "low": low, "high": high}


def variance_figures(questions: Sequence[RepeatedQuestion], k: int) -> VarianceFigures | None:
    """Split the variance of the mean accuracy into that of questions and that of sampling, as ANOVA does.

    A question without an answer counts as wrong each time; None for fewer than two questions.
    """
    n = len(questions)
    if n < 2 or k < 2:
        return None
    shares = [one.right / k for one in questions]
    mean = math.fsum(shares) / n
    total = math.fsum((share - mean) ** 2 for share in shares) / (n - 1)
    sampling = math.fsum(share * (1 - share) for share in shares) / n * k / (k - 1)
    between = max(0.0, total - sampling / k)
    return {
        "questions": between,
        "sampling": sampling,
        "share_of_sampling": sampling / k / (between + sampling / k) if between + sampling else None,
        "standard_error": _error(between, sampling, n, k),
        "with_twice_the_answers": _error(between, sampling, n, 2 * k),
        "with_twice_the_questions": _error(between, sampling, 2 * n, k),
    }


def _error(between: float, sampling: float, n: int, k: int) -> float:
    return math.sqrt((between + sampling / k) / n)
