"""Several candidates, or several tasks: what each comparison is worth when it is one of many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dtbench.harness.compare.paired import PairedRuns, comparison, join_tasks
from dtbench.harness.stats.paired_tests import TAIL, bounds, cochran_q, holm, pooled
from dtbench.harness.store.comparison_types import ComparisonAmongSeveral, MeanDifference
from dtbench.harness.store.run_folder import StoredRun


def compare_runs(
    baseline: StoredRun, others: Sequence[StoredRun], task: str | None, score: str
) -> list[ComparisonAmongSeveral]:
    """Compare each of the other runs with the first, task by task, and say what their number does to each."""
    by_run = [join_tasks(baseline, other, task, score) for other in others]
    pairs = [pair for joined in by_run for pair in joined]
    means = [_mean_difference(joined) for joined in by_run for _ in joined]
    each = [comparison(pair) for pair in pairs]
    adjusted = holm([one["p"] for one in each])
    return [
        {
            **one,  # type: ignore[typeddict-item]  # `acoustics` is added later, where it is asked for
            "p_adjusted": p,
            "all_tasks": mean,
            "p_all_equal": _chance_of_equal_runs(pair.task, pairs),
        }
        for one, pair, p, mean in zip(each, pairs, adjusted, means, strict=True)
    ]


def _mean_difference(joined: Sequence[PairedRuns]) -> MeanDifference | None:
    """Return the mean of the tasks' differences, each task with the same weight; None for a single task."""
    asked = [pair for pair in joined if pair.questions]
    if len(asked) < 2:
        return None
    parts = [bounds(pair.pairs(pair.questions), TAIL) for pair in asked]
    mean = pooled(parts)
    return {"tasks": len(parts), "difference": mean.difference, "low": mean.low, "high": mean.high}


def _chance_of_equal_runs(task: str, pairs: Sequence[PairedRuns]) -> float | None:
    """Return Cochran's p value that all runs of a task are equally good; None for two runs, or several answers each."""
    of_task = [pair for pair in pairs if pair.task == task]
    if len(of_task) < 2 or any(pair.clusters for pair in of_task):
        return None
    rows = list(_rows(of_task))
    return cochran_q(rows) if rows and all(share in {0, 1} for row in rows for share in row) else None


def _rows(pairs: Sequence[PairedRuns]) -> Iterator[list[float]]:
    """Yield the shares of all runs on each question that all have, the baseline's first."""
    first, *others = [pair.questions for pair in pairs]
    rest = [dict(zip(other.ids(), other.after_shares(), strict=True)) for other in others]
    for one in first:
        if all(one.id in other for other in rest):
            yield [one.before, one.after, *(other[one.id] for other in rest)]
