"""SAKURA's measure: of the clips whose single-hop question is answered right, how many multi-hop ones are too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any


def figures(records: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return for each track the shares of right single-hop and multi-hop answers, and of these given those."""
    tracks: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for record in records:
        if "error" not in record and record["score"]["official"]["counted"]:
            clip, _, hop = record["id"].rpartition("-")
            tracks[record["groups"]["Track"]][hop][clip] = float(record["score"]["official"]["correct"])
    each = {track: _given(hops["single"], hops["multi"]) for track, hops in sorted(tracks.items())}
    shown = ("single", "multi", "multi_given_single")
    average = {name: _mean([one[name] for one in each.values() if one[name] is not None]) for name in shown}
    return {"hops": {"tracks": each, "average": average}} if each else {}


def _given(single: Mapping[str, float], multi: Mapping[str, float]) -> dict[str, float | None]:
    both = [multi[clip] for clip, right in single.items() if right and clip in multi]
    return {
        "single": _mean(list(single.values())),
        "multi": _mean(list(multi.values())),
        "multi_given_single": _mean(both),
    }


def _mean(values: list[Any]) -> float | None:
    return sum(values) / len(values) if values else None
