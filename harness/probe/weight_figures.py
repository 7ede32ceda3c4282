"""Figures of tensors and of groups of them: by kind, by layer, by both, and by layer and expert."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from dtbench.harness.probe.change_ranks import ChangeRank
from dtbench.harness.probe.tensor_kinds import KINDS, PARTS, TensorPlace, place_of
from dtbench.harness.probe.weight_changes import ChangeSums, half_step
from dtbench.harness.store.weight_probe_types import (
    ExpertMap,
    OptimiserReach,
    RouterLayer,
    StoredChange,
    StoredTensor,
    WeightDirection,
    WeightFigures,
)

BEYOND = 1.1
"""Coherence from which on a change is more than the optimiser can have made; rounding may take one a little above 1."""
SCALED = 0.999
"""Share of a change that lies along the weights themselves from which on they were only scaled."""
NOISE_TIMES = 2.0
"""Up to so many times what steps without a common direction reach, a change is called noise."""
_SUMS = (
    "size",
    "changed",
    "moved",
    "steps",
    "by_steps",
    "most_steps",
    "hidden",
    "squares",
    "weights",
    "along",
    "largest",
    "invalid",
)


class MeasuredTensor(NamedTuple):
    """A tensor's change from one checkpoint to the next."""

    name: str
    place: TensorPlace
    change: StoredChange

    @property
    def sums(self) -> ChangeSums:
        """The sums over its elements."""
        return ChangeSums(**{name: self.change[name] for name in _SUMS})  # type: ignore[literal-required]

    @property
    def rank(self) -> ChangeRank | None:
        """The rank of its change; None where it has none."""
        change = self.change
        if "rank" not in change:
            return None
        return ChangeRank(change["rank"], change["noise_rank"], change["top_share"], change["noise_top_share"])


def measured_tensors(stored: Iterable[StoredTensor], number: int) -> list[MeasuredTensor]:
    """Return the changes from the checkpoint of this number to the next, in the order of the model."""
    found = [MeasuredTensor(one["name"], place_of(one["name"]), one["changes"][number]) for one in stored]
    return sorted(found, key=lambda one: (_order(one.place), one.name))


def grouped(
    tensors: Sequence[MeasuredTensor], key: Callable[[TensorPlace], TensorPlace | None], reach: OptimiserReach | None
) -> list[WeightFigures]:
    """Return the figures of the tensors that a key puts together, in the order of the model; None leaves one out."""
    groups: dict[TensorPlace, list[MeasuredTensor]] = {}
    for one in tensors:
        if (place := key(one.place)) is not None:
            groups.setdefault(place, []).append(one)
    return [figures_of(place_name(place), place, members, reach) for place, members in groups.items()]


def by_kind(place: TensorPlace) -> TensorPlace:
    """Put the tensors of a kind together."""
    return TensorPlace("", place.kind, None)


def by_layer(place: TensorPlace) -> TensorPlace:
    """Put the tensors of a layer together; of a part, those outside of its layers."""
    return TensorPlace(place.part, "", place.layer)


def by_layer_and_kind(place: TensorPlace) -> TensorPlace:
    """Put the tensors of a kind in a layer together."""
    return TensorPlace(place.part, place.kind, place.layer)


def by_expert(place: TensorPlace) -> TensorPlace | None:
    """Put the tensors of an expert together."""
    return place if place.is_of_experts and place.kind == "expert" else None


def place_name(place: TensorPlace) -> str:
    """Name a group: `layer 3 router`, `audio layer 1`, `head`."""
    words = []
    if place.layer is not None:
        words += [*([] if place.part in {"decoder", ""} else [place.part]), f"layer {place.layer}"]
    if place.kind and not (place.layer is not None and place.kind == place.part):
        words.append(place.kind)
    if place.expert is not None:
        words.append(str(place.expert))
    return " ".join(words) or (f"{place.part} outside of layers" if place.part else "all")


def figures_of(
    name: str, place: TensorPlace, members: Sequence[MeasuredTensor], reach: OptimiserReach | None
) -> WeightFigures:
    """Return the figures of some tensors together."""
    sums = ChangeSums()
    for one in members:
        sums.add(one.sums)
    ranks = [one.rank for one in members if one.rank is not None]
    size = max(sums.size, 1)
    coherence = _coherence(sums, reach)
    return {
        "name": name,
        "part": place.part or None,
        "kind": place.kind or None,
        "layer": place.layer,
        "expert": place.expert,
        "tensors": len(members),
        "elements": sums.size,
        "changed": sums.changed / size,
        "rms": sums.rms,
        "relative": sums.relative,
        "scaled": _scaled(sums),
        "largest": sums.largest,
        "moved": sums.moved / size,
        "usual_steps": sums.usual_steps,
        "mean_steps": sums.steps / sums.moved if sums.moved else 0.0,
        "most_steps": sums.most_steps,
        "resolution": half_step(math.sqrt(sums.weights / size), _coarsest(members)),
        "hidden": None if reach is None else sums.hidden / size,
        "coherence": coherence,
        "rank": _median(one.rank for one in ranks),
        "noise_rank": _median(one.noise_rank for one in ranks),
        "top_share": _median(one.top_share for one in ranks),
        "noise_top_share": _median(one.noise_top_share for one in ranks),
        "low_rank": sum(one.is_low for one in ranks) / len(ranks) if ranks else None,
        "invalid": sums.invalid,
        "verdict": _verdict(sums, coherence, reach, ranks),
    }


