"""What finished trainings say of a claim: met, refuted or undecided, with its figures and the effect it could see.

A claim is met where the difference is at least as large as it says and the interval lies above zero, refuted where the
interval ends below that, and undecided else: also where seeds or answers are missing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from dtbench.harness.stats.crossed import CrossedMarks, Scatter, crossed_bounds, detectable_difference
from dtbench.harness.stats.paired_tests import Bounds
from dtbench.harness.store.claim_types import ClaimResult, EvaluatedRun, TrainedResult
from dtbench.training.claims.columns import measured_row
from dtbench.training.claims.digests import task_groups
from dtbench.training.claims.plan import Experiment
from dtbench.training.claims.results import DESCRIBED, task_spec
from dtbench.training.recipe.claims import BEST, MEANS, OWN_STAGES, Claim, ClaimSide, claim_task
from dtbench.training.stages.layout import BASE
from dtbench.training.stages.outcome import SHUFFLED, is_base_row

if TYPE_CHECKING:
    from pathlib import Path

    from dtbench.training.claims.columns import Row

Kept = Mapping["Path", TrainedResult]
"""Folder of a training -> its result."""
Verdict = Literal["met", "refuted", "undecided"]


class MeasuredSide(NamedTuple):
    """The answers of one side of a claim, a run a seed."""

    runs: Mapping[int, EvaluatedRun]
    """Seed -> run; of the base the same for each seed."""
    missing: str
    """Why there is none for some seeds; empty where all are there."""


def claim_results(experiment: Experiment, kept: Kept) -> list[ClaimResult]:
    """Return what the results that are there say of each claim, the primary ones first."""
    claims = sorted(experiment.claimed.claims, key=lambda claim: not claim.primary)
    return [_result(experiment, claim, kept) for claim in claims]


def verdict_of(bounds: Bounds, at_least: float) -> Verdict:
    """Return what an interval says of a claim."""
    if bounds.difference >= at_least and bounds.low > 0:
        return "met"
    return "refuted" if bounds.high < at_least else "undecided"


def wanted_seeds(experiment: Experiment, claim: Claim) -> range:
    """Return the seeds of a claim."""
    first = experiment.claimed.recipes[None].seed
    return range(first, first + claim.seeds)


def group_places(claim: Claim, task: str, count: int) -> Sequence[int]:
    """Return the places of the questions of a claim's group among the first of a task."""
    groups = task_groups(task).groups[:count]
    if claim.group is None:
        return range(len(groups))
    heading, _, value = claim.group.partition(": ")
    return [place for place, own in enumerate(groups) if own.get(heading) == value]


def smallest_effect(claim: Claim, questions: int) -> float:
    """Return the smallest difference that a claim's design sees four times in five, by the noise it assumes."""
    noise = claim.noise
    return detectable_difference(Scatter(noise.seed, noise.question, noise.answer), claim.seeds, max(1, questions))


def _result(experiment: Experiment, claim: Claim, kept: Kept) -> ClaimResult:
    task, seeds = claim_task(claim, experiment.claimed.recipes), wanted_seeds(experiment, claim)
    sides = [_side(experiment, claim, side, task, kept) for side in experiment.sides(claim)]
    both = [seed for seed in seeds if all(seed in side.runs for side in sides)]
    why = next((side.missing for side in sides if side.missing), "")
    asked = min((run["asked"] for side in sides for seed in both for run in [side.runs[seed]]), default=0)
    if both and not why and asked < claim.questions:
        why = f"{asked} questions were asked, {claim.questions} are wanted"
    measured = _measured_task(sides, both) or task
    planned = group_places(claim, measured, asked or claim.questions)
    result: ClaimResult = {
        "recipe": experiment.name,
        "name": claim.name,
        "text": claim.text,
        "primary": claim.primary,
        "verdict": "undecided",
        "why": why or ("" if both else "nothing is trained yet"),
        "measure": claim.measure,
        "task": task,
        "group": claim.group,
        "between": list(claim.between),
        "at_least": claim.at_least,
        "seeds": both,
        "seeds_wanted": claim.seeds,
        "questions": len(planned),
        "smallest": smallest_effect(claim, len(planned)),
        "first": None,
        "second": None,
        "difference": None,
        "low": None,
        "high": None,
        "by_seed": [],
    }
    return _compute(result, claim, [[side.runs[seed] for seed in both] for side in sides], planned) if both else result


