"""Pictures of runs for a paper, a slide or a notebook: matplotlib's Figure, or the bytes of a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.harness.frames.find_runs import Runs, find_runs
from dtbench.harness.frames.group_cells import TabledTask
from dtbench.harness.plot.history import draw_history
from dtbench.harness.plot.look import new_figure, own_style, short_label
from dtbench.harness.plot.pictures_of_runs import (
    Panel,
    draw_budgets,
    draw_calibration,
    draw_groups,
    draw_lengths,
    group_height,
)
from dtbench.harness.plot.probe_pictures import draw_probe
from dtbench.harness.plot.request import PROBES, PlotOptions
from dtbench.harness.plot.training_curves import draw_metric, metric_curves
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.run_labels import model_label, run_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT = 3.2
HEIGHT_OF_A_METRIC = 1.3
OF_MANY = ("budget", "history")
"""The kinds for which a folder stands for all runs in it."""
_DRAW: Mapping[str, Callable[[Axes, Panel], None]] = {
    "groups": draw_groups,
    "length": draw_lengths,
    "budget": draw_budgets,
    "calibration": draw_calibration,
}


def plot_runs(runs: Runs, **options: Any) -> Figure:
    """Draw some runs; the options are the fields of PlotOptions, such as kind, by and labels."""
    if options.get("kind") in {"training", *PROBES}:
        several = [runs] if isinstance(runs, str | os.PathLike) else runs
        paths = [Path(os.fspath(one)) for one in several]  # type: ignore[union-attr,arg-type]
    else:
        paths = [run.path for run in find_runs(runs)]
    return draw_picture(PlotOptions(runs=paths, **options))


def draw_picture(options: PlotOptions) -> Figure:
    """Draw the picture that the options ask for."""
    with own_style():
        if options.kind in PROBES:
            return draw_probe(options.kind, options.runs[0])
        return _draw_training(options) if options.kind == "training" else _draw_runs(options)


def _draw_runs(options: PlotOptions) -> Figure:
    panels = _panels(options)
    heights = [group_height(panel) if options.kind == "groups" else HEIGHT for panel in panels]
    figure, all_axes = new_figure(heights)
    baseline = None if options.baseline is None else StoredRun.open(options.baseline)
    for axes, panel in zip(all_axes, panels, strict=True):
        if options.kind == "history":
            draw_history(axes, panel, baseline)
        else:
            _DRAW[options.kind](axes, panel)
        if len(panels) > 1:
            axes.set_title(panel.title, loc="right", fontsize=9)
    return figure


def _panels(options: PlotOptions) -> list[Panel]:
    """Return a panel for each benchmark of the runs."""
    runs = [StoredRun.open(path) for path in _paths(options)]
    labels = _labels(runs, options)
    names = list(dict.fromkeys(name for run in runs for name in run.info["tasks"]))
    if options.task is not None:
        if options.task not in names:
            raise UserError(f"--task {options.task}: none of the runs has it. {did_you_mean(options.task, names)}")
        names = [options.task]
    panels = []
    for name in names:
        own = [(run, label) for run, label in zip(runs, labels, strict=True) if name in run.info["tasks"]]
        parts = [TabledTask.open(run, name, options.task_file) for run, _ in own]
        shown = [short_label(label) for _, label in own]
        panels.append(Panel(short_label(name), parts, shown, options.score, options.by))
    return panels


def _paths(options: PlotOptions) -> list[Path]:
    """Return the folders of all runs; of a folder of runs, where one is taken, those in it."""
    paths = []
    for path in options.runs:
        inside = sorted(file.parent for file in path.glob("*/run.json")) if options.kind in OF_MANY else []
        paths += [path] if (path / "run.json").is_file() or not inside else inside
    return paths


def _labels(runs: Sequence[StoredRun], options: PlotOptions) -> list[str]:
    """Return a label for each run; runs of one model with several budgets are one line, and have one label."""
    if options.kind != "budget":
        return run_labels(runs, options.labels)
    models = [model_label(run) for run in runs]
    known = list(dict.fromkeys(models))
    if len(options.labels) > len(known):
        raise UserError(f"--label {options.labels[len(known)]}: there is no model for it; {len(known)} are drawn.")
    names = dict(zip(known, [*options.labels, *known[len(options.labels) :]], strict=True))
    return [names[model] for model in models]


def _draw_training(options: PlotOptions) -> Figure:
    if len(options.runs) > 1:
        raise UserError(f"{options.runs[1]}: --kind training draws one training: leave the other folder out.")
    curves = metric_curves(options.runs[0], options.metrics)
    stages = list(dict.fromkeys(name for curve in curves for name, _ in curve.stages))
    figure, all_axes = new_figure([HEIGHT_OF_A_METRIC] * len(curves))
    for axes, curve in zip(all_axes, curves, strict=True):
        draw_metric(axes, curve, stages, last=curve is curves[-1])
        axes.sharex(all_axes[0]) if axes is not all_axes[0] else None
    return figure
