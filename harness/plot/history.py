"""The picture of many nights: accuracy by date, and what the gate says of each night by the nights before it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dtbench.harness.compare.gate import GateOptions, Verdict, gate_runs, worst_verdict
from dtbench.harness.core.errors import DtbenchError
from dtbench.harness.frames.group_cells import TabledTask
from dtbench.harness.plot.look import CHANCE, COLOURS, Marker, add_legend, draw_point, draw_segment, percent_axis
from dtbench.harness.plot.pictures_of_runs import Panel
from dtbench.harness.plot.series import GroupPoint, overall_point
from dtbench.harness.store.run_folder import StoredRun

if TYPE_CHECKING:
    from matplotlib.axes import Axes

VERDICTS = {
    "passed": Marker(COLOURS[3], "o"),
    "undecided": Marker(COLOURS[1], "s"),
    "regressed": Marker(COLOURS[4], "X"),
    "no verdict": Marker(COLOURS[2], "D"),
}
"""What the gate says -> how the night looks."""
TOGETHER = 5
"""How many nights the gate takes together, as it does by default."""


class Night(NamedTuple):
    """One night: when it began, its accuracy in percent, and what the gate says of it."""

    start: datetime
    point: GroupPoint
    verdict: str


def nights_of(panel: Panel, baseline: StoredRun | None) -> list[Night]:
    """Return the nights in their order, each with its verdict by the baseline and the nights before it."""
    parts = sorted(panel.parts, key=lambda part: (str(part.run.info["start"]), part.run.path.name))
    return [
        Night(
            datetime.fromisoformat(str(part.run.info["start"])),
            overall_point(part, panel.score),
            "no verdict" if baseline is None else _verdict(part, baseline, [one.run for one in parts[:place]], panel),
        )
        for place, part in enumerate(parts)
    ]


def _verdict(part: TabledTask, baseline: StoredRun, before: Sequence[StoredRun], panel: Panel) -> Verdict | str:
    options = GateOptions(
        baseline=baseline.path,
        candidate=part.run.path,
        history=Path(part.run.path).parent,
        task=part.part.task.name,
        score=panel.score,
        window=TOGETHER,
    )
    try:
        return worst_verdict(gate_runs(options, nights=before))
    except DtbenchError:  # what the gate refuses, such as answers that are missing, has no verdict
        return "no verdict"


def draw_history(axes: Axes, panel: Panel, baseline: StoredRun | None) -> None:
    """Draw a point with its interval for each night, and the baseline as a level line."""
    import matplotlib.dates

    dates: Any = matplotlib.dates
    nights = nights_of(panel, baseline)
    days = [float(dates.date2num(one.start)) for one in nights]
    (line,) = axes.plot(days, [one.point.value for one in nights], color=CHANCE, linewidth=0.8)
    line.set_gid("curve-0")
    handles = {}
    for place, (day, one) in enumerate(zip(days, nights, strict=True)):
        mark = VERDICTS[one.verdict]
        draw_segment(axes, f"interval-{place}", (day, one.point.low), (day, one.point.high), color=mark.colour)
        handles[one.verdict] = draw_point(axes, f"night-{place}-{one.verdict}", mark, day, one.point.value)
    shown, labels = list(handles.values()), [f"gate: {name}" if baseline else "a night" for name in handles]
    if baseline is not None:
        part = TabledTask.open(baseline, panel.parts[0].part.task.name, None)
        level = axes.axhline(overall_point(part, panel.score).value, color=CHANCE, linestyle="--", linewidth=1.2)
        level.set_gid("baseline")
        shown.append(level)
        labels.append("baseline")
    locator = dates.AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
    together = "" if baseline is None else f"; the gate takes the last {TOGETHER} nights together"
    axes.set_xlabel(f"Start of the run (UTC){together}")
    axes.set_ylim(0, 100)
    percent_axis(axes.yaxis, panel.accuracy_words())
    axes.grid(axis="y")
    add_legend(axes, shown, labels)
