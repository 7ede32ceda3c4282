"""What two runs show, in one sentence that needs no statistics."""

from __future__ import annotations

from collections.abc import Sequence

from dtbench.harness.compare.gate import GateVerdict, Verdict
from dtbench.harness.compare.paired import EQUAL_WITHIN
from dtbench.harness.store.comparison_types import Comparison


def gate_in_words(results: Sequence[GateVerdict], verdict: Verdict) -> str:
    """Say what a gate found, the worst first."""
    named = [one for one in results if one.verdict == verdict and one.required] or list(results)
    first = named[0]
    where = "" if len(results) == 1 else f" on {', '.join(one.name for one in named)}"
    if first.look > first.looks:
        return (
            f"The {first.looks} looks at this baseline are used up, so it can decide nothing more: choose a new "
            f"baseline and start a new history, or allow more looks with --looks."
        )
    if verdict == "regressed":
        least = max(0.0, -first.high)
        shown = f", and by at least {_points(least)}" if len(named) == 1 and least else ""
        return f"The candidate is worse than the baseline{where}{shown}."
    if verdict == "passed":
        if all(one.low > 0 for one in results):
            return "The candidate is better than the baseline."
        return (
            f"The candidate is not worse than the baseline by {_points(max(one.max_drop for one in results))} or more."
        )
    return f"Not enough questions to tell{where}: {_between(first.low, first.high)}.{_enough(first.needed, first.n)}"


def comparison_in_words(one: Comparison) -> str:
    """Say what a comparison found: better, worse, no difference larger than so much, or too few questions."""
    if one["before"] is None or one["after"] is None:
        return "No question is answered in both runs."
    if one["confounders"] or one["only_before"] or one["only_after"]:
        return "These runs differ in more than the model, so what follows is not the model's doing alone."
    low, high = one["low"], one["high"]
    if low > 0 or high < 0:
        word, least = ("better", low) if low > 0 else ("worse", -high)
        return f"{one['after_run']} is {word} than {one['before_run']}, by at least {_points(least)}."
    largest = max(-low, high)
    if largest <= EQUAL_WITHIN:
        return f"No difference larger than {_points(largest)} either way."
    return f"Not enough questions to tell: {_between(low, high)}.{_enough(one['needed'], one['n'])}"


def _between(low: float, high: float) -> str:
    return f"the change may be anything from {100 * low:+.1f} to {100 * high:+.1f} points"


def _enough(needed: int | None, n: int) -> str:
    """Say how many questions would do, where that is more than there are."""
    return "" if needed is None or needed <= n else f" About {needed:,} questions would do, and there are {n:,}."


def _points(share: float) -> str:
    points = f"{100 * share:.1f}".removesuffix(".0")
    return f"{points} point{'' if points == '1' else 's'}"
