"""Sum up what two models had apart at the same tokens, and say which part of B matters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from dtbench.harness.probe.forced import SEGMENTS
from dtbench.harness.probe.state_measures import divergence_bits, linear_cka
from dtbench.harness.probe.state_passes import CONTROL, NULL_QUESTIONS, NULLS, B, StatesFolder, measure_key
from dtbench.harness.probe.state_records import MEASURES, sampled_file
from dtbench.harness.probe.swaps import ATTENTION, EXPERTS, MLP, OUTSIDE, ROUTER
from dtbench.harness.store.share_types import EstimateFigures
from dtbench.harness.store.states_probe_types import (
    DistanceFigures,
    DriftFigures,
    ProbedSide,
    RoutingFigures,
    RoutingNull,
    StatesProbe,
    StatesVerdict,
    SwapEffects,
    SwapFigures,
    SwapMeasure,
)

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Numbers = NDArray[numpy.float64]

SCHEMA = 1
DRAWS = 1000
_LEAST_CHANGE = 1e-5
"""A smaller mean change comes about where float32 is summed in another order, and has no parts to be shared out."""
_SEED = 0
_RIVALS = (ROUTER, EXPERTS, MLP, ATTENTION)
"""Parts of layers of which one may carry most of the change."""
_NAMES = {ROUTER: "routers", EXPERTS: "experts", MLP: "MLPs", ATTENTION: "attention", OUTSIDE: "what is in no layer"}
_NO_SHARE: EstimateFigures = {"value": None, "low": None, "high": None}


class SummedText(NamedTuple):
    """Sums of comparisons over texts."""

    counts: Any
    drift: Any
    routing: Mapping[str, Any]
    files: Sequence[Path]


def sum_comparisons(files: Sequence[Path]) -> SummedText | None:
    """Add up comparisons of texts; None where there is none."""
    import numpy

    totals: dict[str, Any] = {}
    for path in files:
        with numpy.load(path) as part:
            for name in part.files:
                if name != "segments":
                    totals[name] = totals[name] + part[name] if name in totals else part[name]
    if not totals:
        return None
    return SummedText(totals.pop("counts"), totals.pop("drift"), totals, files)


def distances(summed: SummedText, place: int, segment: int) -> DistanceFigures:
    """Return how far states are apart behind a layer, in a segment that has tokens."""
    means = summed.drift[:, place, segment] / summed.counts[segment]
    cka = _cka(summed.files, place, segment)
    named = {name: float(mean) for name, mean in zip(MEASURES, means, strict=True)}
    return cast("DistanceFigures", {**named, "cka": None if cka is None else max(0.0, 1 - cka)})


def _cka(files: Sequence[Path], place: int, segment: int) -> float | None:
    import numpy

    rows: list[Any] = []
    for path in files:
        with numpy.load(path) as part:
            own = part["segments"] == segment
        rows.append(numpy.load(sampled_file(path), mmap_mode="r")[place][:, own])
    joined = numpy.concatenate(rows, axis=1)
    return linear_cka(joined[0], joined[1])


def routing_of(summed: SummedText, layer: int, segment: int) -> RoutingNull:
    """Return how a layer's routing differs in a segment that has tokens."""
    count, routing = summed.counts[segment], summed.routing
    return {
        "load_divergence": divergence_bits(routing[f"load_a_{layer}"][segment], routing[f"load_b_{layer}"][segment]),
        "overlap": float(routing[f"overlap_{layer}"][segment] / count),
        "changed": float(routing[f"changed_{layer}"][segment] / count),
    }


class _DrawnQuestions(NamedTuple):
    """Questions as they are drawn again and again in the bootstrap."""

    weights: Any

    @classmethod
    def of(cls, questions: int) -> _DrawnQuestions:
        import numpy

        generator = numpy.random.default_rng(_SEED)
        return cls(generator.multinomial(questions, [1 / questions] * questions, DRAWS).astype(float))

    def share(self, part: Sequence[float], whole: Sequence[float]) -> EstimateFigures:
        """Return the ratio of two sums over the questions with its interval; null where the second may well be 0."""
        import numpy

        over, under = self.weights @ numpy.array(part), self.weights @ numpy.array(whole)
        low, high = numpy.percentile(under, [2.5, 97.5])
        if low <= 0 <= high or len(whole) < 2 or abs(sum(whole)) < _LEAST_CHANGE * len(whole):
            return _NO_SHARE
        ratios = over[under != 0] / under[under != 0]
        low, high = numpy.percentile(ratios, [2.5, 97.5])
        return {"value": float(sum(part) / sum(whole)), "low": float(low), "high": float(high)}


