"""Print what `dtbench probe states` found: the answer first, then drift, routing, and the swapped parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dtbench.harness.cli.tables import NONE, percent, print_rows
from dtbench.harness.cli.terminal import print_line

if TYPE_CHECKING:
    from dtbench.harness.store.share_types import EstimateFigures
    from dtbench.harness.store.states_probe_types import (
        DriftFigures,
        RoutingFigures,
        StatesProbe,
        SwapEffects,
        SwapFigures,
    )

_SEGMENTS = ("clip", "question", "chain", "answer")


def print_states(found: StatesProbe) -> None:
    """Print the report of a probe of states."""
    print_line(found["verdict"]["text"])
    sides = [("A", found["a"]), ("B", found["b"]), *([("control", found["control"])] if "control" in found else [])]
    for name, side in sides:
        print_line(
            f"{name}: {side['model'].get('model', '?')}, {percent(side['accuracy'])} % of {found['questions']} "
            f"questions right, log-probability of B's texts {_number(side['text_logprob'])} a token"
        )
    for line in _notes(found):
        print_line(line)
    beside = "; in brackets the control's" if "control" in found else ""
    drift = [row for row in found["drift"] if row["text"] == "b"]
    present = [name for name in _SEGMENTS if any(row["segment"] == name for row in drift)]
    told = "Drift at B's texts: 1 - cosine by segment, the most by numerics alone (null), the largest 1 - CKA"
    print_line(f"{told}{beside}")
    print_rows(("layer", *present, "null", "CKA"), _drift_rows(drift, present))
    routing = [row for row in found["routing"] if row["text"] == "b"]
    if routing:
        entropy = () if beside else ("bits A", "bits B")
        told = "Routing at B's texts: tokens with other experts in %, the most by numerics (null), load"
        print_line(f"{told}{', entropy' if entropy else ''}{beside}")
        titles = ("layer", *present, "null", "load", *entropy)
        print_rows(titles, [row[: len(titles)] for row in _routing_rows(routing, present)])
    if found["swaps"]:
        print_line("Parts of B put into A: the share in % of what all of B changes, with its 95 % interval")
        titles = ("part", "layers", "B's texts", "B's answers", "accuracy", "in %", "log-prob")
        print_rows(titles, [line for row in found["swaps"] for line in _swap_rows(row)])


def _notes(found: StatesProbe) -> Iterator[str]:
    yield from found["lacks"]
    if found["moved_experts"]:
        layers = ", ".join(map(str, found["moved_experts"]))
        yield f"Experts of layer {layers} have changed places: they are compared by what they are, not by number."
    if found.get("moved_in_control"):
        layers = ", ".join(map(str, found["moved_in_control"]))
        yield f"Experts of layer {layers} have changed places in the control."
    for name, how in found["nulls"].items():
        yield f"numerics, {name}: {how}, at B's texts to {found['null_questions']} questions"


def _drift_rows(rows: Iterable[DriftFigures], present: Sequence[str]) -> Iterator[Sequence[str]]:
    for layer, of_layer in _by_layer(rows).items():
        cosines = [_beside_control(of_layer.get(name), "cosine", _number) for name in present]
        ckas = [row["cka"] for row in of_layer.values() if row["cka"] is not None]
        of_control = [row["control"]["cka"] for row in of_layer.values() if "control" in row]
        control = [one for one in of_control if one is not None]
        null = [one["cosine"] for row in of_layer.values() for one in row.get("null", {}).values()]
        yield (
            "input" if layer < 0 else str(layer),
            *cosines,
            _number(max(null, default=None)),
            _in_brackets(_number(max(ckas, default=None)), _number(max(control)) if control else None),
        )


def _beside_control(row: Mapping[str, Any] | None, name: str, shown: Callable[[float | None], str]) -> str:
    """Return a figure of B with the control's in brackets, where there is one."""
    if row is None:
        return NONE
    return _in_brackets(shown(row[name]), shown(row["control"][name]) if "control" in row else None)


def _in_brackets(figure: str, control: str | None) -> str:
    return figure if control is None else f"{figure} ({control})"


def _by_layer(rows: Iterable[DriftFigures]) -> Mapping[int, Mapping[str, DriftFigures]]:
    found: dict[int, dict[str, DriftFigures]] = {}
    for row in rows:
        found.setdefault(row["layer"], {})[row["segment"]] = row
    return found


def _routing_rows(rows: Iterable[RoutingFigures], present: Sequence[str]) -> Iterator[Sequence[str]]:
    by_layer: dict[int, dict[str, RoutingFigures]] = {}
    for row in rows:
        by_layer.setdefault(row["layer"], {})[row["segment"]] = row
    for layer, own in by_layer.items():
        changed = [_beside_control(own.get(name), "changed", percent) for name in present]
        loads = [row["load_divergence"] for row in own.values() if row["load_divergence"] is not None]
        of_control = [row["control"]["load_divergence"] for row in own.values() if "control" in row]
        control = [one for one in of_control if one is not None]
        null = [one["changed"] for row in own.values() for one in row.get("null", {}).values()]
        tokens = sum(row["tokens"] for row in own.values())
        entropies = [
            _number(sum(row[name] * row["tokens"] for row in own.values()) / tokens)
            for name in ("entropy_a", "entropy_b")
        ]
        load = _in_brackets(_number(max(loads, default=None)), _number(max(control)) if control else None)
        yield (str(layer), *changed, percent(max(null, default=None)), load, *entropies)


def _swap_rows(row: SwapFigures) -> Iterator[Sequence[str]]:
    first, last = row["first"], row["last"]
    yield (row["part"], str(first) if first == last else f"{first}-{last}", *_effects(row))
    if "control" in row:
        yield ("  control", "", *_effects(row["control"]))


def _effects(row: SwapEffects) -> Sequence[str]:
    return (
        _share(row["text_share"]),
        _share(row["answer_share"]),
        _share(row["accuracy_share"]),
        percent(row["accuracy"]),
        _number(row["text_logprob"]),
    )


def _share(share: EstimateFigures) -> str:
    value, low, high = share["value"], share["low"], share["high"]
    if value is None or low is None or high is None:
        return NONE
    return f"{100 * value:.0f} [{100 * low:.0f}, {100 * high:.0f}]"


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:.2g}"
