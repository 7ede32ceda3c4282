"""The summary of a task's records: official and strict accuracy with intervals, and what became of every question.

Nothing in it depends on the order of the records, so a run that was killed and resumed has the summary of one that was
not. Where no answer was read from any response there is no accuracy anywhere: a dead endpoint does not score 0 %.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

from dtbench.harness.core.errors import TaskError
from dtbench.harness.core.schema import Official
from dtbench.harness.core.scorer import Column, Grouping, Scorer
from dtbench.harness.extract.evidence import EVIDENCE_LEVELS
from dtbench.harness.score.calibration import forced_figures
from dtbench.harness.score.group_shares import ShareTally
from dtbench.harness.score.outcomes import UNLEVELLED, Answer, AnswerOutcome, Outcomes
from dtbench.harness.score.scorer_means import scorer_figures, waiting_note
from dtbench.harness.stats.intervals import majority, marks_interval, pass_at, percentile, share, wilson
from dtbench.harness.store.share_types import AllFigures, CountedFigures, IntervalFigures
from dtbench.harness.store.summary_types import (
    ClusterFigures,
    ColumnFigures,
    EvidenceFigures,
    OfficialFigures,
    RepeatFigures,
    RepeatsFigures,
    SpreadFigures,
    StrictFigures,
    TaskSummary,
)
from dtbench.harness.store.types import Record, as_fields

FAILED = "failed, no response"
MISSING = "not asked yet"
WITHHELD = "the authors withhold the answers, so nothing can be scored here"
NONE_ANSWERED = "no answer could be extracted from any response, so there is no accuracy"
UNLEVELLED_NOTE = (
    "{} answers were stored before evidence had levels: `dtbench score RUN --write` extracts them again with levels"
)

MOST_COLUMNS = 8
"""Columns of a table that no task asked for."""

Clips = Mapping[str, int]
"""Question -> number of its clip, for those that share one."""
Counts = Counter[AnswerOutcome]
Figures = TypeVar("Figures")


def summarise(
    task: Scorer,
    records: Iterable[Record] | Outcomes,
    *,
    expected: int,
    samples_k: int = 1,
    scorer: str | None = None,
    shared: Clips | None = None,
) -> TaskSummary:
    """Sum up records in any order; expected is how many answers a whole run has, all repeats counted."""
    outcomes = records if isinstance(records, Outcomes) else Outcomes(records)
    counts, n = outcomes.counts(), max(expected, len(outcomes))
    known = task.answers_public and not task.no_verdict and any(map(_is_known, counts))
    dropped = _dropped(counts, n)
    seconds, chains, tokens = outcomes.seconds(), outcomes.chains(), outcomes.tokens()
    summary: TaskSummary = {
        "task": task.name,
        "scorer": scorer or task.official_versions[0],
        "n": n,
        "official": _official(task, counts, samples_k, known=known),
        "strict": _strict(task, counts, n, samples_k, known=known),
        "unanswered": 0 if task.no_verdict else _times(counts, lambda one: one.unread),
        "evidence": _evidence(task, counts),
        "set_aside": _times(counts, lambda outcome: outcome.set_aside),
        "dropped": sum(dropped.values()),
        "dropped_why": dropped,
        "failed": _times(counts, lambda outcome: outcome.failed is not None),
        "failed_why": _ranked(counts, lambda outcome: outcome.failed),
        "missing": n - len(outcomes),
        "paper": [_column(column, counts, n, known=known) for column in paper_columns(task, counts)],
        "clustered": _clustered(outcomes, n, samples_k, shared or {}) if known else None,
        "repeats": repeat_figures(outcomes, n // samples_k, samples_k) if known and samples_k > 1 else None,
        "clips": _ranked(counts, lambda outcome: outcome.rule),
        "finish_reasons": _ranked(counts, lambda outcome: outcome.finish),
        "chains": {"n": len(chains), **_spread(chains)},
        "tokens": {"in": tokens[0], "out": tokens[1]},
        "seconds": {"total": round(sum(seconds), 3), **_spread(seconds)},
        "attempts": outcomes.attempts(),
        "notes": _notes(task, counts, known=known),
    }
    if scorers := scorer_figures(outcomes, shared or {}):
        summary["scorers"] = scorers
    return _with_forced(_over_clusters(summary), outcomes, counts, known=known)


def _is_known(outcome: AnswerOutcome) -> bool:
    return outcome.correct is not None or any(mark is not None for _, mark in outcome.marks)


def _over_clusters(summary: TaskSummary) -> TaskSummary:
    """Take the intervals of clips for those of all answers, where answers hang together."""
    if (over := summary["clustered"]) is not None:
        official, strict = over["official"], over["strict"]
        summary["official"] = {**summary["official"], **(official or {})}  # type: ignore[typeddict-item]
        summary["strict"] = {**summary["strict"], **(strict or {})}  # type: ignore[typeddict-item]
    return summary


def _with_forced(summary: TaskSummary, outcomes: Outcomes, counts: Counts, *, known: bool) -> TaskSummary:
    """Add the figures of forced answers to the summary, or a note on free ones that were cut off."""
    if forced := outcomes.forced():
        summary["forced"] = forced_figures(forced, known=known)
    else:
        summary["notes"] += _cut_off(counts)
    return summary


def with_figures(summary: TaskSummary, *more: Mapping[str, Any]) -> TaskSummary:
    """Add keys to a summary: what the runs beside it show, and the figures of a task's own."""
    return cast("TaskSummary", {name: value for part in (summary, *more) for name, value in part.items()})


