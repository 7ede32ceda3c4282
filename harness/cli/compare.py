"""`dtbench compare`: two runs or more, question by question against the first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from dtbench.harness.cli.acoustic_tables import add_gains, print_gains
from dtbench.harness.cli.next_steps import NextStep, print_next
from dtbench.harness.cli.tables import percent, print_rows
from dtbench.harness.cli.terminal import print_line, print_note
from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.compare.paired import ScoreName, SharedTask
from dtbench.harness.compare.several import compare_runs
from dtbench.harness.compare.words import comparison_in_words
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.options import OUTPUT, TESTS, Argument, AsJson, Jobs, Option, check_options
from dtbench.harness.core.typed_settings import at_least
from dtbench.harness.store.comparison_types import (
    Comparison,
    ComparisonAmongSeveral,
    GroupComparison,
    MatchedLengthFigures,
)
from dtbench.harness.store.provenance import why_no_candidate
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.run_labels import repetition

Runs = Annotated[
    Sequence[Path],
    Argument("BASELINE RUN...", "Run folders; each run is compared with the first one.", values="runs", is_run=True),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareView:
    """What is shown of a comparison beside the difference."""

    flips: Annotated[
        int, Option("--flips", "N", "How many of the changed questions to list.", panel=OUTPUT), at_least(0)
    ] = 10
    power: Annotated[
        bool, Option("--power", None, "Show the smallest difference that this many questions can detect.", panel=TESTS)
    ] = False
    acoustics: Annotated[
        bool,
        Option(
            "--acoustics",
            None,
            "Also test where a run gains, by acoustic properties such as noise; needs dtbench[acoustics].",
            panel=TESTS,
        ),
    ] = False
    jobs: Jobs = None

    def __post_init__(self) -> None:
        """Refuse values that are not allowed."""
        check_options(self)


@with_options
def compare_command(
    runs: Runs = (),
    task: SharedTask = None,
    score: ScoreName = "official",
    view: CompareView = CompareView(),
    as_json: AsJson = False,
) -> None:
    """Compare runs question by question, with paired significance tests.

    Shows the difference with its confidence interval, overall and per group, and the questions that changed.
    """
    if len(runs) < 2:
        found = f"{len(runs)} run" + "s" * (len(runs) != 1)
        raise UserError(f"compare: two or more run folders are expected, the baseline first; found {found}.")
    if line := repetition(runs):
        print_note(line)
    baseline, *others = [StoredRun.open(path) for path in runs]
    comparisons = compare_runs(baseline, others, task, score)
    if view.acoustics:
        add_gains(comparisons, baseline, others, view.jobs)
    if as_json:
        typer.echo(json.dumps(comparisons))
        return
    for one in comparisons:
        _print(one, view.flips, power=view.power)
        if (gains := one.get("acoustics")) is not None:
            print_gains(gains)
    for line in _together(comparisons):
        print_line(line, indent=10)
    last = runs[-1]
    steps = [NextStep(["report", runs[0], last], "both side by side, what changed first")]
    if why_no_candidate(others[-1].info["model"]) is None:
        steps.append(NextStep(["gate", "--baseline", runs[0], "--candidate", last], "a verdict for CI"))
    print_next(*steps)


def _print(one: Comparison, flips: int, *, power: bool) -> None:
    for line in _lines(one, power=power):
        print_line(line, indent=10)
    _print_groups(one["groups"])
    for title, changed in (("better", one["gained"]), ("worse", one["lost"])):
        for flip in changed[:flips]:
            changes = f"{_choice(flip['before'])} -> {_choice(flip['after'])}"
            print_line(f"{title:<10}{flip['id']}: {changes}", indent=10)
        if len(changed) > flips:
            typer.echo(f"{title:<10}and {len(changed) - flips} more (--flips, or --json for all)")


def _together(comparisons: Sequence[ComparisonAmongSeveral]) -> Iterator[str]:
    """Say what holds for all comparisons together, where there are several."""
    if len(comparisons) < 2:
        return
    yield f"{len(comparisons)} comparisons, each one more chance to be fooled; p values for all of them together:"
    for one in comparisons:
        yield f"adjusted  {one['after_run']} on {one['task']}: p = {one['p_adjusted']:.2g}"
    for task, p in {one["task"]: one["p_all_equal"] for one in comparisons}.items():
        if p is not None:
            yield f"all runs  {task}: that all are equally good has p = {p:.2g} (Cochran's test)"
    for run, mean in {one["after_run"]: one["all_tasks"] for one in comparisons}.items():
        if mean is not None:
            interval = f"95 % interval {100 * mean['low']:+.2f} to {100 * mean['high']:+.2f}"
            yield f"all tasks {run}: {100 * mean['difference']:+.2f} points on average ({interval})"


def _lines(one: Comparison, *, power: bool) -> Iterator[str]:
    yield comparison_in_words(one)
    for confounder in one["confounders"]:
        yield f"UNFAIR    {confounder['name']} differs: {confounder['before']} vs {confounder['after']}"
    for also in one["also_differs"]:
        yield f"differs   {also['name']}: {also['before']} vs {also['after']}"
    for name, count in (("baseline", one["only_before"]), ("other run", one["only_after"])):
        if count:
            yield f"UNFAIR    {count} questions are answered only in the {name} and are left out"
    yield f"{one['task']}, {one['score']}: {one['before_run']} -> {one['after_run']}, {one['n']} questions in common"
    before, after, detectable = one["before"], one["after"], one["minimum_detectable"]
    if before is None or after is None:
        yield "score     none: no question is answered in both runs"
        return
    yield (
        f"score     {100 * before:.2f} -> {100 * after:.2f}, {100 * one['difference']:+.2f} points "
        f"(95 % interval {100 * one['low']:+.2f} to {100 * one['high']:+.2f}; p = {one['p']:.2g})"
    )
    yield f"changed   {one['better']} better, {one['worse']} worse, {one['n'] - one['better'] - one['worse']} unchanged"
    if (same := one.get("same_choice")) is not None:
        yield (
            f"same      {same['accuracy']:.1%} of {same['n']} questions have the same choice in both (95 % interval "
            f"{same['low']:.1%} to {same['high']:.1%})"
        )
    if (matched := one["matched_lengths"]) is not None:
        yield _at_matched_lengths(matched)
    if power and detectable is not None:
        yield (
            f"power     {one['n']} questions detect a difference of {100 * detectable:.1f} points with 80 % power "
            f"(if results change as often as here)"
        )


def _at_matched_lengths(found: MatchedLengthFigures) -> str:
    difference, low, high = found["difference"], found["low"], found["high"]
    if difference is None or low is None or high is None:
        return "lengths   no chains of thought of both runs are of like length"
    return (
        f"lengths   {100 * difference:+.2f} points at matched lengths of reasoning (95 % interval {100 * low:+.2f} to "
        f"{100 * high:+.2f}; {found['n']} questions with reasoning in both runs)"
    )


def _print_groups(groups: Sequence[GroupComparison]) -> None:
    rows, heading = [], None
    for row in groups:
        if row["heading"] != heading:
            heading = row["heading"]
            rows.append((heading, *[""] * 5))
        interval = f"{100 * row['low']:+.1f} to {100 * row['high']:+.1f}"
        shares = (percent(row["before"]), percent(row["after"]), f"{100 * row['difference']:+.1f}")
        rows.append((f"  {row['value']}", *shares, interval, f"{row['p_adjusted']:.2g}"))
    if rows:
        print_rows(("", "before", "after", "points", "95 % interval", "adjusted p"), rows)


def _choice(choice: str | None) -> str:
    return "no answer" if choice is None else repr(choice)
