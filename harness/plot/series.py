"""What a picture shows, as numbers: points with intervals, from the summaries and records that runs stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from dtbench.harness.core.errors import UserError
from dtbench.harness.frames.group_cells import ColumnSpec, TabledTask, chance_of_column, score_cell
from dtbench.harness.score.chain_lengths import LEAST_CHAINS
from dtbench.harness.stats.intervals import wilson
from dtbench.harness.store.share_types import EstimateFigures
from dtbench.harness.store.table_types import TableCell

OVERALL = ColumnSpec("Avg", {})


class GroupPoint(NamedTuple):
    """The accuracy of one run in one group, in percent."""

    value: float
    low: float
    high: float


class CurvePoint(NamedTuple):
    """A point of a curve: its place, the accuracy there in percent, and how far it reaches to both sides."""

    x: float
    value: float
    low: float
    high: float
    start: float
    end: float


class Reliability(NamedTuple):
    """The confidence of forced answers against their accuracy, and the error of it."""

    points: Sequence[CurvePoint]
    error: EstimateFigures


def group_points(parts: Sequence[TabledTask], spec: ColumnSpec, score: Any) -> list[GroupPoint | None]:
    """Return the accuracy of each run in a group; None where it has no such questions."""
    return [_point(score_cell(part, spec, score)) for part in parts]


def chance_of_group(parts: Sequence[TabledTask], spec: ColumnSpec) -> float | None:
    """Return what guessing gives in a group, in percent, by the first run that tells it."""
    chances = (chance_of_column(part, spec) for part in parts)
    return next((100 * chance for chance in chances if chance is not None), None)


def _point(cell: TableCell | None) -> GroupPoint | None:
    if cell is None or cell["low"] is None or cell["high"] is None:
        return None
    return GroupPoint(100 * cell["value"], 100 * cell["low"], 100 * cell["high"])


def overall_point(part: TabledTask, score: Any) -> GroupPoint:
    """Return the accuracy over all questions; a UserError where there is none."""
    point = _point(score_cell(part, OVERALL, score))
    if point is None:
        raise UserError(
            f"{_name(part)}: this run has no accuracy: {'; '.join(part.summary['notes'][:1]) or 'no answers'}."
        )
    return point


def length_points(part: TabledTask) -> list[CurvePoint]:
    """Return the accuracy over the length of the reasoning; a UserError where too few answers have any."""
    lengths = part.summary.get("chain_lengths", [])
    if not lengths:
        raise UserError(
            f"{_name(part)}: --kind length needs {LEAST_CHAINS} answers with reasoning at least, and "
            f"{part.summary['chains']['n']} have some: run it with --answer think."
        )
    return [
        CurvePoint(
            (one["shortest"] + one["longest"]) / 2,
            100 * one["accuracy"],
            100 * one["low"],
            100 * one["high"],
            one["shortest"],
            one["longest"],
        )
        for one in lengths
    ]


def budget_of(part: TabledTask) -> int | None:
    """Return the most tokens of reasoning that a run allows; None for no limit."""
    return part.part.about.get("think_budget")


def reliability(part: TabledTask) -> Reliability:
    """Return confidence against accuracy in bins; a UserError where no answer has a probability."""
    forced = part.summary.get("forced")
    figures = None if forced is None else forced["calibration"]
    if figures is None:
        raise UserError(
            f"{_name(part)}: --kind calibration needs forced answers with log-probabilities: run it with --answer "
            f"forced, at an endpoint that gives them."
        )
    points = []
    for one in figures["bins"]:
        limits = wilson(one["accuracy"], one["n"])
        shown = [100 * value for value in (one["confidence"], one["accuracy"], *limits, one["low"], one["high"])]
        points.append(CurvePoint(*shown))
    confidence = part.summary.get("confidence")
    error: EstimateFigures = {"value": figures["ece"], "low": None, "high": None}
    return Reliability(points, error if confidence is None else confidence["ece"])


def _name(part: TabledTask) -> str:
    return f"{part.run.path}, {part.part.task.name}"
