"""Whether a candidate may replace a baseline: passed, regressed, or too few questions to tell.

Passed: it is shown that the candidate is not worse than the baseline by more than is allowed. Regressed: that is not
shown, and it is shown that it is worse. Both are shown with the same small chance of being wrong; where neither is,
the gate says that it cannot tell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from dtbench.harness.compare.paired import PairedRuns, ScoreName, SharedTask, join_tasks
from dtbench.harness.core.errors import MachineryError, UserError, did_you_mean
from dtbench.harness.core.options import TESTS, Option, check_options
from dtbench.harness.core.typed_settings import Condition, between
from dtbench.harness.stats.paired_tests import (
    PairedShares,
    bounds,
    chance_of_no_loss,
    effective_table,
    too_few_clusters,
)
from dtbench.harness.stats.power import power_of_passing, questions_needed
from dtbench.harness.store.run_folder import StoredRun

Verdict = Literal["passed", "regressed", "undecided"]
EXIT = {"passed": 0, "regressed": 1, "undecided": 4}
WORST: Sequence[Verdict] = ("regressed", "undecided", "passed")


@dataclass(frozen=True, slots=True, kw_only=True)
class GateOptions:
    """Which runs are compared, and what a candidate has to show; a UserError where a value is not allowed."""

    baseline: Annotated[
        Path, Option("--baseline", "RUN", "Baseline run.", missing="name a run's folder.", values="runs", is_run=True)
    ]
    candidate: Annotated[
        Path, Option("--candidate", "RUN", "Candidate run.", missing="name a run's folder.", values="runs", is_run=True)
    ]
    max_drop: Annotated[
        float,
        Option("--max-drop", "POINTS", "Percentage points by which the candidate may be worse.", panel=TESTS),
        between(0, 100),
    ] = 1.0
    alpha: Annotated[
        float,
        Option("--alpha", "ALPHA", "Significance level (one-sided).", panel=TESTS),
        Condition(lambda chance: 0 < chance < 0.5, "a chance above 0 and below 0.5"),
    ] = 0.05
    groups: Annotated[
        Sequence[str],
        Option(
            "--group",
            "HEADING=VALUE",
            "Group of questions that must pass too, e.g. category=music (repeatable).",
            panel=TESTS,
        ),
    ] = ()
    task: SharedTask = None
    score: ScoreName = "official"
    allow: Annotated[
        Sequence[str],
        Option("--allow", "SETTING", "Setting that may differ between the runs (repeatable).", panel=TESTS),
    ] = ()
    undecided: Annotated[
        str | None,
        Option(
            "--undecided",
            "VERDICT",
            "pass or fail if the result is inconclusive, instead of exit 4.",
            panel=TESTS,
            values=("pass", "fail"),
        ),
    ] = None

    def __post_init__(self) -> None:
        """Refuse values that are not allowed."""
        check_options(self)
        if self.undecided not in {None, "pass", "fail"}:
            raise UserError(f"--undecided {self.undecided}: pass or fail is expected.")

    def exit_code(self, verdict: Verdict) -> int:
        """Return the exit code of a verdict."""
        if verdict == "undecided" and self.undecided is not None:
            return {"pass": 0, "fail": 1}[self.undecided]
        return EXIT[verdict]


class GateVerdict(NamedTuple):
    """What a gate says of one task, or of one group of it."""

    task: str
    group: str | None
    verdict: Verdict
    n: int
    before: float
    after: float
    difference: float
    low: float
    high: float
    max_drop: float
    alpha: float
    passes: float
    """How often so many questions would pass a candidate that is as good."""
    needed: int | None
    """How many questions it takes for that to be four times in five."""
    few_clusters: int | None = None
    """How many clips or questions the answers are of, where these are too few for any interval."""

    @property
    def name(self) -> str:
        """The task, and the group in it."""
        return self.task if self.group is None else f"{self.task} {self.group}"


def gate_runs(options: GateOptions) -> list[GateVerdict]:
    """Return the verdicts on each task and group of two runs; an error where nothing can pass."""
    before, after = StoredRun.open(options.baseline), StoredRun.open(options.candidate)
    parts = join_tasks(before, after, options.task, options.score)
    if options.task is None and set(before.info["tasks"]) != set(after.info["tasks"]):
        here, there = (", ".join(run.info["tasks"]) for run in (before, after))
        raise UserError(
            f"the runs have different tasks (baseline: {here}; candidate: {there}): choose the one to gate with --task."
        )
    groups_of_parts = [
        {f"{heading}={value}" for one in part.questions for heading, value in one.groups} for part in parts
    ]
    for part in parts:
        refuse_unsound(part, options.allow)
    for group in options.groups:
        if group not in (everywhere := sorted(set().union(*groups_of_parts))):
            raise UserError(f"--group {group}: the runs have no such group. {did_you_mean(group, everywhere)}")
    return [
        _gated(part, group, options.max_drop / 100, options.alpha)
        for part, groups in zip(parts, groups_of_parts, strict=True)
        for group in (None, *(group for group in options.groups if group in groups))
    ]


def _gated(paired: PairedRuns, group: str | None, max_drop: float, alpha: float) -> GateVerdict:
    heading, _, value = (group or "").partition("=")
    pairs = paired.pairs([one for one in paired.questions if group is None or (heading, value) in one.groups])
    interval, few = bounds(pairs, alpha), too_few_clusters(pairs)
    if interval.low > -max_drop and few is None:
        verdict: Verdict = "passed"
    else:
        verdict = "regressed" if chance_of_no_loss(pairs) <= alpha else "undecided"
    count = len(pairs)
    passes, needed = _power(pairs, max_drop, alpha)
    return GateVerdict(
        task=paired.task,
        group=group,
        verdict=verdict,
        n=count,
        before=sum(pair.before for pair in pairs) / count,
        after=sum(pair.after for pair in pairs) / count,
        difference=interval.difference,
        low=interval.low,
        high=interval.high,
        max_drop=max_drop,
        alpha=alpha,
        passes=passes if few is None else 0.0,
        needed=needed,
        few_clusters=few,
    )


def _power(pairs: Sequence[PairedShares], max_drop: float, alpha: float) -> tuple[float, int | None]:
    """Return how often these questions pass a candidate that is as good, and how many do so four times in five."""
    table = effective_table(pairs, alpha)
    if table is None:
        return 0.0, None
    flips = max(table.flips, 1 / table.n)
    needed = questions_needed(flips, max_drop, alpha)
    passes = power_of_passing(table.n, flips, max_drop, alpha)
    return passes, None if needed is None else math.ceil(needed * len(pairs) / table.n)


def refuse_unsound(paired: PairedRuns, allowed: Sequence[str]) -> None:
    """Raise a MachineryError where nothing can pass: settings that differ, answers that are missing or failed."""
    confounders = [one for one in paired.confounders if one.name not in allowed]
    if confounders:
        listed = "; ".join(map(str, confounders))
        rescore = (
            " `dtbench score RUN --min-evidence LEVEL --write` changes what counts as an answer without a new run."
        )
        levels = rescore if any(one.name == "min-evidence" for one in confounders) else ""
        raise MachineryError(
            f"{paired.task}: the runs differ in more than the model: {listed}. Repeat one of them with the settings of "
            f"the other, or allow the difference: {' '.join(f'--allow {one.name}' for one in confounders)}.{levels}"
        )
    for name, failed, expected, answered in zip(
        ("baseline", "candidate"), paired.failed, paired.expected, paired.answered, strict=True
    ):
        if answered < expected:
            why = f"{failed} failed, {expected - answered - failed} were never asked"
            raise MachineryError(
                f"{paired.task}: the {name} lacks {expected - answered} of {expected} answers ({why}), and a gate "
                f"needs complete runs. Repeat its `dtbench run` command: it asks only for what is missing."
            )
    if paired.only_before or paired.only_after or not paired.questions:
        raise MachineryError(
            f"{paired.task}: the runs have different questions ({paired.only_before} only in the baseline, "
            f"{paired.only_after} only in the candidate): compare runs on the same questions."
        )


def worst_verdict(results: Sequence[GateVerdict]) -> Verdict:
    """Return the verdict of all together."""
    return next(verdict for verdict in WORST if any(one.verdict == verdict for one in results))