class _Measured:
    """What was measured of B's texts, with the models as they are and with each swap."""

    def __init__(self, lines: Sequence[SwapMeasure]) -> None:
        self._by_swap: dict[str, dict[str, SwapMeasure]] = {}
        for line in lines:
            self._by_swap.setdefault(line["swap"], {})[line["key"]] = line

    def mean(self, swap: str, figure: str) -> float | None:
        """Return the mean of a figure over the questions that have it."""
        values = [float(one) for line in self._by_swap[swap].values() if (one := cast("Any", line)[figure]) is not None]
        return sum(values) / len(values) if values else None

    def share(self, swap: str, figure: str) -> EstimateFigures:
        """Return the share of what all of B changes that a swap changes."""
        lines = cast("Any", [self._by_swap[name] for name in ("a", "b", swap)])
        keys = [key for key in lines[0] if all(one[key][figure] is not None for one in lines)]
        if not keys:
            return _NO_SHARE
        before, after, between = ([float(one[key][figure]) for key in keys] for one in lines)
        part = [two - one for one, two in zip(before, between, strict=True)]
        whole = [two - one for one, two in zip(before, after, strict=True)]
        return _DrawnQuestions.of(len(keys)).share(part, whole)


def make_report(folder: StatesFolder, tasks: list[str], seconds: float) -> StatesProbe:
    """Sum up all that the passes found."""
    shape, measured = folder.facts("shape"), _Measured(folder.measures())
    nulls = [name for name in NULLS if (folder.work / f"null-{name}").is_dir()]
    numeric = {name: sum_comparisons(_files(folder, f"null-{name}", "b")) for name in nulls}
    compared = [
        _ComparedText(by, summed, numeric if by == B else None, sum_comparisons(_files(folder, f"drift-{CONTROL}", by)))
        for by in "ba"
        if (summed := sum_comparisons(_files(folder, f"drift-{B}", by)))
    ]
    has_control = folder.is_done(CONTROL)
    swaps = list(_swap_rows(folder.facts("swaps"), measured, has_control=has_control))
    questions = len(folder.answers(B))
    report: StatesProbe = {
        "schema": SCHEMA,
        "tasks": tasks,
        "questions": questions,
        "null_questions": min(questions, NULL_QUESTIONS),
        "layers": shape["layers"],
        "experts": shape["experts"],
        "top_k": shape["top_k"],
        "a": _side(folder, "a", measured),
        "b": _side(folder, "b", measured),
        "verdict": verdict_of(swaps, shape["experts"]),
        "lacks": [] if shape["experts"] else [_LACKS],
        "moved_experts": sorted(map(int, folder.facts(f"moved-{B}"))),
        "nulls": {name: NULLS[name] for name in nulls},
        "drift": [row for one in compared for row in _drift_rows(one, shape["layers"])],
        "routing": [row for one in compared for row in _routing_rows(one, shape)],
        "swaps": swaps,
        "seconds": round(seconds, 3),
    }
    if has_control:
        report["control"] = _side(folder, CONTROL, measured)
        report["moved_in_control"] = sorted(map(int, folder.facts(f"moved-{CONTROL}")))
    return report


_LACKS = "A dense model: it has no experts and no routers, so there is no routing to compare, and no gates to swap."


def _files(folder: StatesFolder, name: str, by: str) -> list[Path]:
    return sorted((folder.work / name).glob(f"{by}-*.npz"))


def _side(folder: StatesFolder, by: str, measured: _Measured) -> ProbedSide:
    answers = folder.answers(by)
    return {
        "model": folder.facts(f"about-{by}"),
        "text_logprob": measured.mean(by, "text"),
        "answer_logprob": measured.mean(by, "answer"),
        "accuracy": sum(one["right"] for one in answers) / len(answers),
    }


class _ComparedText(NamedTuple):
    """One model's texts, as B computed them beside A, and what there is to hold that against."""

    by: str
    summed: SummedText
    numeric: Mapping[str, SummedText | None] | None
    """A against A in other numerics; None where that was not measured."""
    control: SummedText | None

    def segments(self) -> Iterator[tuple[int, str, int]]:
        """Yield number, name and tokens of each segment that has any."""
        for number, segment in enumerate(SEGMENTS):
            if count := int(self.summed.counts[number]):
                yield number, segment, count

    def beside(self, figures: Callable[[SummedText], Any], segment: int) -> dict[str, Any]:
        """Return the figures of the nulls that there are."""
        found: dict[str, Any] = {}
        if self.numeric is not None:
            known = {name: one for name, one in self.numeric.items() if one and one.counts[segment]}
            found["null"] = {name: figures(one) for name, one in known.items()}
        if self.control is not None:
            found["control"] = figures(self.control)
        return found


