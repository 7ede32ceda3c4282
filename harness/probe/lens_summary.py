"""What the lens found over all questions: means by layer with bootstrap intervals, and where tokens settle.

A question is what is drawn again in the bootstrap, with all its tokens: tokens of one question hang together. In
means by layer every question counts alike, however many words its text has; where tokens settle is told of tokens.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from dtbench.harness.probe.settling import LEAST_FALL, NEVER, TokenTrace, hearing_ends, settles, settles_surely
from dtbench.harness.store.lens_probe_types import (
    LensChange,
    LensKind,
    LensLayer,
    LensMeasure,
    LensReading,
    PatchedKind,
    PatchLayer,
    PatchReadings,
    SettlingFigures,
    TokenKind,
    TokenReadings,
)
from dtbench.harness.store.share_types import EstimateFigures

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Numbers = NDArray[numpy.float64]

DRAWS = 1000
SEED = 0
_CHANGING: Sequence[LensMeasure] = get_args(LensMeasure)
KINDS: Sequence[str] = get_args(TokenKind)
_LEAST = 2
"""Questions below which there is no interval."""


class _Drawn(NamedTuple):
    """Weights of the questions in each draw of the bootstrap."""

    weights: Numbers

    @classmethod
    def of(cls, questions: int) -> _Drawn:
        """Draw the questions, each draw as many as there are."""
        import numpy

        generator = numpy.random.default_rng(SEED)
        return cls(generator.multinomial(questions, [1 / questions] * questions, DRAWS) / questions)

    def estimates(self, values: Numbers, change: Callable[[Numbers], Numbers] | None = None) -> list[EstimateFigures]:
        """Return the mean of each column, over the questions, with its interval; `change` is applied to means."""
        import numpy

        means, drawn = values.mean(axis=0, keepdims=True), self.weights @ values
        if change is not None:
            means, drawn = change(means), change(drawn)
        limits = numpy.percentile(drawn, [2.5, 97.5], axis=0)
        rows = zip(means[0], limits[0], limits[1], strict=True)
        return [_estimate(value, low, high, len(values)) for value, low, high in rows]

    def ratio(self, parts: Sequence[float], wholes: Sequence[float]) -> EstimateFigures:
        """Return the ratio of two sums over the questions with its interval; null where the second is 0."""
        import numpy

        over, under = numpy.array(parts, float), numpy.array(wholes, float)
        if not under.sum():
            return {"value": None, "low": None, "high": None}
        sums = self.weights @ under
        drawn = (self.weights @ over)[sums > 0] / sums[sums > 0]
        low, high = numpy.percentile(drawn, [2.5, 97.5])
        return _estimate(over.sum() / under.sum(), low, high, len(over))


def _estimate(value: Any, low: Any, high: Any, questions: int) -> EstimateFigures:
    if questions < _LEAST:
        return {"value": float(value), "low": None, "high": None}
    return {"value": float(value), "low": float(low), "high": float(high)}


def reduce_traces(traces: Sequence[TokenTrace]) -> TokenReadings:
    """Reduce the tokens of one kind in one question to means by layer, and the layers where each settles."""
    layers = range(len(traces[0].logprob))

    def means(of: Callable[[TokenTrace], Sequence[float]]) -> list[float]:
        return [math.fsum(of(one)[layer] for one in traces) / len(traces) for layer in layers]

    others = [one for one in traces if one.other is not None]
    return {
        "tokens": len(traces),
        "entropy": means(lambda one: one.entropy),
        "logprob": means(lambda one: one.logprob),
        "rank": means(lambda one: [math.log2(rank) for rank in one.rank]),
        "first": means(lambda one: [float(rank == 1) for rank in one.rank]),
        "probability": means(lambda one: [math.exp(value) for value in one.logprob]),
        "other": _mean_probability([one.other for one in others if one.other is not None]),
        "margin": None if traces[0].margin is None else list(traces[0].margin),
        "settles": [settles(one) for one in traces],
        "sure": [settles_surely(one) for one in traces],
    }


def _mean_probability(logprobs: Sequence[Sequence[float]]) -> list[float] | None:
    if not logprobs:
        return None
    return [math.fsum(map(math.exp, layer)) / len(logprobs) for layer in zip(*logprobs, strict=True)]


def summarise_kinds(readings: Sequence[LensReading]) -> list[LensKind]:
    """Summarise the readings of one checkpoint by kind of token, in their order in a text."""
    found = {kind: [one["kinds"][kind] for one in readings if kind in one["kinds"]] for kind in KINDS}
    return [_summarise_kind(kind, own) for kind, own in found.items() if own]


def _summarise_kind(kind: str, own: Sequence[TokenReadings]) -> LensKind:
    drawn = _Drawn.of(len(own))
    return {
        "kind": kind,
        "questions": len(own),
        "tokens": sum(one["tokens"] for one in own),
        "layers": _layers(own, drawn),
        "settling": _settling(own, drawn),
    }


def _layers(own: Sequence[TokenReadings], drawn: _Drawn) -> list[LensLayer]:
    import numpy

    entropy, probability, first = (
        drawn.estimates(numpy.array([one[name] for one in own])) for name in ("entropy", "probability", "first")
    )
    rank = drawn.estimates(numpy.array([one["rank"] for one in own]), numpy.exp2)
    other, margin = (_where_known([one[name] for one in own]) for name in ("other", "margin"))
    return [
        {
            "layer": layer,
            "entropy": entropy[layer],
            "probability": probability[layer],
            "rank": rank[layer],
            "first": first[layer],
            "other": None if other is None else other[layer],
            "margin": None if margin is None else margin[layer],
        }
        for layer in range(len(entropy))
    ]


def _where_known(values: Sequence[list[float] | None]) -> list[EstimateFigures] | None:
    """Return the means of the questions that have such values; None where none has."""
    import numpy

    known = [one for one in values if one is not None]
    return _Drawn.of(len(known)).estimates(numpy.array(known)) if known else None


def _settling(own: Sequence[TokenReadings], drawn: _Drawn) -> SettlingFigures:
    tokens = [one["tokens"] for one in own]
    share, layer = _settled([one["settles"] for one in own], tokens, drawn)
    sure_share, sure_layer = _settled([one["sure"] for one in own], tokens, drawn)
    return {"share": share, "layer": layer, "sure_share": sure_share, "sure_layer": sure_layer}


def _settled(
    layers: Sequence[Sequence[int]], tokens: Sequence[int], drawn: _Drawn
) -> tuple[EstimateFigures, EstimateFigures]:
    """Return which share of the tokens settles, and the mean layer of those that do."""
    known = [[layer for layer in one if layer != NEVER] for one in layers]
    counts = [len(one) for one in known]
    return drawn.ratio(counts, tokens), drawn.ratio([sum(one) for one in known], counts)


def summarise_patches(readings: Sequence[LensReading]) -> list[PatchedKind]:
    """Summarise what another clip's states do, by kind of token."""
    found = {kind: [one["patched"][kind] for one in readings if kind in one["patched"]] for kind in KINDS}
    return [_summarise_patch(kind, own) for kind, own in found.items() if own]


