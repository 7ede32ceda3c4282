"""`dtbench run --think-budget`: the same questions with chains of thought of several lengths, and what that costs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from dtbench.harness.run.ending import RunResult
from dtbench.harness.run.request import RunRequest
from dtbench.harness.run.session import run_many
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.summary_types import TaskSummary
from dtbench.harness.store.types import Record, ResponseRecord


class CutAnswers(NamedTuple):
    """Those answers of a task whose chains were ended at the budget, or those whose chains were not."""

    ids: Sequence[str]
    """Of their questions, once for each answer."""
    correct: int

    @property
    def accuracy(self) -> float | None:
        """The share that is correct, to a careful reader; None of none."""
        return self.correct / len(self.ids) if self.ids else None


class BudgetPoint(NamedTuple):
    """One task with one budget: a point of the curve."""

    budget: int
    task: str
    summary: TaskSummary
    cut: CutAnswers
    """Answers whose chain was ended at the budget."""
    uncut: CutAnswers
    """The others."""
    exact: bool
    """Whether the model tells of each answer whether it was cut, or the tokens of its chain."""
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
        curve = [_point_json(one) for one in self.points()]
        return {"budget": self.budget, "budget_use": curve, "exit_code": self.result.exit_code, **self.result.as_json()}


def run_budgets(request: RunRequest, *, quiet: bool) -> Iterator[BudgetRun]:
    """Run a request with each of its budgets, from the smallest, by one model that is loaded once."""
    requests = request.by_budget()
    for one, result in zip(requests, run_many(requests, quiet=quiet), strict=False):
        assert one.budget is not None
        yield BudgetRun(one.budget, result)


def _point_json(one: BudgetPoint) -> dict[str, Any]:
    return {
        "task": one.task,
        "reached": len(one.cut.ids),
        "exact": one.exact,
        "cut_ids": list(one.cut.ids),
        "cut_strict": one.cut.accuracy,
        "uncut_strict": one.uncut.accuracy,
        "mean_tokens": one.tokens,
    }


def _point(budget: int, summary: TaskSummary, records: Sequence[Record]) -> BudgetPoint:
    answered = [record for record in records if "response" in record]
    responses = [record["response"] for record in answered]
    exact = bool(responses) and all("cut_at_budget" in one or "reasoning_tokens" in one["usage"] for one in responses)
    tokens = [one["usage"]["completion_tokens"] for one in responses if "completion_tokens" in one["usage"]]
    was_cut = [_was_cut(one, budget, exact=exact) for one in responses]
    return BudgetPoint(
        budget,
        summary["task"],
        summary,
        _answers(record for record, cut in zip(answered, was_cut, strict=True) if cut),
        _answers(record for record, cut in zip(answered, was_cut, strict=True) if not cut),
        exact,
        sum(tokens) / len(tokens) if tokens else None,
    )


def _was_cut(response: ResponseRecord, budget: int, *, exact: bool) -> bool:
    """Whether a chain was ended at its budget; where nobody tells, whether it may have been."""
    name = "reasoning_tokens" if exact else "completion_tokens"
    return response.get("cut_at_budget", response["usage"].get(name, 0) >= budget)


def _answers(records: Iterable[Record]) -> CutAnswers:
    found = list(records)
    return CutAnswers([one["id"] for one in found], sum(one["score"]["correct"] is True for one in found))
