"""What moves the score, as a table: each way in which the same questions were asked, against the plain one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from dtbench.harness.cli.tables import NONE, percent, print_rows
from dtbench.harness.cli.terminal import print_line

if TYPE_CHECKING:
    from dtbench.harness.store.robustness_types import PositionFigures, RobustnessFigures

TITLE = "what moves the score:"
_ENDS: tuple[Literal["gap"], Literal["low"], Literal["high"]] = ("gap", "low", "high")
TITLES = ("form", "n", "plain", "this", "difference", "flips", "CR", "CoR")
_LEGEND = (
    "in %: strict accuracy of the plain run and in this form (its runs in brackets), on the n questions that both "
    "answered; difference in points, paired, with its 95 % interval; flips: answers that choose another option than "
    "the plain one; CR, consistency rate: how often two answers to one question choose the same; CoR, correctness "
    "rate: the mean over all forms."
)


def print_robustness(figures: Sequence[RobustnessFigures]) -> None:
    """Print the table of a task, and how far the position of an option decides; nothing without other runs."""
    if not figures:
        return
    print_line(TITLE)
    print_rows(TITLES, [_row(one) for one in figures])
    for one in figures:
        for part in one.get("positions", ()):
            print_line(f"{'position':<15}{_position(part)}", 15)
    print_line(_LEGEND)


def _row(one: RobustnessFigures) -> tuple[str, ...]:
    gap = one["gap"]
    difference = NONE if gap is None else "{:+.1f} ({:+.1f}, {:+.1f})".format(*(100 * gap[name] for name in _ENDS))
    flips = percent(None if one["flips"] is None else one["flips"]["accuracy"])
    rates = percent(one["consistency"]), percent(one["correctness"])
    runs = f" ({one['runs']})" if one["runs"] > 1 else ""
    return (
        f"{one['form']}{runs}",
        str(one["n"]),
        percent(one["plain"]),
        percent(one["accuracy"]),
        difference,
        flips,
        *rates,
    )


def _position(part: PositionFigures) -> str:
    chosen = ", ".join(f"{count / part['n']:.1%}" for count in part["chosen"])
    text = f"of {part['options']} options the first to the last are chosen in {chosen} of {part['n']} answers"
    if part["recall_sd"] is None or part["recall_sd_by_chance"] is None:
        return text
    spread, chance = 100 * part["recall_sd"], 100 * part["recall_sd_by_chance"]
    return (
        f"{text}; recall differs by {spread:.1f} points between positions (standard deviation; {chance:.1f} by chance)"
    )