def _summarise_patch(kind: str, own: Sequence[PatchReadings]) -> PatchedKind:
    import numpy

    drawn = _Drawn.of(len(own))
    changed = drawn.estimates(numpy.array([one["changed"] for one in own]))
    fall = drawn.estimates(numpy.array([one["fall"] for one in own]))
    layers: list[PatchLayer] = [
        {"layer": layer, "changed": each, "fall": fall[layer]} for layer, each in enumerate(changed)
    ]
    low = fall[0]["low"]
    hears = None if low is None else low > LEAST_FALL
    ends = hearing_ends([one["value"] or 0.0 for one in fall], hears=bool(hears))
    return {"kind": kind, "questions": len(own), "layers": layers, "hears": hears, "ends": ends}


def summarise_changes(readings: Sequence[Sequence[LensReading]], last: int) -> list[LensChange]:
    """Summarise how the last checkpoint, and a control behind it, differ from the first, question by question."""
    if not last:
        return []
    base: Mapping[str, Mapping[str, TokenReadings]] = {one["id"]: one["kinds"] for one in readings[0]}
    found: list[LensChange] = []
    for kind in KINDS:
        for measure in _CHANGING:
            pairs = [_differences(base, own, kind, measure) for own in readings[last:]]
            for layer, estimates in enumerate(zip(*(_where_known(one) or [] for one in pairs), strict=True)):
                change: LensChange = {"kind": kind, "layer": layer, "measure": measure, "change": estimates[0]}
                found.append({**change, "control": estimates[1]} if len(estimates) > 1 else change)
    return found


def _differences(
    base: Mapping[str, Mapping[str, TokenReadings]], own: Sequence[LensReading], kind: str, measure: LensMeasure
) -> list[list[float] | None]:
    both = [(base[one["id"]].get(kind), one["kinds"].get(kind)) for one in own]
    known = [(one[measure], other[measure]) for one, other in both if one is not None and other is not None]
    return [
        [after - before for before, after in zip(one, other, strict=True)]
        for one, other in known
        if one is not None and other is not None
    ]


def by_checkpoint(readings: Sequence[LensReading]) -> Mapping[int, Sequence[LensReading]]:
    """Part readings by the checkpoint that they are of."""
    parts: dict[int, list[LensReading]] = {}
    for one in readings:
        parts.setdefault(one["checkpoint"], []).append(one)
    return parts
