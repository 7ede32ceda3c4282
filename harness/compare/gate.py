"""Whether a candidate may replace a baseline: passed, regressed, or too few questions to tell.

Passed: it is shown that the candidate is not worse by as much as is allowed. Regressed: it is shown that it is worse,
and by more than a stated allowance. Both are shown with the same small chance of being wrong, however many tasks,
groups and nights are looked at; where neither is, the gate says that it cannot tell.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from dtbench.harness.compare.made_with import refuse_no_model
from dtbench.harness.compare.nights import PooledNights, earlier_nights, pool_nights
from dtbench.harness.compare.paired import ScoreName, SharedTask, join_tasks, refuse_unsound
from dtbench.harness.compare.policy import Policy, Rule, read_policy, refuse_unmet
from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.harness.core.options import TESTS, Option, check_options
from dtbench.harness.core.typed_settings import Condition, at_least, between, one_of
from dtbench.harness.stats.looks import chance_of_each_look, chances_of_rounds
from dtbench.harness.stats.paired_tests import (
    EffectiveTable,
    SharePairs,
    bounds,
    chance_of_loss_within,
    effective_table,
    holm,
    too_few_clusters,
)
from dtbench.harness.stats.power import decidable_drop, power_of_passing, questions_needed
from dtbench.harness.store.comparison_types import ConfounderFigures
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.types import as_fields

Verdict = Literal["passed", "regressed", "undecided"]
DEFAULT_ALPHA = 0.05
POWER_OF_DEFAULT = 0.9
"""How often a candidate as good as the baseline passes by the default of --max-drop, all tasks and groups together."""
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
        float | None,
        Option(
            "--max-drop",
            "POINTS",
            "Percentage points by which the candidate may be worse.",
            panel=TESTS,
            shown="what these questions can decide",
        ),
        between(0, 100),
    ] = None
    alpha: Annotated[
        float,
        Option("--alpha", "ALPHA", "Significance level (one-sided).", panel=TESTS),
        Condition(lambda chance: 0 < chance < 0.5, "a chance above 0 and below 0.5"),
    ] = DEFAULT_ALPHA
    groups: Annotated[
        Sequence[str],
        Option(
            "--group",
            "HEADING=VALUE",
            "Group of questions that must pass too, e.g. category=music (repeatable).",
            panel=TESTS,
        ),
    ] = ()
    history: Annotated[
        Path | None,
        Option(
            "--history",
            "DIR",
            "Folder with the runs of earlier nights; the last ones are pooled with the candidate.",
            panel=TESTS,
            values="files",
        ),
    ] = None
    looks: Annotated[
        int,
        Option(
            "--looks",
            "N",
            "How often this baseline will be compared; all comparisons share --alpha.",
            panel=TESTS,
            shown="30 with --history, else 1",
        ),
        at_least(1),
    ] = 30
    window: Annotated[
        int,
        Option("--window", "N", "How many nights are pooled, including the candidate's.", panel=TESTS),
        at_least(1),
    ] = 5
    policy: Annotated[
        Path | None,
        Option(
            "--policy",
            "FILE",
            "TOML file with the drop, alpha and weight of each task and group.",
            panel=TESTS,
            values="files",
        ),
    ] = None
    until: Annotated[
        str | None,
        Option(
            "--until",
            "WHEN",
            "decided: run the candidate in rounds, and stop as soon as the verdict is certain.",
            panel=TESTS,
            values=("decided",),
        ),
        one_of(("decided",)),
    ] = None
    model: Annotated[
        str | None,
        Option("--model", "MODEL", "With --until, the model of a candidate without a run.", panel=TESTS),
    ] = None
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
        if self.until is not None and self.history is not None:
            raise UserError("--until and --history cannot be combined: a history needs every question of each night.")
        if self.model is not None and self.until is None:
            raise UserError("--model is for --until decided; without it, the candidate is a finished run.")

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
    """The chance that this look may take; of several looks, less than --alpha."""
    passes: float
    """How often so many questions would pass a candidate that is as good."""
    needed: int | None
    """How many questions it takes for that to be four times in five."""
    few_clusters: int | None = None
    """How many clips or questions the answers are of, where these are too few for any interval."""
    max_drop_given: bool = True
    """Whether --max-drop was stated; else it is what these questions can decide."""
    p_loss: float = 1.0
    """The p value of a loss beyond the stated allowance, adjusted for all tasks and groups."""
    nights: int = 1
    """How many runs the candidate's figures are of."""
    look: int = 1
    """Which of the looks this is."""
    looks: int = 1
    since_last: float | None = None
    """The difference between the candidate and the night before it."""
    left_out: tuple[str, ...] = ()
    """Runs of the history that differ in more than the model, and why."""
    required: bool = True
    """Whether this verdict decides; a policy may have some that are only shown."""
    runs: tuple[str, ...] = ()
    """The runs that the candidate's figures are of, its own last."""
    also_differs: tuple[ConfounderFigures, ...] = ()
    """Versions, engine and precision in which the candidate was made unlike the baseline; no reason to refuse it."""

    @property
    def name(self) -> str:
        """The task, and the group in it."""
        return self.task if self.group is None else f"{self.task} {self.group}"


