"""The picture of all arms: reward, right rollouts and length of answers over the steps, from what was kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from dtbench.harness.core.errors import UserError
from dtbench.harness.plot.look import add_legend, mark_of, new_figure, own_style, short_label
from dtbench.harness.store.claim_types import TrainedResult
from dtbench.training.claims.plan import Experiment
from dtbench.training.claims.table import arm_stages, course_values, of_arm
from dtbench.training.claims.verdicts import Kept

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT = 2.2
_TITLES: Mapping[str, str] = {
    "reward": "Reward",
    "accuracy": "Right rollouts (share)",
    "completion_length": "Tokens of an answer",
}


class ArmCurve(NamedTuple):
    """One column of one arm over the steps of all its stages: the mean over seeds, and every seed."""

    arm: str
    steps: Sequence[float]
    mean: Sequence[float]
    seeds: Sequence[Sequence[float]]


def arm_curves(experiment: Experiment, kept: Kept, name: str) -> list[ArmCurve]:
    """Return a curve of each arm whose results have this column."""
    curves = []
    for arm, stages in arm_stages(experiment).items():
        points = [found for result in of_arm(experiment, kept, arm) if (found := _points(result, stages, name))]
        shared = sorted(set[float]().union(*points).intersection(*points)) if points else []
        if shared:
            seeds = [[one[step] for step in shared] for one in points]
            means = [sum(values) / len(values) for values in zip(*seeds, strict=True)]
            curves.append(ArmCurve(arm, shared, means, seeds))
    return curves


def draw_curves(experiments: Sequence[Experiment], kept: Kept) -> Figure:
    """Draw the arms of each recipe that has results, a row a column of its courses."""
    panels = [
        (experiment, name, curves)
        for experiment in experiments
        for name in _TITLES
        if (curves := arm_curves(experiment, kept, name))
    ]
    if not panels:
        raise UserError("--curves: no arm is trained yet, so there is no curve to draw.")
    with own_style():
        figure, all_axes = new_figure([HEIGHT] * len(panels))
        for place, (axes, (experiment, name, curves)) in enumerate(zip(all_axes, panels, strict=True)):
            is_first = not place or panels[place - 1][0] is not experiment
            _draw_panel(axes, experiment, curves, with_legend=is_first)
            axes.set_ylabel(_TITLES[name], fontsize=8)
        all_axes[-1].set_xlabel("Step, over all stages")
    return figure


def _points(result: TrainedResult, stages: Sequence[str], name: str) -> dict[float, float]:
    """Return the values of a column by step, the steps counted over all stages."""
    found: dict[float, float] = {}
    done = 0
    for stage in stages:
        for course in result["steps"]:
            if course["stage"] == stage:
                pairs = zip(course["steps"], course_values(course, name), strict=False)
                found |= {done + step: value for step, value in pairs if value is not None}
                done += course["steps"][-1] if course["steps"] else 0
    return found


def _draw_panel(axes: Axes, experiment: Experiment, curves: Sequence[ArmCurve], *, with_legend: bool) -> None:
    """Draw the curves of a column: the mean of seeds strong, each seed faint."""
    places = {arm: place for place, arm in enumerate(arm_stages(experiment))}
    lines: list[Any] = []
    for curve in curves:
        colour = mark_of(places[curve.arm]).colour
        style = "-" if places[curve.arm] < 7 else "--"
        for values in curve.seeds if len(curve.seeds) > 1 else ():
            axes.plot(curve.steps, values, color=colour, linewidth=0.5, alpha=0.35, linestyle=style)
        (line,) = axes.plot(curve.steps, curve.mean, color=colour, linewidth=1.4, linestyle=style)
        lines.append(line)
    axes.grid(axis="y")
    axes.set_title(experiment.name, loc="right", fontsize=9)
    if with_legend:
        add_legend(axes, lines, [short_label(f"{curve.arm} ({len(curve.seeds)})") for curve in curves])
