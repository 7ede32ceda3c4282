"""What the figures of weights say, in three sentences: what changed most, what the optimiser leaves open, what is lost.

Adam moves every weight by about the learning rate, whatever its size: a relative change is a picture of the scale of
weights, so groups are ranked by the rms of the change, and one counts only where it is far from the others.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from dtbench.harness.store.weight_probe_types import OptimiserReach, WeightAnswer, WeightFigures

STANDS_OUT = 2.0
"""Times the median of the groups that changed: so much further a group has to have moved to be named."""
_SHOWN = 3
_FEW = 4
"""Up to so many tensors that changed are named one by one."""


def answer_of(
    whole: WeightFigures,
    groups: Sequence[WeightFigures],
    tensors: Sequence[WeightFigures],
    reach: OptimiserReach | None,
) -> WeightAnswer:
    """Say what changed, from the figures of all tensors together, of groups and of each."""
    moved = sorted((one for one in groups if one["changed"]), key=lambda one: -one["rms"])
    most = [one["name"] for one in _outstanding(moved)]
    return {
        "changed": _changed(moved, groups, tensors, most),
        "beyond": _beyond(whole, moved, reach),
        "below_resolution": _below(whole, tensors, reach),
        "most": most,
        "signal": [one["name"] for one in moved if one["verdict"] in {"signal", "beyond"}],
    }


def _outstanding(moved: Sequence[WeightFigures]) -> Sequence[WeightFigures]:
    """Return the groups that moved clearly further than the median of those that moved."""
    if len(moved) < 3:
        return moved if len(moved) == 1 else moved[:1] if _times(moved) >= STANDS_OUT else []
    middle = statistics.median(one["rms"] for one in moved)
    return [one for one in moved if one["rms"] >= STANDS_OUT * middle]


def _times(moved: Sequence[WeightFigures]) -> float:
    return moved[0]["rms"] / moved[-1]["rms"] if moved else 0.0


def _changed(
    moved: Sequence[WeightFigures],
    groups: Sequence[WeightFigures],
    tensors: Sequence[WeightFigures],
    most: Sequence[str],
) -> str:
    changed = [one for one in tensors if one["changed"]]
    if not changed:
        return f"nothing: all {len(tensors)} tensors are the same, bit for bit."
    if len(changed) <= _FEW and len(changed) < len(tensors):
        named = "; ".join(_tensor(one) for one in changed)
        return f"only {len(changed)} of {len(tensors)} tensors: {named}."
    said = f"{len(changed)} of {len(tensors)} tensors, in {len(moved)} of {len(groups)} groups"
    if len(most) == 0:
        least, largest = moved[-1]["rms"], moved[0]["rms"]
        return (
            f"{said}; no group stands out: rms {least:.2g} to {largest:.2g}, all within {STANDS_OUT:g} times the "
            "median, as the steps of an optimiser are."
        )
    if len(moved) == 1:
        return f"{said}: {_group(moved[0])}."
    middle = statistics.median(one["rms"] for one in moved)
    named = "; ".join(
        f"{_group(one)}, {one['rms'] / middle:.1f} times the median" for one in moved[: len(most)][:_SHOWN]
    )
    rest = f"; and {len(most) - _SHOWN} more groups" if len(most) > _SHOWN else ""
    return f"{said}; most: {named}{rest}."


def _tensor(one: WeightFigures) -> str:
    return f"{one['name']} (rms {one['rms']:.3g}, {one['changed']:.1%} of its elements)"


def _group(one: WeightFigures) -> str:
    return f"{one['name']} (rms {one['rms']:.2g})"


def _beyond(whole: WeightFigures, moved: Sequence[WeightFigures], reach: OptimiserReach | None) -> str:
    if not moved:
        return "nothing changed."
    low = [one for one in moved if (one["low_rank"] or 0) > 0.5 and one["verdict"] != "scaled"]
    ranks = _ranks(low, moved)
    if scaled := [one for one in moved if one["verdict"] == "scaled"]:
        ranks = f"only scaled, which another layer may undo: {_names(scaled)}; {ranks}"
    if reach is None:
        return f"{ranks}; how far the optimiser reaches is not known: give --learning-rate and --steps."
    chance = reach["random"] / reach["total"]
    above = [one for one in moved if one["verdict"] == "beyond"]
    along = [one for one in moved if one["verdict"] == "signal" and one not in low]
    parts = [
        f"coherence {_shown(whole['coherence'])} over all ({chance:.2f}: steps without a direction, 1: all in one)"
    ]
    if above:
        parts.append(f"further than {reach['steps']} steps can move: {_names(above)}")
    if along:
        parts.append(f"steps with a common direction: {_names(along)}")
    elif not above:
        parts.append("no group moved further than steps without a direction would")
    return f"{'; '.join([*parts, ranks])}."


def _ranks(low: Sequence[WeightFigures], moved: Sequence[WeightFigures]) -> str:
    if low:
        return f"low rank in {_names(low, rank=True)}"
    return "no change of low rank" if any(one["rank"] for one in moved) else "no matrix changed that has a rank"


def _names(groups: Sequence[WeightFigures], *, rank: bool = False) -> str:
    shown = [
        f"{one['name']} ({one['rank']:.1f}; noise {one['noise_rank']:.0f})" if rank and one["rank"] else one["name"]
        for one in groups[:_SHOWN]
    ]
    return ", ".join(shown) + (f" and {len(groups) - _SHOWN} more groups" if len(groups) > _SHOWN else "")


def _below(whole: WeightFigures, tensors: Sequence[WeightFigures], reach: OptimiserReach | None) -> str:
    still = [one for one in tensors if not one["changed"]]
    parts = []
    if still:
        size = whole["resolution"]
        would = f"; of a value of usual size no change below {size:.1g} would show" if size else ""
        parts.append(f"{len(still)} tensors did not change{would}")
    lost = whole["changed"] - whole["moved"]
    if lost > 0:
        parts.append(f"{lost:.1%} of the elements changed by less than a step of bfloat16, which is lost in it")
    if reach is not None and whole["hidden"]:
        parts.append(
            f"{whole['hidden']:.1%} are so large that not even {reach['steps']} steps in one direction would show"
        )
    return f"{'; '.join(parts)}." if parts else "nothing: every change shows in bfloat16."


def _shown(value: float | None) -> str:
    return "not known" if value is None else f"{value:.2f}"