def _compute(
    result: ClaimResult, claim: Claim, sides: Sequence[Sequence[EvaluatedRun]], places: Sequence[int]
) -> ClaimResult:
    """Return the result with its figures, and with a verdict where nothing is missing."""
    rows = [[measured_row(run, claim.measure) for run in side] for side in sides]
    if any(row is None for side in rows for row in side) or not len(places):
        what = f"{claim.measure} was not measured" if len(places) else f"no question is in the group {claim.group}"
        return {**result, "why": result["why"] or what}
    marks = [_marks([row for row in side if row is not None], places) for side in rows]
    bounds = _possible(crossed_bounds(marks[0], marks[1]), claim.measure)
    if math.isnan(bounds.low):
        return {**result, "why": result["why"] or f"too few answers have a {claim.measure}"}
    each = [
        CrossedMarks(first.values[[n]], first.weights[[n]]).mean()
        - CrossedMarks(second.values[[n]], second.weights[[n]]).mean()
        for first, second in [marks]
        for n in range(len(first.values))
    ]
    return {
        **result,
        "verdict": "undecided" if result["why"] else verdict_of(bounds, claim.at_least),
        "first": marks[0].mean(),
        "second": marks[1].mean(),
        "difference": bounds.difference,
        "low": bounds.low,
        "high": bounds.high,
        "by_seed": each,
    }


def _possible(bounds: Bounds, measure: str) -> Bounds:
    """Return the interval within what a difference of the measure can be; of few seeds it would reach beyond."""
    most = math.inf if measure in MEANS or math.isnan(bounds.low) else 1.0
    return Bounds(bounds.difference, max(bounds.low, -most), min(bounds.high, most))


def _marks(rows: Sequence[tuple[Row, Row]], places: Sequence[int]) -> CrossedMarks:
    import numpy as np

    chosen = list(places)
    count = min((len(values) for values, _ in rows), default=0)
    within = [place for place in chosen if place < count]
    values, weights = ([row[part][within] for row in rows] for part in (0, 1))
    return CrossedMarks(np.array(values), np.array(weights))


def _side(experiment: Experiment, claim: Claim, side: ClaimSide, task: str, kept: Kept) -> MeasuredSide:
    seeds = wanted_seeds(experiment, claim)
    if side.is_base:
        result = kept.get(experiment.base.layout.root)
        run = None if result is None else _run_of(result, base_name(result, side, task), task, claim.measure)
        if run is None:
            return MeasuredSide({}, "the base is not evaluated yet")
        return MeasuredSide(dict.fromkeys(seeds, run), "")
    arm = side.arm or OWN_STAGES
    runs = {}
    for seed in seeds:
        trained = experiment.trainings.get((arm, seed))
        result = None if trained is None else kept.get(trained.layout.root)
        if result is not None and (run := _run_of(result, str(side.stage), task, claim.measure)) is not None:
            runs[seed] = run
    missing = "" if len(runs) == claim.seeds else f"{arm}: {len(runs)} of {claim.seeds} seeds"
    return MeasuredSide(runs, missing)


def base_name(result: TrainedResult, side: ClaimSide, task: str) -> str:
    """Return the name of the base's run under a prompt; under the best, the first of equals."""
    if side.prompt != BEST:
        return BASE if side.prompt is None else f"{BASE}, {side.prompt}"
    shares = {
        run["name"]: run["measures"]["accuracy"] or 0.0
        for run in result["runs"]
        if run["task"] == task and run["measures"] is not None and is_base_row(run["name"])
    }
    return max(shares, key=lambda name: shares[name])


def _run_of(result: TrainedResult, name: str, task: str, measure: str) -> EvaluatedRun | None:
    """Return the run of a result that a measure is taken from."""
    if measure == "shuffled_accuracy":
        name = f"{name}{SHUFFLED}"
    if measure == "described":
        found = [run for run in result["runs"] if run["name"] == f"{name.partition(',')[0]}, {DESCRIBED}"]
    else:
        found = [run for run in result["runs"] if (run["name"], run["task"]) == (name, task)]
    return found[0] if found else None


def _measured_task(sides: Sequence[MeasuredSide], seeds: Sequence[int]) -> str | None:
    """Return the task whose questions were answered: another than the claim's where clips were described."""
    return task_spec(sides[0].runs[seeds[0]]["task"]) if seeds else None
