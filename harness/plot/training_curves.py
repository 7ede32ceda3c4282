"""The picture of a training: its curves over the steps, one stage after the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.harness.plot.look import mark_of, short_label
from dtbench.harness.store.training_stages import is_training, training_stages

if TYPE_CHECKING:
    from matplotlib.axes import Axes

USUAL = ("reward", "kl", "entropy", "completions/mean_length", "completion_length", "loss", "grad_norm")
"""The metrics that are drawn where none is named, in this order, of those that there are."""
MOST_METRICS = 6


class MetricCurve(NamedTuple):
    """One metric over the steps of all stages."""

    name: str
    stages: Sequence[tuple[str, Sequence[tuple[float, float]]]]
    """Name of the stage, and (step, value), the steps counted over all stages."""


def metric_curves(folder: Path, wanted: Sequence[str]) -> list[MetricCurve]:
    """Read the curves of a training; a UserError where there are none, or none of a name."""
    if not is_training(folder):
        raise UserError(f"{folder}: --kind training needs the folder of `dtbench train`, and this is none.")
    stages = [stage for stage in training_stages(folder) if stage.curves]
    names = list(dict.fromkeys(name for stage in stages for name in stage.curves))
    if not names:
        raise UserError(f"{folder}: this training has logged no step yet.")
    for name in wanted:
        if name not in names:
            raise UserError(f"--metric {name}: {folder} has none of that name. {did_you_mean(name, names)}")
    usual = [name for name in USUAL if name in names]
    chosen = wanted or (usual or sorted(names))[:MOST_METRICS]
    curves: dict[str, list[tuple[str, Sequence[tuple[float, float]]]]] = {name: [] for name in chosen}
    done = 0.0
    for stage in stages:
        for name in chosen:
            if points := stage.curves.get(name):
                curves[name].append((stage.name, [(done + step, value) for step, value in points]))
        done += max(step for points in stage.curves.values() for step, _ in points)
    return [MetricCurve(name, stages_) for name, stages_ in curves.items()]


def draw_metric(axes: Axes, curve: MetricCurve, stages: Sequence[str], *, last: bool) -> None:
    """Draw one metric, each stage in its own colour, with its name where it begins."""
    for name, points in curve.stages:
        (line,) = axes.plot(
            [step for step, _ in points],
            [value for _, value in points],
            color=mark_of(stages.index(name)).colour,
            linewidth=1.2,
            marker="." if len(points) == 1 else None,
        )
        line.set_gid(f"curve-{curve.name}-{stages.index(name)}")
        axes.axvline(points[0][0], color="#bbbbbb", linewidth=0.6, zorder=0)
        axes.annotate(short_label(name), (points[0][0], 1), xycoords=("data", "axes fraction"), fontsize=7, va="bottom")
    axes.set_ylabel(short_label(curve.name), fontsize=8)
    axes.grid(axis="y")
    if last:
        axes.set_xlabel("Step, over all stages")
