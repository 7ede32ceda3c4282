"""What one training says of its recipe's claims, in lines under the table of `dtbench train`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dtbench.harness.cli.terminal import print_line
from dtbench.harness.stats.paired_tests import Bounds

if TYPE_CHECKING:
    from dtbench.harness.store.claim_types import ClaimResult

INDENT = 11
_TITLE = "What the recipe claims, and what is seen here (in points, with 95 % intervals over questions):"
_HERE = {"met": "it holds here", "refuted": "it does not hold here", "undecided": "not clear here"}


def print_claims(results: Sequence[ClaimResult], others: int, arms: Sequence[str]) -> None:
    """Print each claim with its verdict and figures, and how many others take trainings of other arms."""
    if not results and not others:
        return
    print_line("")
    if results:
        print_line(_TITLE)
    for one in results:
        print_line(f"{one['verdict']:<{INDENT}}{one['text']}", INDENT)
        print_line(f"{'':<{INDENT}}{'; '.join(_reading(one))}", INDENT)
    if others:
        more = "more claims compare" if results else "claims of the recipe compare"
        what = more if others > 1 else more.replace("claims", "claim").replace("compare", "compares")
        print_line(f"{others} {what} with {_shortened(arms)}: `make claims` in a clone trains that too.")


def _reading(one: ClaimResult) -> Iterator[str]:
    """Yield the figures of a claim, what they mean, and what is missing for a verdict."""
    group = f", {one['group']}" if one["group"] else ""
    measure = one["measure"].replace("_", " ")
    yield f"{measure}{group}: {' − '.join(one['between'])}{_figures(one)}"
    if one["difference"] is None or one["low"] is None or one["high"] is None:
        yield one["why"]
        return
    from dtbench.training.claims.verdicts import verdict_of

    yield _HERE[verdict_of(Bounds(one["difference"], one["low"], one["high"]), one["at_least"])]
    if len(one["seeds"]) < one["seeds_wanted"]:
        yield f"a verdict takes {one['seeds_wanted']} trainings with different seeds"
    elif one["why"]:
        yield one["why"]


def _figures(one: ClaimResult) -> str:
    if one["difference"] is None or one["low"] is None or one["high"] is None:
        return ""
    from dtbench.training.recipe.claims import MEANS

    unit, times, decimals = (f" {one['measure']}", 1, 2) if one["measure"] in MEANS else ("", 100, 1)
    difference, low, high = (f"{times * value:+.{decimals}f}" for value in (one["difference"], one["low"], one["high"]))
    return f" = {difference} ({low} to {high}){unit}, claimed is {times * one['at_least']:.{decimals}f} or more"


def _shortened(arms: Sequence[str]) -> str:
    """Return the names of arms, the first ones where there are many."""
    most = 4
    return ", ".join(arms[:most]) + (f" and {len(arms) - most} other arms" if len(arms) > most else "")
