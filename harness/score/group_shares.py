"""Accuracy by group with intervals, and macro averages: the mean over groups, each with the same weight."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from dtbench.harness.score.outcomes import Answer
from dtbench.harness.stats.intervals import clustered_interval, share
from dtbench.harness.stats.paired_tests import Bounds, pooled
from dtbench.harness.store.paper_types import GroupFigures, MacroFigures
from dtbench.harness.store.share_types import EstimateFigures, ShareFigures
from dtbench.harness.store.types import as_fields

NOTHING: EstimateFigures = {"value": None, "low": None, "high": None}


class ClipVerdict(NamedTuple):
    """Whether one answer is right, and the clip that its question is about."""

    clip: int | str
    right: bool


def share_over_clips(verdicts: Iterable[ClipVerdict]) -> ShareFigures:
    """Return the share of right answers: Wilson's interval, over clips where several answers are about one."""
    clusters: dict[int | str, list[int]] = {}
    for clip, right in verdicts:
        cluster = clusters.setdefault(clip, [0, 0])
        cluster[0] += right
        cluster[1] += 1
    correct, n = (sum(cluster[place] for cluster in clusters.values()) for place in (0, 1))
    figures: ShareFigures = as_fields(share(correct, n))
    if n > len(clusters):
        figures["low"], figures["high"] = clustered_interval((cluster[0], cluster[1]) for cluster in clusters.values())
    return figures


def group_figures(
    answers: Sequence[Answer], tables: Iterable[Sequence[str]], chances: Mapping[str, float] | None
) -> dict[str, dict[str, GroupFigures]]:
    """Return a table for each of these sequences of headings; `chances` are of guessing right, by question."""
    return {", ".join(fields): _table(answers, fields, chances) for fields in tables}


def _table(
    answers: Sequence[Answer], fields: Sequence[str], chances: Mapping[str, float] | None
) -> dict[str, GroupFigures]:
    parts: dict[str, list[Answer]] = {}
    for answer in answers:
        values = [value for name in fields if (value := answer.outcome.group(name)) is not None]
        if len(values) == len(fields):
            parts.setdefault(", ".join(values), []).append(answer)
    return {value: _group(part, chances) for value, part in sorted(parts.items())}


def _group(part: Sequence[Answer], chances: Mapping[str, float] | None) -> GroupFigures:
    counted = [ClipVerdict(one.clip, one.outcome.official.correct) for one in part if one.outcome.official.counted]
    figures: GroupFigures = {
        "official": share_over_clips(counted) if counted else None,
        "strict": share_over_clips(ClipVerdict(one.clip, one.right) for one in part),
    }
    if chances is not None:
        figures["chance"] = math.fsum(chances[one.id] for one in part) / len(part)
    return figures


def macro_averages(tables: Mapping[str, Mapping[str, GroupFigures]]) -> dict[str, MacroFigures]:
    """Return the mean over the groups of each table that has several."""
    return {
        heading: {
            "groups": len(table),
            "official": _mean([part["official"] for part in table.values()]),
            "strict": _mean([part["strict"] for part in table.values()]),
        }
        for heading, table in tables.items()
        if len(table) > 1
    }


def _mean(shares: Sequence[ShareFigures | None]) -> EstimateFigures:
    """Return the mean of independent shares, with limits made from theirs (MOVER)."""
    bounds = [Bounds(one["accuracy"], one["low"], one["high"]) for one in shares if one is not None]
    if not bounds:
        return NOTHING
    mean = pooled(bounds)
    return {"value": mean.difference, "low": mean.low, "high": mean.high}
