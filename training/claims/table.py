"""All arms and claims as Markdown, for LOG.md and docs/: every figure comes from the results that were kept."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence

from dtbench.harness.store.claim_types import ClaimResult, EvaluatedRun, TrainedResult
from dtbench.harness.store.measure_types import GroupMeasures
from dtbench.training.claims.columns import measured_row
from dtbench.training.claims.plan import Experiment
from dtbench.training.claims.results import DESCRIBED
from dtbench.training.claims.verdicts import Kept, claim_results, group_places, smallest_effect
from dtbench.training.recipe.claims import Claim, claim_task
from dtbench.training.stages.outcome import SHUFFLED

PLAIN = ("criteria", "words")
"""Measures that are no shares: they are shown as they are, the others in %."""
_COLUMNS: Mapping[str, str] = {
    "accuracy": "all",
    "criteria": "criteria",
    "lucky_rate": "lucky",
    "formed": "in form",
    "words": "words",
    "empty_rate": "empty",
    "cut_rate": "cut",
}
Cells = Sequence[str]


def plan_lines(experiment: Experiment) -> Iterator[str]:
    """Yield what is claimed, and how small a difference each claim sees, before anything is trained."""
    rows = [_plan_cells(experiment, claim) for claim in _claims(experiment)]
    yield from _table(("claim", "by", "at least", "seeds", "questions", "sees"), rows)


def report_lines(experiment: Experiment, kept: Kept) -> Iterator[str]:
    """Yield everything that the results say of a recipe."""
    yield f"### {experiment.name}"
    yield ""
    yield "In %, but criteria (of five, in right answers) and words of the reasoning; ±: standard deviation over seeds."
    yield ""
    for task in experiment.claimed.recipes[None].evaluation.tasks:
        yield from _arms_table(experiment, kept, task)
    yield from _learning_table(experiment, kept)
    yield from _claims_table(claim_results(experiment, kept))
    yield from _examples(experiment, kept)


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


def _arms_table(experiment: Experiment, kept: Kept, task: str) -> Iterator[str]:
    base = kept.get(experiment.base.layout.root)
    rows: list[tuple[str, list[TrainedResult], str]] = []
    for run in base["runs"] if base is not None else ():
        if base is not None and run["task"] == task and run["measures"] is not None:
            rows.append((run["name"], [base], run["name"]))
    for arm, stages in _stages(experiment).items():
        results = _of_arm(experiment, kept, arm)
        rows += [(f"{arm}/{stage}" if len(stages) > 1 else arm, results, stage) for stage in stages if results]
    cells = [(label, results, name) for label, results, name in rows]
    headings = _headings([_run(result, name, task) for _, results, name in cells for result in results])
    titles = (
        f"{task}",
        "seeds",
        *_COLUMNS.values(),
        *(f"{h}: {v}" for h, v in headings),
        "shuffled",
        DESCRIBED,
        "follows",
    )
    yield from _table(titles, [_arm_cells(label, results, name, task, headings) for label, results, name in cells])


def _arm_cells(
    label: str, results: Sequence[TrainedResult], name: str, task: str, headings: Sequence[tuple[str, str]]
) -> Cells:
    runs = [run for result in results if (run := _run(result, name, task)) is not None]
    measured = [run["measures"] for run in runs if run["measures"] is not None]
    shares = [_spread([_value(one, measure) for one in measured], measure) for measure in _COLUMNS]
    groups = [
        _spread([_value(one["groups"].get(heading, {}).get(value), "accuracy") for one in measured], "accuracy")
        for heading, value in headings
    ]
    shuffled = [_mean_of(_run(result, f"{name}{SHUFFLED}", task), "accuracy") for result in results]
    described = [_mean_of(_named(result, f"{name}, {DESCRIBED}"), "accuracy") for result in results]
    follows = [_mean_of(run, "follow_rate") for run in runs]
    others = [_spread(values, "accuracy") for values in (shuffled, described, follows)]
    return (label, str(len(runs)), *shares, *groups, *others)


def _learning_table(experiment: Experiment, kept: Kept) -> Iterator[str]:
    """Yield the course of the reward and of the length of answers: at the start, at a half and at the end."""
    rows = []
    for arm, stages in _stages(experiment).items():
        results = _of_arm(experiment, kept, arm)
        for stage in stages if results else ():
            courses = [course for result in results for course in result["steps"] if course["stage"] == stage]
            cells = [arm, stage, str(courses[0]["steps"][-1]) if courses and courses[0]["steps"] else ""]
            for column in ("reward", "completion_length"):
                for share in (0.0, 0.5, 1.0):
                    lists = [one["reward"] if column == "reward" else one["completion_length"] for one in courses]
                    values = [values[round(share * (len(values) - 1))] for values in lists if values]
                    cells.append(_spread(values, "words"))
            rows.append(cells)
    if rows:
        titles = ("arm", "stage", "steps", "reward first", "half", "last", "tokens first", "half", "last")
        yield from _table(titles, rows)


def _claims_table(results: Sequence[ClaimResult]) -> Iterator[str]:
    yield from _table(
        ("claim", "verdict", "difference", "95 % interval", "at least", "sees", "seeds", "questions", "by seed"),
        [
            (
                f"{'**' if one['primary'] else ''}{one['text']}{'**' if one['primary'] else ''} "
                f"({one['measure']}{', ' + one['group'] if one['group'] else ''}: {' − '.join(one['between'])})",
                f"{one['verdict']}{f' ({why})' if (why := one['why']) else ''}",
                "" if one["difference"] is None else _signed(one["measure"], one["difference"]),
                ""
                if one["low"] is None or one["high"] is None
                else f"{_signed(one['measure'], one['low'])} to {_signed(one['measure'], one['high'])}",
                _signed(one["measure"], one["at_least"]),
                _signed(one["measure"], one["smallest"]),
                f"{len(one['seeds'])} of {one['seeds_wanted']}",
                str(one["questions"]),
                ", ".join(_signed(one["measure"], value) for value in one["by_seed"]),
            )
            for one in results
        ],
    )


def _examples(experiment: Experiment, kept: Kept) -> Iterator[str]:
    """Yield answers of each arm word for word, of its first seed."""
    for arm in _stages(experiment):
        for result in _of_arm(experiment, kept, arm)[:1]:
            for one in result["examples"]:
                mark = "right" if one["right"] else "wrong"
                text = " ".join(one["text"].split())
                where = f"{arm}, seed {result['seed']}, {one['id']}"
                yield f"- {where}: {one['question']} → `{text}` ({mark}: {one['answer']})"
    yield ""


def _stages(experiment: Experiment) -> dict[str, list[str]]:
    return {arm: [stage.name for stage in one.recipe.stage] for (arm, _), one in experiment.trainings.items()}


def _of_arm(experiment: Experiment, kept: Kept, arm: str) -> list[TrainedResult]:
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
    times, decimals = (1, 2) if measure in PLAIN else (100, 1)
    if not there:
        return ""
    spread = f" ± {times * statistics.stdev(there):.{decimals}f}" if len(there) > 1 else ""
    return f"{times * statistics.fmean(there):.{decimals}f}{spread}"


def _signed(measure: str, value: float) -> str:
    return f"{value:+.2f}" if measure in PLAIN else f"{100 * value:+.1f}"


def _table(titles: Cells, rows: Iterator[Cells] | Sequence[Cells]) -> Iterator[str]:
    yield f"| {' | '.join(titles)} |"
    yield f"|---|{'--:|' * (len(titles) - 1)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""
