"""The tables of `dtbench score RUN --tables`: groups with intervals, letters, lengths of chains, pass@k, majority@k."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from dtbench.harness.cli.tables import NONE, percent, print_rows
from dtbench.harness.cli.terminal import print_line

if TYPE_CHECKING:
    from dtbench.harness.store.paper_types import GroupFigures, LettersFigures, MacroFigures, PaperFigures
    from dtbench.harness.store.share_types import EstimateFigures, IntervalFigures, ShareFigures

INTERVAL = "95 %"
"""The title above intervals."""
MACRO = "  macro avg"
"""The mean over the groups above, each with the same weight."""


def print_paper_tables(figures: PaperFigures) -> None:
    """Print each table that the figures of a run have."""
    if groups := figures.get("by_group"):
        print_line("Accuracy by group, in %, each with its 95 % interval and the number of answers")
        _print_groups(groups, figures.get("macro", {}))
    if letters := figures.get("by_letter"):
        print_line(
            "Letters: how often each is right, is chosen, and is chosen where it is right (recall), in %; then how "
            "often each is chosen where the one on the left is right"
        )
        for part in letters:
            _print_letters(part)
    if lengths := figures.get("chain_lengths"):
        print_line("Accuracy by the length of the reasoning, in characters")
        rows = [
            (f"{one['shortest']:,} to {one['longest']:,}", percent(one["accuracy"]), _range(one), str(one["n"]))
            for one in lengths
        ]
        print_rows(("characters", "strict", INTERVAL, "n"), rows)
    if "pass_at" in figures and "majority_at" in figures:
        print_line("Several answers to a question, in %; a majority that is a tie counts as wrong")
        columns = ("k", "pass@k", INTERVAL, "majority@k", INTERVAL, "ties", "ties by chance")
        print_rows(columns, _repeat_rows(figures))


def _print_groups(groups: Mapping[str, Mapping[str, GroupFigures]], macro: Mapping[str, MacroFigures]) -> None:
    columns = ("", "official", INTERVAL, "n", "strict", INTERVAL, "n", "chance")
    print_rows(columns, _group_rows(groups, macro))


def _group_rows(
    groups: Mapping[str, Mapping[str, GroupFigures]], macro: Mapping[str, MacroFigures]
) -> Iterator[Sequence[str]]:
    for heading, table in groups.items():
        yield (heading, *[""] * 7)
        for value, part in table.items():
            official, strict = part["official"], part["strict"]
            counted = "0" if official is None else str(official["n"])
            chance = percent(part["chance"]) if "chance" in part else ""
            yield (f"  {value}", *_share(official), counted, *_share(strict), str(strict["n"]), chance)
        if (mean := macro.get(heading)) is not None:
            yield (MACRO, *_estimate(mean["official"]), "", *_estimate(mean["strict"]), "", "")


def _share(found: ShareFigures | None) -> tuple[str, str]:
    return (NONE, "") if found is None else (percent(found["accuracy"]), _range(found))


def _estimate(found: EstimateFigures) -> tuple[str, str]:
    return percent(found["value"]), _range(found)


def _range(found: IntervalFigures | ShareFigures) -> str:
    return "" if found["low"] is None else f"{percent(found['low'])}-{percent(found['high'])}"


def _print_letters(found: LettersFigures) -> None:
    print_line(f"Questions with {found['options']} options ({found['n']} answers)")
    rows = []
    for name, letter in found["letters"].items():
        shares = [percent(times / found["n"]) for times in (letter["right"], letter["chosen"])]
        chosen = [str(times) for times in found["chosen_by_right"][name].values()]
        rows.append((name, *shares, *_estimate(letter["recall"]), *chosen))
    print_rows(("", "right", "chosen", "recall", INTERVAL, *found["letters"], "unread"), rows)
    spread, chance = found["recall_sd"], found["recall_sd_by_chance"]
    if spread is not None and chance is not None:
        print_line(
            f"RStd (standard deviation of the recalls) {100 * spread:.1f} points; {100 * chance:.1f} by chance alone"
        )


def _repeat_rows(figures: PaperFigures) -> Iterator[Sequence[str]]:
    for k, passed in figures["pass_at"].items():
        vote = figures["majority_at"][k]
        yield (k, *_estimate(passed), *_estimate(vote), percent(vote["ties"]), percent(vote["ties_by_chance"]))