def own_figures(task: Scorer, records: Iterable[Record]) -> Mapping[str, Any]:
    """Return the figures of a task's own; a TaskError where they have the name of one that every summary has."""
    figures = task.figures(records)
    if taken := sorted(figures.keys() & TaskSummary.__annotations__.keys()):
        names = ", ".join(taken)
        raise TaskError(f"{task.name}: figures() returned {names}, which every summary has: give it another name.")
    return figures


def _official(task: Scorer, counts: Counts, repeats: int, *, known: bool) -> OfficialFigures:
    total = _verdicts(counts, known=known)
    raw = [(outcome.raw, times) for outcome, times in counts.items() if outcome.raw is not None]
    marks = _marks(counts)
    whole = _interval(total["accuracy"], total["counted"], repeats)
    return {
        **total,
        **(whole if total["accuracy"] is None or marks.keys() <= {0, 1} else as_fields(marks_interval(marks))),
        "raw": _accuracy_of(raw, known=known) if raw else None,
        "groups": _grouped(task, counts, lambda part: _verdicts(part, known=known)),
    }


def _strict(task: Scorer, counts: Counts, n: int, repeats: int, *, known: bool) -> StrictFigures:
    total = _read(counts, n, known=known)
    groups = _grouped(task, counts, lambda part: _read(part, part.total(), known=known))
    return {**total, **_interval(total["accuracy"], total["n"], repeats), "groups": groups}


def _marks(counts: Counts) -> Counter[float]:
    """Count how often each official mark came, of the answers that are counted."""
    marks = Counter[float]()
    for outcome, times in counts.items():
        if outcome.official.counted:
            marks[outcome.official.value] += times
    return marks


def _verdicts(counts: Counts, *, known: bool) -> CountedFigures:
    """Count the script's verdicts over the records that it counts."""
    return _accuracy_of([(outcome.official, times) for outcome, times in counts.items()], known=known)


def _accuracy_of(verdicts: Sequence[tuple[Official, int]], *, known: bool) -> CountedFigures:
    counted = sum(times for verdict, times in verdicts if verdict.counted)
    correct = sum(times for verdict, times in verdicts if verdict.counted and verdict.correct)
    partial = [(verdict.mark, times) for verdict, times in verdicts if verdict.counted and verdict.mark is not None]
    total = math.fsum((correct, *(mark * times for mark, times in partial)))
    return {
        "correct": correct if known else None,
        "counted": counted,
        "accuracy": total / counted if known and counted else None,
    }


def _read(counts: Counts, n: int, *, known: bool) -> AllFigures:
    """Count the right answers of the strict verdict over all questions, failed and missing ones too.

    Those of which nothing is known before a second pass are left out.
    """
    correct = _times(counts, lambda outcome: outcome.correct is True)
    n -= _times(counts, lambda outcome: outcome.undecided)
    return {"correct": correct if known else None, "n": n, "accuracy": correct / n if known and n else None}