class _GatedPart(NamedTuple):
    """The questions that get one verdict."""

    task: str
    group: str | None
    pairs: SharePairs
    since_last: float | None
    left_out: tuple[str, ...]
    rule: Rule
    runs: tuple[str, ...]
    also_differs: tuple[ConfounderFigures, ...]


class Round(NamedTuple):
    """A look at a part of the questions, of which more are asked until the verdict stands."""

    number: int
    parts: tuple[float, ...]
    """The shares of all questions after each round."""
    asked: Collection[str]
    """The ids of the questions so far."""


def gate_runs(
    options: GateOptions, part_of: Round | None = None, nights: Sequence[StoredRun] | None = None
) -> list[GateVerdict]:
    """Return a verdict on each task and group; an error where nothing can pass. `nights` replace those of --history."""
    before, after = StoredRun.open(options.baseline), StoredRun.open(options.candidate)
    joined = join_tasks(before, after, options.task, options.score)
    if part_of is not None:
        joined = [one.only(part_of.asked) for one in joined]
    if options.task is None and set(before.info["tasks"]) != set(after.info["tasks"]):
        here, there = (", ".join(run.info["tasks"]) for run in (before, after))
        raise UserError(
            f"the runs have different tasks (baseline: {here}; candidate: {there}): choose the one to gate with --task."
        )
    # Means of several answers are compared with means of others: their number is no difference of what was measured.
    allow = options.allow if options.history is None else (*options.allow, "samples")
    for part in joined:
        refuse_unsound(part, allow)
    refuse_no_model(after, "--candidate")
    if nights is None and options.history is not None:
        nights = earlier_nights(options.history, before, after)
    pooled = [pool_nights(part, nights, options.window, allow) for part in joined]
    _refuse_unknown_groups(options.groups, pooled)
    policy = {} if options.policy is None else read_policy(options.policy)
    if options.policy is not None:
        refuse_unmet(policy, options.policy, {task.paired.task: sorted(task.groups()) for task in pooled})
    parts = [
        _part(task, group, policy.get((task.paired.task, group), Rule()).or_else(_usual(options)))
        for task in pooled
        for group in _groups(task, options.groups, policy)
    ]
    look = _Look.of_nights(options, before, pooled) if part_of is None else _Look.of_round(part_of)
    return _verdicts(parts, look)


def _refuse_unknown_groups(groups: Sequence[str], tasks: Sequence[PooledNights]) -> None:
    everywhere = sorted(set().union(*(task.groups() for task in tasks)))
    for group in groups:
        if group not in everywhere:
            raise UserError(f"--group {group}: the runs have no such group. {did_you_mean(group, everywhere)}")


def _usual(options: GateOptions) -> Rule:
    """Return what the command line asks of every task and group."""
    return Rule(max_drop=options.max_drop, alpha=options.alpha)


def _groups(task: PooledNights, groups: Sequence[str], policy: Policy) -> list[str | None]:
    """Return the groups of a task that get a verdict, None for all of its questions first."""
    named = (*groups, *(group for name, group in policy if name == task.paired.task and group is not None))
    there = task.groups()
    return [None, *dict.fromkeys(group for group in named if group in there)]


def _part(task: PooledNights, group: str | None, rule: Rule) -> _GatedPart:
    return _GatedPart(
        task.paired.task,
        group,
        task.pairs(group),
        task.since_last(group),
        tuple(task.left_out),
        rule,
        tuple(task.folders),
        tuple(as_fields(one) for one in task.paired.also_differs),
    )