def _drift_rows(text: _ComparedText, layers: int) -> Iterator[DriftFigures]:
    for layer in range(-1, layers):
        for number, segment, count in text.segments():
            row = {"text": text.by, "layer": layer, "segment": segment, "tokens": count}
            figures = partial(distances, place=layer + 1, segment=number)
            yield cast("DriftFigures", {**row, **figures(text.summed), **text.beside(figures, number)})


def _routing_rows(text: _ComparedText, shape: Mapping[str, Any]) -> Iterator[RoutingFigures]:
    for layer in shape["routers"]:
        for number, segment, count in text.segments():
            row = {"text": text.by, "layer": layer, "segment": segment, "tokens": count}
            entropies = {
                f"entropy_{name}": float(text.summed.routing[f"entropy_{name}_{layer}"][number] / count)
                for name in "ab"
            }
            figures = partial(routing_of, layer=layer, segment=number)
            found = {**row, **figures(text.summed), **entropies, **text.beside(figures, number)}
            yield cast("RoutingFigures", found)


def _swap_rows(planned: Sequence[Sequence[Any]], measured: _Measured, *, has_control: bool) -> Iterator[SwapFigures]:
    for part, first, last, weights in planned:
        key = f"{part} {first}-{last}"
        row = {"part": part, "first": first, "last": last, "weights": weights, **_effects(measured, key)}
        control = {"control": _effects(measured, measure_key(CONTROL, key))} if has_control else {}
        yield cast("SwapFigures", {**row, **control})


def _effects(measured: _Measured, key: str) -> SwapEffects:
    return {
        "text_logprob": measured.mean(key, "text"),
        "answer_logprob": measured.mean(key, "answer"),
        "accuracy": measured.mean(key, "right"),
        "text_share": measured.share(key, "text"),
        "answer_share": measured.share(key, "answer"),
        "accuracy_share": measured.share(key, "right"),
    }


def verdict_of(swaps: Sequence[SwapFigures], experts: int) -> StatesVerdict:
    """Say which part of all layers carries most of what B changes in the log-probability of its texts."""
    last = max((row["last"] for row in swaps), default=0)
    whole = {row["part"]: row for row in swaps if row["first"] == 0 and row["last"] == last}
    rivals = [whole[part] for part in _RIVALS if part in whole]
    question = "Gates or experts?" if experts else "Which part?"
    if len(rivals) < 2:
        missing = "no two parts of B were put into A that could be compared (--parts)"
        return {"part": "not measured", "text": f"{question} Not measured: {missing}."}
    if any(row["text_share"]["value"] is None for row in rivals):
        text = f"{question} Neither: B's texts are as likely to A as they are to B, as far as these questions can tell."
        return {"part": "nothing", "text": text}
    ranked = sorted(rivals, key=lambda row: -_end(row, "value"))
    shares = ", ".join(f"{_NAMES[row['part']]} {_share(row['text_share'])}" for row in ranked)
    told = f"share of what B changes in the log-probability of its texts, put into A alone: {shares}"
    most = ranked[0]["part"]
    controls = [row["control"]["text_share"] for row in ranked if "control" in row]
    if controls:
        shares = ", ".join(f"{_NAMES[row['part']]} {_share(one)}" for row, one in zip(ranked, controls, strict=True))
        told = f"{told}; parts of the control do: {shares}"
    if _end(ranked[0], "low") <= max(0.0, _end(ranked[1], "high")):
        return {"part": "undecided", "text": f"{question} Undecided: {told}."}
    if controls and _end(ranked[0], "low") <= (controls[0]["high"] or 0.0):
        name = _NAMES[most]
        text = f"{question} Undecided: {name} of B do no more than those of the control: {told}."
        return {"part": "as the control", "text": text}
    return {"part": most, "text": f"{question} {_NAMES[most][0].upper()}{_NAMES[most][1:]}: {told}."}


def _end(row: SwapFigures, name: Literal["value", "low", "high"]) -> float:
    found = row["text_share"][name]
    return 0.0 if found is None else found


def _share(share: EstimateFigures) -> str:
    value, low, high = (100 * cast("float", share[name]) for name in ("value", "low", "high"))
    return f"{value:.0f} % [{low:.0f}, {high:.0f}]"
