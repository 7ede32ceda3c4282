"""All arms and claims as Markdown, for LOG.md and docs/: every figure comes from the results that were kept."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from dtbench.harness.store.claim_types import ClaimResult, EvaluatedRun, StageSteps, TrainedResult
from dtbench.harness.store.measure_types import GroupMeasures
from dtbench.training.claims.columns import measured_row
from dtbench.training.claims.plan import Experiment
from dtbench.training.claims.results import DESCRIBED
from dtbench.training.claims.verdicts import Kept, claim_results, group_places, smallest_effect
from dtbench.training.recipe.claims import MEANS, Claim, claim_task
from dtbench.training.stages.outcome import SHUFFLED

_OF_CHAINS: Mapping[str, str] = {
    "criteria": "criteria",
    "lucky_rate": "lucky",
    "formed": "in form",
    "empty_rate": "empty",
    "cut_rate": "cut",
    "words": "words",
}
_OF_RIGHT_CHAINS = ("criteria", "lucky_rate", "words")
"""Measures that say nothing of a model that hardly ever has a chain."""
_FEW = 0.01
"""A model with fewer chains than that has none."""
_LEGEND = (
    "In %; ±: standard deviation over seeds. *shuffled*: right answers with the clips of other questions; *criteria*: "
    "met by the reasoning of right answers, of five; *lucky*: right answers whose reasoning meets fewer than three; "
    "*follows*: of {edited} answers, those that go where a change of their own description leads (one that cannot be "
    "changed does not follow); *empty*, *cut*: answers without reasoning, and those cut at the limit of tokens; "
    "*words*: of the reasoning; *described*: clips described exactly, which no reward asks for."
)
Cells = Sequence[str]


def plan_lines(experiment: Experiment) -> Iterator[str]:
    """Yield what is claimed, and how small a difference each claim sees, before anything is trained."""
    rows = [_plan_cells(experiment, claim) for claim in _claims(experiment)]
    yield from _table(("claim", "by", "at least", "seeds", "questions", "sees"), rows)


def report_lines(experiment: Experiment, kept: Kept) -> Iterator[str]:
    """Yield everything that the results say of a recipe."""
    yield f"## {experiment.name}"
    yield ""
    yield _LEGEND.format(edited=experiment.claimed.recipes[None].evaluation.faithful or "no")
    yield ""
    for task in experiment.claimed.recipes[None].evaluation.tasks:
        yield from _arms_table(experiment, kept, task)
    yield from _learning_table(experiment, kept)
    yield from _claims_table(claim_results(experiment, kept))


def claim_line(result: ClaimResult) -> str:
    """Return a claim with its verdict in one line."""
    figures = ""
    if result["difference"] is not None and result["low"] is not None and result["high"] is not None:
        shown = [_signed(result["measure"], value) for value in (result["difference"], result["low"], result["high"])]
        figures = f" {shown[0]} ({shown[1]} to {shown[2]})"
    why = f" ({result['why']})" if result["why"] else ""
    return f"{result['verdict']}: {result['recipe']}: {result['text']}{figures}{why}"


def _claims(experiment: Experiment) -> list[Claim]:
    return sorted(experiment.claimed.claims, key=lambda claim: not claim.primary)


def _plan_cells(experiment: Experiment, claim: Claim) -> Cells:
    """Return the row of a claim in the table of what is planned."""
    asked = len(group_places(claim, claim_task(claim, experiment.claimed.recipes), claim.questions))
    return (
        f"{'**' if claim.primary else ''}{claim.text}{'**' if claim.primary else ''}",
        f"{claim.measure}{f', {claim.group}' if claim.group else ''}: {' − '.join(claim.between)}",
        _signed(claim.measure, claim.at_least),
        str(claim.seeds),
        str(asked),
        _signed(claim.measure, smallest_effect(claim, asked)),
    )


class _ArmRow(NamedTuple):
    label: str
    results: Sequence[TrainedResult]
    name: str
    """Of the run in each result."""

    def runs(self, task: str) -> list[EvaluatedRun]:
        found = (_run(result, self.name, task) for result in self.results)
        return [run for run in found if run is not None]


def _arms_table(experiment: Experiment, kept: Kept, task: str) -> Iterator[str]:
    """Yield what is right, and below it what chains are worth."""
    base = kept.get(experiment.base.layout.root)
    rows: list[_ArmRow] = []
    for run in base["runs"] if base is not None else ():
        if base is not None and run["task"] == task and run["measures"] is not None:
            rows.append(_ArmRow(run["name"], [base], run["name"]))
    for arm, stages in arm_stages(experiment).items():
        results = of_arm(experiment, kept, arm)
        rows += [_ArmRow(f"{arm}/{stage}" if len(stages) > 1 else arm, results, stage) for stage in stages if results]
    headings = _headings([run for row in rows for run in row.runs(task)])
    groups = [f"{heading} {value}" for heading, value in headings]
    yield from _table(
        (f"{task}: right", "seeds", "all", *groups, "shuffled"), [_right(r, task, headings) for r in rows]
    )
    titles = (f"{task}: reasoning", *_OF_CHAINS.values(), "follows", DESCRIBED)
    yield from _table(titles, [_chains(row, task) for row in rows])


def _right(row: _ArmRow, task: str, headings: Sequence[tuple[str, str]]) -> Cells:
    measured = [run["measures"] for run in row.runs(task) if run["measures"] is not None]
    groups = [
        _spread([_value(one["groups"].get(heading, {}).get(value), "accuracy") for one in measured], "accuracy")
        for heading, value in headings
    ]
    shuffled = [_mean_of(_run(result, f"{row.name}{SHUFFLED}", task), "accuracy") for result in row.results]
    every = _spread([_value(one, "accuracy") for one in measured], "accuracy")
    return (row.label, str(len(row.runs(task))), every, *groups, _spread(shuffled, "accuracy"))


def _chains(row: _ArmRow, task: str) -> Cells:
    runs = row.runs(task)
    measured = [run["measures"] for run in runs if run["measures"] is not None]
    empty = [value for one in measured if (value := _value(one, "empty_rate")) is not None]
    has_none = bool(empty) and min(empty) > 1 - _FEW
    shares = [
        "none" if has_none and measure in _OF_RIGHT_CHAINS else _spread([_value(o, measure) for o in measured], measure)
        for measure in _OF_CHAINS
    ]
    follows = [_mean_of(run, "follow_rate") for run in runs]
    described = [_mean_of(_named(result, f"{row.name}, {DESCRIBED}"), "accuracy") for result in row.results]
    return (row.label, *shares, _spread(follows, "accuracy"), _spread(described, "accuracy"))


def _learning_table(experiment: Experiment, kept: Kept) -> Iterator[str]:
    """Yield the course of the reward and of the length of answers: at the start, at a half and at the end."""
    rows = []
    for arm, stages in arm_stages(experiment).items():
        results = of_arm(experiment, kept, arm)
        for stage in stages if results else ():
            courses = [course for result in results for course in result["steps"] if course["stage"] == stage]
            steps = str(courses[0]["steps"][-1]) if courses and courses[0]["steps"] else ""
            rows.append((f"{arm}/{stage}" if len(stages) > 1 else arm, steps, *_course_cells(courses)))
    if rows:
        times = ("first", "half", "last")
        yield from _table(("learning", "steps", *(f"{what}, {at}" for what in LEARNED.values() for at in times)), rows)


LEARNED: Mapping[str, str] = {"reward": "reward", "accuracy": "right, %", "completion_length": "tokens"}
"""What is shown of the steps of a training, and what it is called."""


def course_values(course: StageSteps, name: str) -> Sequence[float | None]:
    """Return a column of the steps of a stage; empty where the result does not have it."""
    return {
        "reward": course["reward"],
        "completion_length": course["completion_length"],
        "accuracy": course.get("accuracy") or [],
    }[name]


def _course_cells(courses: Sequence[StageSteps]) -> Iterator[str]:
    for name in LEARNED:
        columns = [values for one in courses if (values := course_values(one, name))]
        for share in (0.0, 0.5, 1.0):
            shown = [values[round(share * (len(values) - 1))] for values in columns]
            yield _spread(shown, "accuracy" if name == "accuracy" else "words")


def _claims_table(results: Sequence[ClaimResult]) -> Iterator[str]:
    titles = ("claim", "what is compared", "verdict", "difference", "95 % interval")
    rows = [_claim_cells(one) for one in results]
    yield from _table((*titles, "at least", "sees", "seeds", "questions", "by seed"), rows, words=3)


def _claim_cells(one: ClaimResult) -> Cells:
    name, bold = one["measure"], "**" if one["primary"] else ""
    three = (one["difference"], one["low"], one["high"])
    figures = ["" if value is None else _signed(name, value) for value in three]
    return (
        f"{bold}{one['text']}{bold}",
        f"{name.replace('_', ' ')}{', ' + one['group'] if one['group'] else ''}: {' − '.join(one['between'])}",
        f"{one['verdict']}{f' ({why})' if (why := one['why']) else ''}",
        figures[0],
        f"{figures[1]} to {figures[2]}" if figures[1] else "",
        _signed(name, one["at_least"]),
        _signed(name, one["smallest"]),
        f"{len(one['seeds'])} of {one['seeds_wanted']}",
        str(one["questions"]),
        ", ".join(_signed(name, value) for value in one["by_seed"]),
    )


def arm_stages(experiment: Experiment) -> dict[str, list[str]]:
    """Return the names of the stages of each arm."""
    return {arm: [stage.name for stage in one.recipe.stage] for (arm, _), one in experiment.trainings.items()}


def of_arm(experiment: Experiment, kept: Kept, arm: str) -> list[TrainedResult]:
    """Return what is kept of an arm, a result a seed."""
    roots = [one.layout.root for (name, _), one in experiment.trainings.items() if name == arm]
    return [kept[root] for root in roots if root in kept]


def _run(result: TrainedResult, name: str, task: str) -> EvaluatedRun | None:
    return next((run for run in result["runs"] if (run["name"], run["task"]) == (name, task)), None)


def _named(result: TrainedResult, name: str) -> EvaluatedRun | None:
    return next((run for run in result["runs"] if run["name"] == name), None)


def _headings(runs: Sequence[EvaluatedRun | None]) -> list[tuple[str, str]]:
    """Return the groups of the table: a heading and a value each."""
    found: dict[tuple[str, str], None] = {}
    for run in runs:
        for heading, values in (run["measures"]["groups"] if run is not None and run["measures"] else {}).items():
            if heading != "category":
                found |= dict.fromkeys((heading, value) for value in values)
    return sorted(found)


def _value(measures: GroupMeasures | None, measure: str) -> float | None:
    value = None if measures is None else dict(measures).get(measure)
    return value if isinstance(value, (int, float)) else None


def _mean_of(run: EvaluatedRun | None, measure: str) -> float | None:
    row = None if run is None else measured_row(run, measure)
    return None if row is None or not row[1].sum() else float(row[0].sum() / row[1].sum())


def _spread(values: Sequence[float | None], measure: str) -> str:
    """Return the mean of what is there, with its deviation over seeds where there are several."""
    there = [value for value in values if value is not None]
    times, decimals = (1, 2) if measure in MEANS else (100, 1)
    if not there:
        return ""
    spread = f" ± {times * statistics.stdev(there):.{decimals}f}" if len(there) > 1 else ""
    return f"{times * statistics.fmean(there):.{decimals}f}{spread}"


def _signed(measure: str, value: float) -> str:
    return f"{value:+.2f}" if measure in MEANS else f"{100 * value:+.1f}"


def _table(titles: Cells, rows: Iterator[Cells] | Sequence[Cells], words: int = 1) -> Iterator[str]:
    """Yield a table whose first columns are words, the others figures."""
    yield f"| {' | '.join(titles)} |"
    yield f"|{'---|' * words}{'--:|' * (len(titles) - words)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""
