"""The total of a task that is a mean of groups: each group counts by its weight, however many questions it has."""

from __future__ import annotations

from collections.abc import Mapping

from dtbench.harness.core.scorer import GroupTotal
from dtbench.harness.store.paper_types import TotalFigures
from dtbench.harness.store.share_types import CountedFigures


def total_of_groups(
    total: GroupTotal | None, groups: Mapping[str, Mapping[str, CountedFigures]]
) -> dict[str, TotalFigures]:
    """Return the figure `total` of a task that names one; groups that were not asked have no part in it."""
    if total is None:
        return {}
    accuracies = {name: one["accuracy"] for name, one in groups.get(total.by, {}).items() if one["counted"]}
    weights = {name: total.weights.get(name, 0.0 if total.weights else 1.0) for name in accuracies}
    known = {name: value for name, value in accuracies.items() if value is not None and weights[name]}
    whole = sum(weights[name] for name in known)
    mean = sum(weights[name] * value for name, value in known.items()) / whole if whole else None
    return {"total": {"by": total.by, "groups": len(known), "accuracy": mean}}