def expert_map(tensors: Sequence[MeasuredTensor]) -> ExpertMap | None:
    """Return a figure of each expert of each layer of the decoder; None for a model without experts."""
    cells = {(one["layer"], one["expert"]): one for one in grouped(tensors, by_expert, None)}
    if not cells:
        return None
    layers = sorted({layer for layer, _ in cells if layer is not None})
    experts = sorted({expert for _, expert in cells if expert is not None})
    routers = {one.place.layer: one for one in tensors if one.place.kind == "router" and "angles" in one.change}
    rows = [[cells.get((layer, expert)) for expert in experts] for layer in layers]
    return {
        "layers": layers,
        "experts": experts,
        "rms": [[None if cell is None else cell["rms"] for cell in row] for row in rows],
        "relative": [[None if cell is None else cell["relative"] for cell in row] for row in rows],
        "changed": [[None if cell is None else cell["changed"] for cell in row] for row in rows],
        "router_angle": [_angles(routers.get(layer), experts) for layer in layers],
        "routers": [
            _router_layer(layer, routers[layer].sums, [cell for cell in row if cell is not None])
            for layer, row in zip(layers, rows, strict=True)
            if layer in routers
        ],
    }


def directions(stored: Sequence[StoredTensor], other: int) -> list[WeightDirection]:
    """Return for each kind, and for each kind in each layer, how a later change lies to the first."""
    found = []
    for key in (by_kind, by_layer_and_kind):
        groups: dict[TensorPlace, list[StoredTensor]] = {}
        for one in sorted(stored, key=lambda one: (_order(place_of(one["name"])), one["name"])):
            groups.setdefault(key(place_of(one["name"])), []).append(one)
        found += [_direction(place, members, other) for place, members in groups.items()]
    return found


def _direction(place: TensorPlace, members: Sequence[StoredTensor], other: int) -> WeightDirection:
    first, second = (math.fsum(one["changes"][number]["squares"] for one in members) for number in (0, other))
    product = math.fsum(one["products"][other - 1] for one in members)
    size = sum(one["rows"] * one["columns"] for one in members)
    apart = math.sqrt(first) + math.sqrt(second)
    cosine = product / math.sqrt(first * second) if first and second else None
    return {
        "name": place_name(place),
        "part": place.part or None,
        "kind": place.kind or None,
        "layer": place.layer,
        "expert": None,
        "elements": size,
        "cosine": None if cosine is None else max(-1.0, min(1.0, cosine)),
        "chance": 1 / math.sqrt(size) if size else 1.0,
        "kept": math.sqrt(max(0.0, first + second + 2 * product)) / apart if apart else None,
    }


def _angles(router: MeasuredTensor | None, experts: Sequence[int]) -> list[float | None]:
    angles = [] if router is None else router.change["angles"]
    return [angles[expert] if expert < len(angles) else None for expert in experts]


def _router_layer(layer: int, router: ChangeSums, experts: Sequence[WeightFigures]) -> RouterLayer:
    rms = statistics.median(one["rms"] for one in experts)
    relative = _median(one["relative"] for one in experts if one["relative"] is not None)
    return {
        "layer": layer,
        "router_rms": router.rms,
        "experts_rms": rms,
        "router_relative": router.relative,
        "experts_relative": relative,
        "ratio": router.relative / relative if relative and router.relative is not None else None,
        "rms_ratio": router.rms / rms if rms else None,
    }


def _coherence(sums: ChangeSums, reach: OptimiserReach | None) -> float | None:
    """Return the rms of what can show a change, as a share of the optimiser's reach."""
    if reach is None or not reach["total"]:
        return None
    visible = sums.size - sums.hidden
    return math.sqrt(sums.squares / visible) / reach["total"] if visible > 0 else None


def _scaled(sums: ChangeSums) -> float | None:
    """Return the share of the change that lies along the weights; None where nothing changed."""
    both = sums.squares * sums.weights
    return min(1.0, sums.along * sums.along / both) if both else None


def _verdict(
    sums: ChangeSums, coherence: float | None, reach: OptimiserReach | None, ranks: Sequence[ChangeRank]
) -> str:
    if not sums.changed:
        return "same"
    if (_scaled(sums) or 0) >= SCALED and sums.size > 1:
        return "scaled"
    if coherence is not None and coherence > BEYOND:
        return "beyond"
    low = 2 * sum(one.is_low for one in ranks) > len(ranks)
    if low:
        return "signal"
    if reach is None or coherence is None:
        return "noise" if ranks else "changed"
    return "signal" if coherence > NOISE_TIMES * reach["random"] / reach["total"] else "noise"


def _coarsest(members: Sequence[MeasuredTensor]) -> str:
    types = {one.change["dtype"] for one in members}
    return next((one for one in ("BF16", "F16", "F32", "F64") if one in types), "F32")


def _median(values: Iterable[float]) -> float | None:
    found = list(values)
    return statistics.median(found) if found else None


def _order(place: TensorPlace) -> tuple[int, int, int, int]:
    layer = -1 if place.layer is None else place.layer
    expert = -1 if place.expert is None else place.expert
    return PARTS.index(place.part), layer, KINDS.index(place.kind), expert


def kinds_in_order(figures: Sequence[WeightFigures]) -> list[WeightFigures]:
    """Return the figures of kinds in the order of tables."""
    ranked: Mapping[str | None, int] = {kind: number for number, kind in enumerate(KINDS)}
    return sorted(figures, key=lambda one: ranked[one["kind"]])