class _Look(NamedTuple):
    """Which look of how many this is, and how much of the chance of all it may take."""

    number: int
    of: int
    nights: int
    window: int
    answers: float
    """The anchor's answers to a question for each of a night's."""
    parts: tuple[float, ...] = ()
    """Of rounds: the shares of all questions after each."""

    @classmethod
    def of_round(cls, one: Round) -> _Look:
        """Return the look that a round is."""
        return cls(one.number, len(one.parts), 1, 1, 1.0, one.parts)

    def chance(self, alpha: float) -> float:
        """Return what this look may take of alpha."""
        if self.parts:
            return chances_of_rounds(alpha, self.parts)[self.number - 1]
        return chance_of_each_look(alpha, self.of, self.window, self.answers)

    @classmethod
    def of_nights(cls, options: GateOptions, before: StoredRun, tasks: Sequence[PooledNights]) -> _Look:
        """Return the look that these nights are; one look without a history."""
        if options.history is None:
            return cls(1, 1, 1, 1, 1.0)
        number, nights = max(task.look for task in tasks), max(task.nights for task in tasks)
        answers = min(before.info["tasks"][task.paired.task]["samples"] / task.answers_a_night for task in tasks)
        return cls(number, options.looks, nights, options.window, answers)


def _verdicts(parts: Sequence[_GatedPart], look: _Look) -> list[GateVerdict]:
    """Return the verdict on each part; a loss is claimed by the p values of all of them together."""
    losses = holm([chance_of_loss_within(part.pairs, (part.rule.max_drop or 0.0) / 100) for part in parts])
    power = POWER_OF_DEFAULT ** (1 / len(parts))
    return [_verdict(part, p_loss, look, power) for part, p_loss in zip(parts, losses, strict=True)]


def _verdict(part: _GatedPart, p_loss: float, look: _Look, power: float) -> GateVerdict:
    pairs, alpha = part.pairs, look.chance(part.rule.alpha or DEFAULT_ALPHA)
    max_drop = None if part.rule.max_drop is None else part.rule.max_drop / 100
    interval, few, count = bounds(pairs, alpha), too_few_clusters(pairs), len(pairs)
    table = effective_table(pairs, alpha)
    margin = max_drop if max_drop is not None else _default_drop(table, alpha, power)
    verdict: Verdict = "undecided"
    if look.number <= look.of:
        if interval.low > -margin and few is None:
            verdict = "passed"
        elif p_loss <= alpha:
            verdict = "regressed"
    passes, needed = (0.0, None) if table is None else _power(table, count, margin, alpha)
    return GateVerdict(
        task=part.task,
        group=part.group,
        verdict=verdict,
        n=count,
        before=pairs.mean_before() or 0.0,
        after=pairs.mean_after() or 0.0,
        difference=interval.difference,
        low=interval.low,
        high=interval.high,
        max_drop=margin,
        alpha=alpha,
        passes=passes if few is None else 0.0,
        needed=needed,
        few_clusters=few,
        max_drop_given=max_drop is not None,
        p_loss=p_loss,
        nights=look.nights,
        look=look.number,
        looks=look.of,
        since_last=part.since_last,
        left_out=part.left_out,
        required=part.rule.required,
        runs=part.runs,
        also_differs=part.also_differs,
    )


def _default_drop(table: EffectiveTable | None, alpha: float, power: float) -> float:
    """Return the smallest drop that these questions can decide."""
    return 1.0 if table is None else decidable_drop(table.n, table.expected_flips, alpha, power) or 1.0


def _power(table: EffectiveTable, count: int, max_drop: float, alpha: float) -> tuple[float, int | None]:
    """Return how often these questions pass a candidate that is as good, and how many do so four times in five."""
    needed = questions_needed(table.expected_flips, max_drop, alpha)
    passes = power_of_passing(table.n, table.expected_flips, max_drop, alpha)
    return passes, None if needed is None else math.ceil(needed * count / table.n)


def worst_verdict(results: Sequence[GateVerdict]) -> Verdict:
    """Return the verdict of all that are required, or of all where none is."""
    deciding = [one for one in results if one.required] or results
    return next(verdict for verdict in WORST if any(one.verdict == verdict for one in deciding))
