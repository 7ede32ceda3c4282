"""Pictures of finished runs: groups, length of the reasoning, budgets of it, and calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from dtbench.harness.core.errors import UserError
from dtbench.harness.frames.group_cells import ColumnSpec, TabledTask, column_specs
from dtbench.harness.plot.look import (
    CHANCE,
    Marker,
    add_legend,
    draw_point,
    draw_segment,
    mark_of,
    percent_axis,
    short_label,
)
from dtbench.harness.plot.series import (
    CurvePoint,
    budget_of,
    chance_of_group,
    group_points,
    length_points,
    overall_point,
    reliability,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GUESSING = "guessing"
_APART = 0.8
"""The part of a row that the points of all runs take."""


class Panel(NamedTuple):
    """One benchmark of some runs: the runs that have it, in their order, with labels."""

    title: str
    parts: Sequence[TabledTask]
    labels: Sequence[str]
    score: str
    by: str | None

    def marks(self) -> list[Marker]:
        """Return how the points of each run look."""
        return [mark_of(place) for place in range(len(self.parts))]

    def accuracy_words(self) -> str:
        """Say what an axis of accuracy shows."""
        return f"{self.score.capitalize()} accuracy (%)"


def group_height(panel: Panel) -> float:
    """Return the inches that a picture by group takes."""
    return 0.9 + len(panel.labels) * 0.09 + len(_specs(panel)) * max(0.28, 0.13 * len(panel.parts) + 0.1)


def _specs(panel: Panel) -> list[ColumnSpec]:
    return column_specs(panel.parts, panel.by)


def draw_groups(axes: Axes, panel: Panel) -> None:
    """Draw a row for each group, with a point and an interval for each run, and a line at what guessing gives."""
    specs, marks, handles = _specs(panel), panel.marks(), {}
    step = _APART / len(panel.parts)
    guessing: Any = None
    for row, spec in enumerate(specs):
        if (chance := chance_of_group(panel.parts, spec)) is not None:
            draw_segment(
                axes,
                f"chance-{row}",
                (chance, row - 0.5),
                (chance, row + 0.5),
                color=CHANCE,
                linestyle="--",
            )
            guessing = axes.lines[-1]
        for place, point in enumerate(group_points(panel.parts, spec, panel.score)):
            if point is not None:
                at = row + (place - (len(panel.parts) - 1) / 2) * step
                draw_segment(
                    axes, f"interval-{row}-{place}", (point.low, at), (point.high, at), color=marks[place].colour
                )
                handles[place] = draw_point(axes, f"point-{row}-{place}", marks[place], point.value, at)
    if not handles:
        raise UserError(f"{panel.parts[0].run.path}: this run has no accuracy in any group.")
    axes.set_yticks(range(len(specs)), [short_label(spec.title) for spec in specs])
    axes.set_ylim(len(specs) - 0.5, -0.5)
    axes.set_xlim(0, 100)
    percent_axis(axes.xaxis, panel.accuracy_words())
    axes.grid(axis="x")
    labels = [panel.labels[place] for place in handles]
    more = [] if guessing is None else [guessing]
    add_legend(axes, [*handles.values(), *more], [*labels, *([GUESSING] if more else [])])


def draw_lengths(axes: Axes, panel: Panel) -> None:
    """Draw accuracy over the length of the reasoning, each part as wide as its lengths."""
    curves = [length_points(part) for part in panel.parts]
    handles = [
        _draw_curve(axes, place, mark, curve, wide=True)
        for place, (mark, curve) in enumerate(zip(panel.marks(), curves, strict=True))
    ]
    _chance_across(axes, panel)
    axes.set_xlabel("Length of the reasoning (characters)")
    axes.set_ylim(0, 100)
    percent_axis(axes.yaxis, "Strict accuracy (%)")
    axes.grid(axis="y")
    add_legend(axes, handles, list(panel.labels))


def draw_budgets(axes: Axes, panel: Panel) -> None:
    """Draw accuracy over the budget of reasoning, a line for each model; a run without a limit is a level line."""
    names = list(dict.fromkeys(panel.labels))
    if all(budget_of(part) is None for part in panel.parts):
        raise UserError(f"{panel.parts[0].run.path}: --kind budget needs runs with --think-budget, and none has it.")
    handles, labels, ticks = [], [], set()
    for place, name in enumerate(names):
        mark = mark_of(place)
        own = [part for part, label in zip(panel.parts, panel.labels, strict=True) if label == name]
        points = [(budget, overall_point(part, panel.score)) for part in own if (budget := budget_of(part)) is not None]
        ticks |= {budget for budget, _ in points}
        if points:
            curve = [CurvePoint(budget, *point, budget, budget) for budget, point in sorted(points)]
            handles.append(_draw_curve(axes, place, mark, curve, wide=False))
            labels.append(name)
        for free in (part for part in own if budget_of(part) is None):
            at = overall_point(free, panel.score).value
            line = axes.axhline(at, color=mark.colour, linestyle=":")
            line.set_gid(f"no-limit-{place}")
            handles.append(line)
            labels.append(f"{name}, no limit")
    axes.set_xscale("log", base=2)
    axes.set_xticks(sorted(ticks), [f"{budget:,}" for budget in sorted(ticks)])
    axes.minorticks_off()
    axes.set_xlabel("Budget of the reasoning (tokens)")
    _chance_across(axes, panel)
    axes.set_ylim(0, 100)
    percent_axis(axes.yaxis, panel.accuracy_words())
    axes.grid(axis="y")
    add_legend(axes, handles, labels)


def draw_calibration(axes: Axes, panel: Panel) -> None:
    """Draw the accuracy of forced answers over their confidence, with the error of it in the legend."""
    found = [reliability(part) for part in panel.parts]
    draw_segment(axes, "as-said", (0, 0), (100, 100), color=CHANCE, linestyle="--")
    handles = [
        _draw_curve(axes, place, mark, one.points, wide=False)
        for place, (mark, one) in enumerate(zip(panel.marks(), found, strict=True))
    ]
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    percent_axis(axes.xaxis, "Confidence (%), the probability of the chosen option")
    percent_axis(axes.yaxis, "Strict accuracy (%)")
    axes.grid()
    labels = []
    for label, one in zip(panel.labels, found, strict=True):
        value, low, high = one.error["value"], one.error["low"], one.error["high"]
        limits = "" if low is None or high is None else f", {low:.3f} to {high:.3f}"
        labels.append(f"{label}: ECE {value or 0.0:.3f}{limits}")
    add_legend(axes, [*handles, axes.lines[0]], [*labels, "as often right as said"])


def _draw_curve(axes: Axes, place: int, mark: Marker, curve: Sequence[CurvePoint], *, wide: bool) -> Any:
    """Draw points with intervals, joined by a thin line; `wide` shows from where to where each reaches."""
    (line,) = axes.plot(
        [one.x for one in curve], [one.value for one in curve], color=mark.colour, linewidth=0.8, alpha=0.6
    )
    line.set_gid(f"curve-{place}")
    handle: Any = line
    for number, one in enumerate(curve):
        name = f"{place}-{number}"
        draw_segment(axes, f"interval-{name}", (one.x, one.low), (one.x, one.high), color=mark.colour)
        if wide:
            draw_segment(axes, f"part-{name}", (one.start, one.value), (one.end, one.value), color=mark.colour)
        handle = draw_point(axes, f"point-{name}", mark, one.x, one.value)
    return handle


def _chance_across(axes: Axes, panel: Panel) -> None:
    chance = chance_of_group(panel.parts, ColumnSpec("Avg", {}))
    if chance is not None:
        line = axes.axhline(chance, color=CHANCE, linestyle="--", linewidth=1.2)
        line.set_gid("chance")
        axes.annotate(GUESSING, (1, chance), xycoords=("axes fraction", "data"), ha="right", va="bottom", color=CHANCE)