def _evidence(task: Scorer, counts: Counts) -> dict[str, EvidenceFigures]:
    """Count the answers, and the right ones, whose option was read on each level of evidence, counted or set aside."""
    known = task.answers_public and not task.no_verdict
    parts = {level: Counter({one: n for one, n in counts.items() if one.level == level}) for level in EVIDENCE_LEVELS}
    return {
        level: {"n": part.total(), "correct": _times(part, _is_right) if known else None}
        for level, part in parts.items()
    }


def _is_right(outcome: AnswerOutcome) -> bool:
    """Whether the option that was read is the right one, also where it was set aside."""
    return (outcome.aside_correct if outcome.set_aside else outcome.correct) is True


def _interval(accuracy: float | None, n: int, repeats: int) -> IntervalFigures:
    """Wilson's over questions, which holds where answers do not hang together."""
    return {"low": None, "high": None} if accuracy is None else as_fields(wilson(accuracy, n / repeats))


def _grouped(task: Scorer, counts: Counts, of: Callable[[Counts], Figures]) -> dict[str, dict[str, Figures]]:
    return {
        ", ".join(grouping.fields): {", ".join(line): of(part) for line, part in _split(grouping, counts).items()}
        for grouping in _groupings(task, counts)
    }


def _groupings(task: Scorer, counts: Counts) -> Sequence[Grouping]:
    """Return the task's tables; of one that names none, a table for each heading of its questions."""
    if task.groupings:
        return task.groupings
    return [Grouping(heading, (heading,)) for heading in sorted({name for one in counts for name, _ in one.groups})]


def _split(grouping: Grouping, counts: Counts) -> dict[tuple[str, ...], Counts]:
    """Split the counts into the lines of a table: the script's fixed ones in its order, or those that occur, sorted."""
    parts: dict[tuple[str, ...], Counts] = {(value,): Counter() for value in grouping.values}
    for outcome, times in counts.items():
        values = tuple(outcome.group(field) for field in grouping.fields)
        if None not in values:
            parts.setdefault(tuple(map(str, values)), Counter())[outcome] += times
    return parts if grouping.values else dict(sorted(parts.items()))


def paper_columns(task: Scorer, counts: Counter[AnswerOutcome]) -> Sequence[Column]:
    """Return the columns of the table that papers print; of a task that names none, all and its first grouping."""
    groupings = _groupings(task, counts)
    if task.columns or not groupings:
        return task.columns or (Column("Avg"),)
    first = groupings[0]
    lines = _split(first, counts)
    if not task.groupings and len(lines) > MOST_COLUMNS:
        return (Column("Avg"),)
    return [Column("Avg"), *(Column(", ".join(line), dict(zip(first.fields, line, strict=True))) for line in lines)]


def _column(column: Column, counts: Counts, n: int, *, known: bool) -> ColumnFigures:
    where = column.where.items()
    part = Counter({o: times for o, times in counts.items() if all(o.group(name) == value for name, value in where)})
    official, strict = _verdicts(part, known=known), _read(part, part.total() if where else n, known=known)
    return {
        "column": column.title,
        "official": official["accuracy"],
        "counted": official["counted"],
        "strict": strict["accuracy"],
        "n": strict["n"],
    }


def _clustered(outcomes: Outcomes, n: int, repeats: int, shared: Clips) -> ClusterFigures | None:
    """Return intervals over clips; None where every answer has a clip of its own and Wilson's says it all."""
    if repeats == 1 and not shared:
        return None
    official, strict = ShareTally(), ShareTally()
    for answer in outcomes.answers():
        clip = shared.get(answer.id, answer.id)
        verdict = answer.outcome.official
        if not answer.outcome.undecided:
            strict.add(clip, answer.right)
        if verdict.counted:
            official.add(clip, verdict.value)
    missing, clip = n - len(outcomes), 0
    while missing > 0:
        clip -= 1  # no number of a shared clip
        strict.add(clip, 0, min(repeats, missing))
        missing -= repeats
    return {
        "clips": strict.clips,
        "official": as_fields(official.over_clips()) if official.n else None,
        "strict": as_fields(strict.over_clips()) if strict.n else None,
    }


def _dropped(counts: Counts, n: int) -> dict[str, int]:
    """Why answers are not in the script's denominator."""
    why: Counter[str] = Counter()
    for outcome, times in counts.items():
        if not outcome.official.counted:
            why[FAILED if outcome.failed else outcome.official.why] += times
    if n > counts.total():
        why[MISSING] = n - counts.total()
    return _by_rank(why)


