"""Accuracy by sound: groups of clips with words for their edges, and the trend along each measure."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from dtbench.harness.acoustics.columns import MEASURES, Values
from dtbench.harness.stats.intervals import clustered_interval, marks_interval, mean_mark, percentile, share
from dtbench.harness.stats.paired_tests import holm
from dtbench.harness.stats.trends import ClipAnswers, Trend, trend_over_clips
from dtbench.harness.store.acoustic_types import MeasureFigures, TrendFigures
from dtbench.harness.store.paper_types import GroupFigures
from dtbench.harness.store.share_types import ShareFigures
from dtbench.harness.store.types import as_fields

PARTS = 4
DIGITS = 3
"""Of an edge: it is rounded before clips are put into groups, so that its words are exact."""


class SoundAnswer(NamedTuple):
    """One answer: the hash of its clip and both verdicts."""

    clip: str
    official: float | None
    """Its mark, 1 or 0 where it is right or wrong; None where the script does not count it."""
    right: bool


class ScoreOfClip(NamedTuple):
    """A score of one question, or a difference of two, and the hash of its clip."""

    clip: str
    score: float


def measure_figures(answers: Sequence[SoundAnswer], columns: Mapping[str, Values]) -> dict[str, MeasureFigures]:
    """Return groups and trend of each measure; the trends' p values are not adjusted yet."""
    scores = [ScoreOfClip(answer.clip, float(answer.right)) for answer in answers]
    trends = trends_of(scores, columns)
    return {
        name: {
            "what": what,
            "groups": _groups(answers, _values(columns, name)),
            "unmeasured": sum(answer.clip not in _values(columns, name) for answer in answers),
            "trend": trends[name],
        }
        for name, what in MEASURES.items()
    }


def trends_of(scores: Iterable[ScoreOfClip], columns: Mapping[str, Values]) -> dict[str, TrendFigures | None]:
    """Return the trend of the scores over each measure; their p values are not adjusted yet."""
    sums: dict[str, float] = {}
    times: Counter[str] = Counter()
    for clip, score in scores:
        sums[clip] = sums.get(clip, 0.0) + score
        times[clip] += 1
    trends: dict[str, TrendFigures | None] = {}
    for name in MEASURES:
        values = _values(columns, name)
        found = trend_over_clips(
            [ClipAnswers(values[clip], sums[clip], n) for clip, n in times.items() if clip in values]
        )
        trends[name] = None if found is None else _trend_figures(found)
    return trends


def adjust(trends: Iterable[TrendFigures | None]) -> None:
    """Set `p_adjusted` of trends that are looked at together, by Holm's steps."""
    looked_at = [trend for trend in trends if trend is not None]
    for trend, p in zip(looked_at, holm([trend["p"] for trend in looked_at]), strict=True):
        trend["p_adjusted"] = p


def group_of(value: float, edges: Sequence[float]) -> str:
    """Return the words for the group of a value: an edge belongs to the group above it."""
    words = [f"{edge:.15g}" for edge in edges]
    place = bisect_right(edges, value)
    if not edges:
        return "all"
    if place == 0:
        return f"below {words[0]}"
    return f"{words[-1]} and above" if place == len(edges) else f"{words[place - 1]} to below {words[place]}"


def group_edges(values: Iterable[float], parts: int = PARTS) -> list[float]:
    """Return round edges between parts of about equal numbers of values, so that no part is empty."""
    ordered = sorted(values)
    edges: list[float] = []
    below = 0
    for part in range(1, parts):
        edge = _rounded(percentile(ordered, part / parts)) if ordered else 0.0
        here = bisect_right(ordered, math.nextafter(edge, -math.inf))
        if below < here < len(ordered):
            edges.append(edge)
            below = here
    return edges


def _rounded(value: float) -> float:
    return round(value, DIGITS - 1 - math.floor(math.log10(abs(value)))) if value else 0.0


def _values(columns: Mapping[str, Values], name: str) -> dict[str, float]:
    return {clip: value for clip, values in columns.items() if (value := values[name]) is not None}


def _groups(answers: Sequence[SoundAnswer], values: Mapping[str, float]) -> dict[str, GroupFigures]:
    heard = [answer for answer in answers if answer.clip in values]
    clips = {answer.clip for answer in heard}
    edges = group_edges(values[clip] for clip in clips)
    parts: dict[str, list[SoundAnswer]] = {}
    for answer in sorted(heard, key=lambda answer: values[answer.clip]):
        parts.setdefault(group_of(values[answer.clip], edges), []).append(answer)
    return {words: _group(part) for words, part in parts.items()}


def _group(part: Sequence[SoundAnswer]) -> GroupFigures:
    counted = [(answer.clip, answer.official) for answer in part if answer.official is not None]
    return {
        "official": _share(counted) if counted else None,
        "strict": _share([(answer.clip, answer.right) for answer in part]),
    }


def _share(verdicts: Sequence[tuple[str, float]]) -> ShareFigures:
    """Return the mean mark with Wilson's interval, over clips where several answers share one."""
    marks = Counter(float(mark) for _, mark in verdicts)
    figures: ShareFigures = as_fields(share(marks[1.0], len(verdicts)))
    partial = not marks.keys() <= {0.0, 1.0}
    if partial:
        figures["accuracy"] = mean_mark(marks)
        figures["low"], figures["high"] = marks_interval(marks)
    by_clip: dict[str, list[float]] = {}
    for clip, mark in verdicts:
        by_clip.setdefault(clip, []).append(mark)
    if len(by_clip) < len(verdicts):
        clusters = ((math.fsum(ones), len(ones)) for ones in by_clip.values())
        figures["low"], figures["high"] = clustered_interval(clusters, partial=partial)
    return figures


def _trend_figures(found: Trend) -> TrendFigures:
    figures: TrendFigures = {**found._asdict(), "p_adjusted": found.p}  # type: ignore[typeddict-item]
    return figures
