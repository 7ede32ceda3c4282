"""Accuracy by group with intervals, and macro averages: the mean over groups, each with the same weight."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from dtbench.harness.score.outcomes import Answer, Groups
from dtbench.harness.stats.intervals import clustered_interval, share
from dtbench.harness.stats.paired_tests import Bounds, pooled
from dtbench.harness.store.paper_types import GroupFigures, MacroFigures
from dtbench.harness.store.share_types import EstimateFigures, ShareFigures
from dtbench.harness.store.types import as_fields

NOTHING: EstimateFigures = {"value": None, "low": None, "high": None}


Clip = int | str


def share_over_clips(clips: Sequence[Clip], right: Sequence[bool]) -> ShareFigures:
    """Return the share of right answers: Wilson's interval, over clips where several answers are about one."""
    figures: ShareFigures = as_fields(share(sum(right), len(right)))
    answers = Counter(clips)
    if len(answers) < len(clips):
        correct = Counter(clip for clip, is_right in zip(clips, right, strict=True) if is_right)
        figures["low"], figures["high"] = clustered_interval((correct[clip], n) for clip, n in answers.items())
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
    lines: dict[Groups, str | None] = {}
    for answer in answers:
        groups = answer.outcome.groups
        if groups not in lines:
            values = [value for name in fields if (value := answer.outcome.group(name)) is not None]
            lines[groups] = ", ".join(values) if len(values) == len(fields) else None
        if (line := lines[groups]) is not None:
            parts.setdefault(line, []).append(answer)
    return {value: _group(part, chances) for value, part in sorted(parts.items())}


def _group(part: Sequence[Answer], chances: Mapping[str, float] | None) -> GroupFigures:
    clips = [one.clip for one in part]
    counted = [one for one in part if one.outcome.official.counted]
    called_right = [one.outcome.official.correct for one in counted]
    figures: GroupFigures = {
        "official": share_over_clips([one.clip for one in counted], called_right) if counted else None,
        "strict": share_over_clips(clips, [one.right for one in part]),
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
