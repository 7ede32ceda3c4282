"""`dtbench run --think-budget`: the same questions with chains of thought of several lengths, and what that costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from dtbench.harness.run.request import RunRequest
from dtbench.harness.run.session import RunResult, run_many
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.summary_types import TaskSummary
from dtbench.harness.store.types import Record


class BudgetPoint(NamedTuple):
    """One task with one budget: a point of the curve."""

    budget: int
    task: str
    summary: TaskSummary
    reached: int
    """Answers whose chain was ended at the budget, or may have been: see `exact`."""
    exact: bool
    """Whether the server tells tokens of the chain; else those of the whole answer are counted."""
    tokens: float | None
    """The mean of the answers' tokens; None where none are told."""


class BudgetRun(NamedTuple):
    """The run with one budget."""

    budget: int
    result: RunResult

    def points(self) -> Sequence[BudgetPoint]:
        """Return the point of each task."""
        stored = StoredRun.open(self.result.folder)
        return [_point(self.budget, one, list(stored.records(one["task"]))) for one in self.result.summaries]

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints of it."""
        curve = [
            {"task": one.task, "reached": one.reached, "exact": one.exact, "mean_tokens": one.tokens}
            for one in self.points()
        ]
        return {"budget": self.budget, "budget_use": curve, "exit_code": self.result.exit_code, **self.result.as_json()}


def run_budgets(request: RunRequest, *, quiet: bool) -> Iterator[BudgetRun]:
    """Run a request with each of its budgets, from the smallest, by one model that is loaded once."""
    requests = request.by_budget()
    for one, result in zip(requests, run_many(requests, quiet=quiet), strict=False):
        assert one.budget is not None
        yield BudgetRun(one.budget, result)


def _point(budget: int, summary: TaskSummary, records: Sequence[Record]) -> BudgetPoint:
    usages = [record["response"]["usage"] for record in records if "response" in record]
    exact = bool(usages) and all("reasoning_tokens" in usage for usage in usages)
    name = "reasoning_tokens" if exact else "completion_tokens"
    tokens = [usage["completion_tokens"] for usage in usages if "completion_tokens" in usage]
    return BudgetPoint(
        budget,
        summary["task"],
        summary,
        sum(_count(usage, name) >= budget for usage in usages),
        exact,
        sum(tokens) / len(tokens) if tokens else None,
    )


def _count(usage: Mapping[str, int], name: str) -> int:
    return usage.get(name, 0)
