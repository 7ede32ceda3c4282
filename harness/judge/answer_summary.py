"""Sum up the marks that a judge gave answers: their mean, by group, and what has no verdict."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from dtbench.harness.core.scorer import Grouping, Scorer
from dtbench.harness.judge.answer_case import AnswerCase
from dtbench.harness.judge.scorer import UNREADABLE
from dtbench.harness.stats.intervals import Z95, trimmed_mean, wilson
from dtbench.harness.store.jsonl import Key
from dtbench.harness.store.judged_types import AgreementFigures, AnswerFigures, AnswerGroup, JudgeRecord, MarkedFigures

LISTED = 20
Scores = Mapping[Key, float | None]


def summarise_answers(
    task: Scorer,
    scorer: str,
    cases: Sequence[AnswerCase],
    calls: int,
    records: Iterable[JudgeRecord],
    *,
    unreadable_is_wrong: bool,
) -> AnswerFigures:
    """Return the object that `--json` prints for the answers of a task."""
    shares: dict[Key, list[float]] = defaultdict(list)
    failed: dict[Key, str] = {}
    unread = 0
    for record in records:
        key = Key(record["id"], record.get("repeat", 0))
        if "verdict" in record:
            shares[key].append(record["verdict"]["share"])
        elif unreadable_is_wrong and record["error"]["kind"] == UNREADABLE:
            shares[key].append(0.0)
            unread += 1
        else:
            failed[key] = record["error"]["message"]
    scores = {Key(case.id, case.repeat): _score(case, shares, calls) for case in cases}
    without = [key for key, score in scores.items() if score is None]
    ids = list(dict.fromkeys(key.id for key in without))
    why = {key.id: failed[key] for key in without if key in failed}
    return {
        "task": task.name,
        "scorer": scorer,
        "n": len(cases),
        "calls": calls,
        **_total([scores[Key(case.id, case.repeat)] for case in cases]),
        "empty": sum(not case.asked for case in cases),
        "unreadable_as_wrong": unread,
        "unscored": len(without),
        "unscored_ids": ids[:LISTED],
        "unscored_why": {id_: why[id_] for id_ in ids[:LISTED] if id_ in why},
        "unscored_reasons": dict(Counter(failed[key] for key in without if key in failed).most_common()),
        "groups": _groups(task, cases, scores),
        "agreement": _agreement(shares.values()),
    }


def _score(case: AnswerCase, shares: Mapping[Key, list[float]], calls: int) -> float | None:
    """Return the mean of the calls, less the lowest and the highest of three or more; None where one has no verdict."""
    given = shares.get(Key(case.id, case.repeat), [])
    if not case.asked:
        return 0.0
    return trimmed_mean(given) if len(given) >= calls else None


def _total(scores: Sequence[float | None]) -> MarkedFigures:
    """Return the mean mark in percent; an answer without a verdict could have anything from 0 to all of it."""
    given = [score for score in scores if score is not None]
    count = len(scores)
    least = math.fsum(given) / count if count else 0.0
    if len(given) < count or not count:
        most = least + (count - len(given)) / count if count else 0.0
        return {"score": None, "between": [round(100 * least, 2), round(100 * most, 2)]}
    if all(score in {0, 1} for score in given):
        low, high = wilson(least, count)
    else:
        spread = math.sqrt(math.fsum((score - least) ** 2 for score in given) / max(1, count - 1))
        half = Z95 * spread / math.sqrt(count)
        low, high = max(0.0, least - half), min(1.0, least + half)
    return {"score": round(100 * least, 2), "low": round(100 * low, 2), "high": round(100 * high, 2)}


def _groups(task: Scorer, cases: Sequence[AnswerCase], scores: Scores) -> dict[str, dict[str, AnswerGroup]]:
    headings = sorted({heading for case in cases for heading in case.sample.groups})
    tables: dict[str, dict[str, AnswerGroup]] = {}
    for grouping in task.groupings or [Grouping(heading, (heading,)) for heading in headings]:
        parts: dict[str, list[float | None]] = {value: [] for value in grouping.values}
        for case in cases:
            groups = case.sample.groups
            if all(name in groups for name in grouping.fields):
                value = ", ".join(groups[name] for name in grouping.fields)
                parts.setdefault(value, []).append(scores[Key(case.id, case.repeat)])
        tables[", ".join(grouping.fields)] = {
            value: {"n": len(part), **_total(part)} for value, part in parts.items() if part
        }
    return tables


def _agreement(shares: Iterable[Sequence[float]]) -> AgreementFigures | None:
    """Return the share of pairs of calls that give an answer the same mark, and of answers on which all calls agree."""
    several = [Counter(each) for each in shares if len(each) > 1]
    if not several:
        return None
    pairs = sum(math.comb(counts.total(), 2) for counts in several)
    same = sum(math.comb(times, 2) for counts in several for times in counts.values())
    unanimous = sum(len(counts) == 1 for counts in several)
    return {"pairs": same / pairs, "unanimous": unanimous / len(several), "marks": len(several)}
