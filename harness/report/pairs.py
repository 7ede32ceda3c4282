"""Every pair of a report's runs compared, so that the page can take any of them as the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from dtbench.harness.compare.paired import (
    PairedRuns,
    RunAnswers,
    group_comparisons,
    pair_answers,
    paired_figures,
)
from dtbench.harness.stats.paired_tests import TAIL, effective_table, holm
from dtbench.harness.stats.power import minimum_detectable
from dtbench.harness.store.types import as_fields

SURE = 0.05
"""Below this adjusted p value a group's difference is shown."""
_KEPT = ("difference", "low", "high", "better", "worse", "p")


def compare_all(answers: Sequence[RunAnswers]) -> list[dict[str, Any]]:
    """Compare each run with each other on the official score; of each pair the first named run comes first."""
    pairs = []
    for before, after in combinations(range(len(answers)), 2):
        paired = pair_answers(answers[before], answers[after], "official")
        pairs.append({"before": before, "after": after, **_pair(paired)})
    if len(pairs) == 1:  # the page says it of two runs alone, and it takes a second
        pairs[0]["minimum_detectable"] = _detectable(paired)
    for run in range(len(answers)):
        own = [pair for pair in pairs if run in (pair["before"], pair["after"])]
        for pair, adjusted in zip(own, holm([pair["p"] for pair in own]), strict=True):
            # With this run as the baseline, the page compares it with all others at once.
            pair["p_before" if run == pair["before"] else "p_after"] = adjusted
    return pairs


def _pair(paired: PairedRuns) -> dict[str, Any]:
    figures: dict[str, Any] = {**paired_figures(paired.pairs(paired.questions))}
    groups: list[dict[str, Any]] = [{**one} for one in group_comparisons(paired) if one["p_adjusted"] < SURE]
    return {
        **{name: figures[name] for name in _KEPT},
        "n": len(paired.questions),
        "only_before": paired.only_before,
        "only_after": paired.only_after,
        "confounders": [as_fields(one) for one in paired.confounders],
        "groups": [{name: one[name] for name in ("heading", "value", "difference", "p_adjusted")} for one in groups],
    }


def _detectable(paired: PairedRuns) -> float | None:
    table = effective_table(paired.pairs(paired.questions), TAIL) if paired.questions else None
    return None if table is None else minimum_detectable(table.n, table.flips)
