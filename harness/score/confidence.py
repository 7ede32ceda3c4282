"""How well the confidence of forced answers parts right ones from wrong ones, with intervals by bootstrap over clips.

AURC is the mean, over all coverages, of the share of errors among the most confident answers (Geifman and El-Yaniv,
2017); AUROC is the chance that a right answer is more confident than a wrong one. Of answers with one confidence, each
order counts alike. The resamples are the same at every call: nothing depends on dice or on the order of records.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from dtbench.harness.score.calibration import BINS, ConfidentAnswer, confidence_bin
from dtbench.harness.score.group_shares import NOTHING
from dtbench.harness.store.paper_types import ConfidenceFigures
from dtbench.harness.store.share_types import EstimateFigures

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESAMPLES = 1000
_AT_ONCE = 200_000
"""Answers times resamples that are held at once."""


class _Ranked:
    """Answers by falling confidence, and where their ties, bins and clips begin."""

    def __init__(self, answers: Sequence[ConfidentAnswer]) -> None:
        import numpy

        ranked = sorted(answers, key=lambda one: (-one.scored.confidence, one.scored.right, str(one.clip)))
        self.confidence = numpy.array([one.scored.confidence for one in ranked])
        self.wrong = numpy.array([not one.scored.right for one in ranked], dtype=float)
        numbers: dict[int | str, int] = {}
        self.clips = numpy.array([numbers.setdefault(one.clip, len(numbers)) for one in ranked])
        self.ties = _starts(self.confidence)
        self.bins = _starts(numpy.array([confidence_bin(value, BINS) for value in self.confidence]))

    def __len__(self) -> int:
        return len(self.confidence)


def _starts(values: NDArray[Any]) -> NDArray[Any]:
    """Return the places at which a value differs from the one before, the first included."""
    import numpy

    return numpy.flatnonzero(numpy.concatenate(([True], values[1:] != values[:-1])))


class _Curves(NamedTuple):
    """The figures of each resample; nan where there is none."""

    aurc: NDArray[Any]
    auroc: NDArray[Any]
    ece: NDArray[Any]


def confidence_figures(answers: Sequence[ConfidentAnswer]) -> ConfidenceFigures | None:
    """Return the figures of answers that have a probability; None where none has."""
    if not answers:
        return None
    import numpy

    ranked = _Ranked(answers)
    found = _curves(ranked, numpy.ones((1, len(ranked))))
    again = _resampled(ranked)
    return {
        "n": len(answers),
        "aurc": _estimate(found.aurc, again.aurc),
        "auroc": _estimate(found.auroc, again.auroc),
        "ece": _error_estimate(float(found.ece[0]), again.ece, ranked),
    }


def _resampled(ranked: _Ranked) -> _Curves:
    """Draw clips with replacement, each with all its answers."""
    import numpy

    rng = numpy.random.default_rng(0)
    clips = int(ranked.clips.max()) + 1
    parts = []
    for count in _batches(len(ranked)):
        times = numpy.zeros((count, clips))
        drawn = rng.integers(clips, size=(count, clips))
        numpy.add.at(times, (numpy.arange(count)[:, None], drawn), 1)
        parts.append(_curves(ranked, times[:, ranked.clips]))
    return _Curves(*(numpy.concatenate(curves) for curves in zip(*parts, strict=True)))


def _curves(ranked: _Ranked, times: NDArray[Any]) -> _Curves:
    """Return the figures where each answer comes so many times: a row a resample."""
    import numpy

    size = numpy.add.reduceat(times, ranked.ties, axis=1)
    wrong = numpy.add.reduceat(times * ranked.wrong, ranked.ties, axis=1)
    n, errors = size.sum(axis=1), wrong.sum(axis=1)
    size_before, wrong_before = size.cumsum(axis=1) - size, wrong.cumsum(axis=1) - wrong
    # Within a tie of t answers with e errors, the i-th adds (wrong_before + i e/t) / (size_before + i) on the mean.
    harmonic = numpy.concatenate(([0.0], (1 / numpy.arange(1, int(n.max()) + 1)).cumsum()))
    rate = numpy.divide(wrong, size, out=numpy.zeros_like(wrong), where=size > 0)
    more = harmonic[(size_before + size).astype(int)] - harmonic[size_before.astype(int)]
    aurc = (wrong + (wrong_before - size_before * rate) * more).sum(axis=1) / n
    pairs = errors * (n - errors)
    below = errors[:, None] - wrong_before - wrong
    won = ((size - wrong) * (below + wrong / 2)).sum(axis=1)
    auroc = numpy.divide(won, pairs, out=numpy.full_like(won, numpy.nan), where=pairs > 0)
    gaps = _bin_gaps(ranked, times * (1 - ranked.wrong - ranked.confidence))
    return _Curves(aurc, auroc, gaps * len(ranked) / n)


def _estimate(found: NDArray[Any], again: NDArray[Any]) -> EstimateFigures:
    """Return a figure with the middle 95 % of its resamples."""
    import numpy

    value = float(found[0])
    if numpy.isnan(value):
        return NOTHING
    low, high = (float(limit) for limit in numpy.nanquantile(again, (0.025, 0.975)))
    return {"value": value, "low": low, "high": high}


def _error_estimate(found: float, again: NDArray[Any], ranked: _Ranked) -> EstimateFigures:
    """Return a calibration error with its interval, which begins at 0 where confidence may be right.

    A mean of distances is larger in resamples than in the sample, as it is larger in the sample than in truth: the
    limits are moved back by twice that.
    """
    import numpy

    low, high = numpy.quantile(again, (0.025, 0.975)) - 2 * (again.mean() - found)
    by_chance = numpy.concatenate([_bin_gaps(ranked, gaps) for gaps in _rightly_confident(ranked)])
    may_be_right = found <= float(numpy.quantile(by_chance, 0.975))
    return {"value": found, "low": 0.0 if may_be_right else max(0.0, float(low)), "high": max(0.0, float(high))}


def _rightly_confident(ranked: _Ranked) -> Iterator[NDArray[Any]]:
    """Draw verdicts as often right as the confidence says, and yield their distances from it."""
    import numpy

    rng = numpy.random.default_rng(0)
    for count in _batches(len(ranked)):
        yield (rng.random((count, len(ranked))) < ranked.confidence) - ranked.confidence


def _batches(n: int) -> Iterator[int]:
    """Yield how many resamples of n answers to draw at once, RESAMPLES in all."""
    step = max(1, _AT_ONCE // n)
    for start in range(0, RESAMPLES, step):
        yield min(step, RESAMPLES - start)


def _bin_gaps(ranked: _Ranked, gaps: NDArray[Any]) -> NDArray[Any]:
    """Return the mean distance over bins, where these are the gaps of single answers: a row a resample."""
    import numpy

    sums = numpy.abs(numpy.add.reduceat(gaps, ranked.bins, axis=1))
    means: NDArray[Any] = sums.sum(axis=1) / gaps.shape[1]
    return means
