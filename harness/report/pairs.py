"""Every pair of a report's runs compared, so that the page can take any of them as the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from dtbench.harness.compare.paired import RunAnswers, comparison, pair_answers
from dtbench.harness.stats.paired_tests import holm
from dtbench.harness.store.comparison_types import Comparison, GroupComparison

SURE = 0.05
"""Below this adjusted p value a group's difference is shown."""
_KEPT = ("n", "difference", "low", "high", "better", "worse", "p", "minimum_detectable", "only_before", "only_after")


def compare_all(answers: Sequence[RunAnswers]) -> list[dict[str, Any]]:
    """Compare each run with each other on the official score; of each pair the first named run comes first."""
    pairs = []
    for before, after in combinations(range(len(answers)), 2):
        found = comparison(pair_answers(answers[before], answers[after], "official"))
        pairs.append(_pair(before, after, found))
    for run in range(len(answers)):
        own = [pair for pair in pairs if run in (pair["before"], pair["after"])]
        for pair, adjusted in zip(own, holm([pair["p"] for pair in own]), strict=True):
            # With this run as the baseline, the page compares it with all others at once.
            pair["p_before" if run == pair["before"] else "p_after"] = adjusted
    return pairs


def _pair(before: int, after: int, found: Comparison) -> dict[str, Any]:
    figures: dict[str, Any] = {name: found[name] for name in _KEPT}  # type: ignore[literal-required]
    groups = [_group(one) for one in found["groups"] if one["p_adjusted"] < SURE]
    return {
        "before": before,
        "after": after,
        **figures,
        "confounders": found["confounders"],
        "groups": groups,
    }


def _group(one: GroupComparison) -> dict[str, Any]:
    return {name: one[name] for name in ("heading", "value", "difference", "p_adjusted")}