def _spread(ordered: Sequence[float]) -> SpreadFigures:
    if not ordered:
        return {"mean": None, "median": None, "p95": None}
    mean, median, p95 = sum(ordered) / len(ordered), percentile(ordered, 0.5), percentile(ordered, 0.95)
    return {"mean": round(mean, 4), "median": round(median, 4), "p95": round(p95, 4)}


def _times(counts: Counts, fits: Callable[[AnswerOutcome], bool]) -> int:
    return sum(times for outcome, times in counts.items() if fits(outcome))


def _ranked(counts: Counts, name: Callable[[AnswerOutcome], str | None]) -> dict[str, int]:
    totals: Counter[str] = Counter()
    for outcome, times in counts.items():
        if (key := name(outcome)) is not None:
            totals[key] += times
    return _by_rank(totals)


def _by_rank(totals: Counter[str]) -> dict[str, int]:
    return dict(sorted(totals.items(), key=lambda entry: (-entry[1], entry[0])))


def _cut_off(counts: Counts) -> list[str]:
    """Return a note on answers that ended at a limit of tokens; not for forced answers, which all do."""
    cut = _times(counts, lambda outcome: outcome.finish == "length")
    unread = _times(counts, lambda outcome: outcome.finish == "length" and outcome.correct is None)
    limit = "the token limit (the model's own, or -M max_tokens)"
    return [f"{cut} answers were cut off at {limit}; {unread} of them are unanswered"] if cut else []


def _notes(task: Scorer, counts: Counts, *, known: bool) -> list[str]:
    unlevelled = _times(counts, lambda outcome: outcome.level == UNLEVELLED)
    older = [UNLEVELLED_NOTE.format(unlevelled)] if unlevelled else []
    if not task.answers_public:
        return [WITHHELD, *older]
    if task.no_verdict:
        return [task.no_verdict, *older]
    stops = _ranked(counts, lambda outcome: outcome.official.why or None if outcome.official.counted else None)
    stopped = [f"{times} answers ({why}) stop the official script; they count as wrong" for why, times in stops.items()]
    waiting = waiting_note(counts)
    none = [] if known or _times(counts, lambda outcome: outcome.undecided) else [NONE_ANSWERED]
    return [*none, *waiting, *stopped, *older]


def repeat_figures(outcomes: Outcomes, questions: int, k: int) -> RepeatsFigures:
    """Sum up several answers to each question: one that failed or is missing is a wrong one, and has no vote."""
    by_question: dict[str, list[Answer]] = {}
    by_repeat: dict[int, list[Answer]] = {}
    for answer in outcomes.answers():
        by_question.setdefault(answer.id, []).append(answer)
        by_repeat.setdefault(answer.sample, []).append(answer)
    repeats = [by_repeat.get(repeat, []) for repeat in range(k)]
    verdicts = [[a.outcome.official.value for a in answers if a.outcome.official.counted] for answers in repeats]
    times_right = Counter(sum(answer.right for answer in answers) for answers in by_question.values())
    steps = sorted({k, *(1 << power for power in range(k.bit_length()) if 1 << power <= k)})  # 1, 2, 4, ... and k
    return {
        "k": k,
        "strict": _repeat_spread([sum(answer.right for answer in answers) / questions for answers in repeats]),
        "official": _repeat_spread([math.fsum(counted) / len(counted) for counted in verdicts if counted]),
        "majority": as_fields(share(sum(map(_majority_is_right, by_question.values())), questions)),
        "pass": {
            str(at): sum(times_right[right] * pass_at(at, k, right) for right in range(k + 1)) / questions
            for at in steps
        },
    }


def _majority_is_right(answers: Sequence[Answer]) -> bool:
    winner = majority(answer.choice for answer in answers)
    return winner is not None and any(answer.choice == winner and answer.right for answer in answers)


def _repeat_spread(each: Sequence[float]) -> RepeatFigures:
    import statistics  # 3 ms that runs of one answer to a question do not need

    return {
        "each": list(each),
        "mean": statistics.fmean(each) if each else None,
        "sd": statistics.stdev(each) if len(each) > 1 else None,
    }
