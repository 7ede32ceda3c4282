"""Sum up verdicts: the marks of each question, totals, agreement of the calls, and tokens."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from dtbench.harness.core.schema import is_count
from dtbench.harness.core.scorer import Scorer
from dtbench.harness.judge.rubric_case import RubricCase
from dtbench.harness.stats.intervals import Z95, trimmed_mean
from dtbench.harness.store.judged_types import (
    AgreementFigures,
    JudgedFigures,
    JudgedGroup,
    JudgeFigures,
    JudgeRecord,
    JudgeSpending,
    VerdictRecord,
)

LISTED = 20


def summarise_marks(
    task: Scorer, cases: Sequence[RubricCase], calls: int, records: Iterable[JudgeRecord]
) -> JudgeFigures:
    """Return the object that `--json` prints for the marks of a task."""
    verdicts: dict[str, dict[int, VerdictRecord]] = defaultdict(dict)
    failed: dict[str, str] = {}
    for record in records:
        if "verdict" in record:
            verdicts[record["id"]][record["sample"]] = record["verdict"]
        else:
            failed[record["id"]] = record["error"]["message"]
    scores = {case.id: _score(case, verdicts[case.id], calls) for case in cases}
    unscored = [case.id for case in cases if scores[case.id] is None]
    return {
        "task": task.name,
        "n": len(cases),
        "right": sum(case.right for case in cases),
        "calls": calls,
        **_total(cases, scores),
        "unscored": len(unscored),
        "unscored_ids": unscored[:LISTED],
        "unscored_why": {id_: failed[id_] for id_ in unscored[:LISTED] if id_ in failed},
        "unscored_reasons": dict(Counter(failed[id_] for id_ in unscored if id_ in failed).most_common()),
        "without_chain": sum(case.right and not case.answer.thinking for case in cases),
        "groups": _groups(task, cases, scores),
        "agreement": _agreement(verdicts.values()),
    }


def spending_of(records: Iterable[JudgeRecord]) -> JudgeSpending:
    """Add up what every reply took, of all starts, also of those that no verdict could be read from."""
    spent: JudgeSpending = {"tokens": {}, "replies": 0, "unreadable_replies": 0, "failed_calls": 0}
    for record in records:
        if "response" not in record:
            spent["failed_calls"] += 1
            continue
        spent["replies"] += 1
        spent["unreadable_replies"] += "error" in record
        for name, count in record["response"]["usage"].items():
            if is_count(count):  # runs from before this was asked may hold any number
                spent["tokens"][name] = spent["tokens"].get(name, 0) + count
    return spent


def _score(case: RubricCase, verdicts: Mapping[int, VerdictRecord], calls: int) -> float | None:
    """Return the mean of the calls, less the lowest and the highest of three or more; None where one has no verdict."""
    if not case.right:
        return 0.0
    if len(verdicts) < calls:
        return None
    return trimmed_mean(one["share"] for one in verdicts.values())


def _total(cases: Sequence[RubricCase], scores: Mapping[str, float | None]) -> JudgedFigures:
    """Return rubrics and accuracy in percent; an unscored question could have anything from 0 to all marks."""
    scored = [score for case in cases if (score := scores[case.id]) is not None]
    count = len(cases)
    if len(scored) < count or not count:
        least = 100 * math.fsum(scored) / count if count else 0.0
        most = least + 100 * (count - len(scored)) / count if count else 0.0
        return {"rubrics": None, "between": [round(least, 2), round(most, 2)], "accuracy": _accuracy(cases)}
    mean = math.fsum(scored) / count
    spread = math.sqrt(math.fsum((score - mean) ** 2 for score in scored) / max(1, count - 1))
    half = Z95 * spread / math.sqrt(count)
    return {
        "rubrics": round(100 * mean, 2),
        "low": round(100 * max(0.0, mean - half), 2),
        "high": round(100 * min(1.0, mean + half), 2),
        "accuracy": _accuracy(cases),
    }


def _accuracy(cases: Sequence[RubricCase]) -> float | None:
    return round(100 * sum(case.right for case in cases) / len(cases), 2) if cases else None


def _groups(
    task: Scorer, cases: Sequence[RubricCase], scores: Mapping[str, float | None]
) -> dict[str, dict[str, JudgedGroup]]:
    tables: dict[str, dict[str, JudgedGroup]] = {}
    for grouping in task.groupings:
        parts: dict[str, list[RubricCase]] = {value: [] for value in grouping.values}
        for case in cases:
            groups = case.answer.sample.groups
            if all(name in groups for name in grouping.fields):
                parts.setdefault(", ".join(groups[name] for name in grouping.fields), []).append(case)
        tables[", ".join(grouping.fields)] = {
            value: {"n": len(part), **_total(part, scores)} for value, part in parts.items() if part
        }
    return tables


def _agreement(verdicts: Iterable[Mapping[int, VerdictRecord]]) -> AgreementFigures | None:
    """Return the share of pairs of calls that give a criterion the same mark, and of marks on which all calls agree."""
    pairs = same = marks = unanimous = 0
    for calls in verdicts:
        if len(calls) < 2:
            continue
        for name in next(iter(calls.values()))["marks"]:
            given = [one["marks"][name] for one in calls.values()]
            met, count = round(sum(given)), len(given)
            pairs += count * (count - 1) // 2
            same += (met * (met - 1) + (count - met) * (count - met - 1)) // 2
            marks += 1
            unanimous += met in {0, count}
    if not marks:
        return None
    return {"pairs": same / pairs, "unanimous": unanimous / marks, "marks": marks}
