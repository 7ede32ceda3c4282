"""Print what `dtbench probe states` found: the answer first, then drift, routing, and the swapped parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from dtbench.harness.cli.tables import NONE, percent, print_rows
from dtbench.harness.cli.terminal import print_line

if TYPE_CHECKING:
    from dtbench.harness.store.share_types import EstimateFigures
    from dtbench.harness.store.states_probe_types import DriftFigures, RoutingFigures, StatesProbe, SwapFigures

_SEGMENTS = ("clip", "question", "chain", "answer")


def print_states(found: StatesProbe) -> None:
    """Print the report of a probe of states."""
    print_line(found["verdict"]["text"])
    for name in ("a", "b"):
        side = found[name]
        print_line(
            f"{name.upper()}: {side['model'].get('model', '?')}, {percent(side['accuracy'])} % of {found['questions']} "
            f"questions right, log-probability of B's texts {_number(side['text_logprob'])} a token"
        )
    for line in _notes(found):
        print_line(line)
    drift = [row for row in found["drift"] if row["text"] == "b"]
    present = [name for name in _SEGMENTS if any(row["segment"] == name for row in drift)]
    print_line("Drift at B's texts: 1 - cosine by segment, the most by numerics alone (null), the largest 1 - CKA")
    print_rows(("layer", *present, "null", "CKA"), _drift_rows(drift, present))
    routing = [row for row in found["routing"] if row["text"] == "b"]
    if routing:
        print_line("Routing at B's texts: tokens with other experts in %, the most by numerics (null), load, entropy")
        print_rows(
            ("layer", *present, "null", "load", "bits A", "bits B"),
            _routing_rows(routing, present),
        )
    if found["swaps"]:
        print_line("Parts of B put into A: the share in % of what all of B changes, with its 95 % interval")
        titles = ("part", "layers", "B's texts", "B's answers", "accuracy", "in %", "log-prob")
        print_rows(titles, map(_swap_row, found["swaps"]))


def _notes(found: StatesProbe) -> Iterator[str]:
    yield from found["lacks"]
    if found["moved_experts"]:
        layers = ", ".join(map(str, found["moved_experts"]))
        yield f"Experts of layer {layers} have changed places: they are compared by what they are, not by number."
    for name, how in found["nulls"].items():
        yield f"numerics, {name}: {how}, at B's texts to {found['null_questions']} questions"


def _drift_rows(rows: Iterable[DriftFigures], present: Sequence[str]) -> Iterator[Sequence[str]]:
    for layer, of_layer in _by_layer(rows).items():
        cosines = [_number(of_layer[name]["cosine"]) if name in of_layer else NONE for name in present]
        ckas = [row["cka"] for row in of_layer.values() if row["cka"] is not None]
        null = [one["cosine"] for row in of_layer.values() for one in row.get("null", {}).values()]
        yield (
            "input" if layer < 0 else str(layer),
            *cosines,
            _number(max(null, default=None)),
            _number(max(ckas, default=None)),
        )


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
        changed = [percent(own[name]["changed"]) if name in own else NONE for name in present]
        loads = [row["load_divergence"] for row in own.values() if row["load_divergence"] is not None]
        null = [one["changed"] for row in own.values() for one in row.get("null", {}).values()]
        tokens = sum(row["tokens"] for row in own.values())
        entropies = [
            _number(sum(row[name] * row["tokens"] for row in own.values()) / tokens)
            for name in ("entropy_a", "entropy_b")
        ]
        yield (str(layer), *changed, percent(max(null, default=None)), _number(max(loads, default=None)), *entropies)


def _swap_row(row: SwapFigures) -> Sequence[str]:
    first, last = row["first"], row["last"]
    return (
        row["part"],
        str(first) if first == last else f"{first}-{last}",
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
