"""Compare what a judge said of made cases with what it should have said."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from dtbench.harness.judge.scorer import CaseT, KnownCase
from dtbench.harness.stats.intervals import share
from dtbench.harness.store.jsonl import key_of
from dtbench.harness.store.judged_types import JudgeCalibration, JudgeRecord
from dtbench.harness.store.types import as_fields

NEAR = 0.5
"""A mark that is nearer to the known one than this is as known: of 0 or 1, none but the same; of a scale, its half."""


def compare_with_known(
    kinds: Mapping[str, str], known: Sequence[KnownCase[CaseT]], records: Iterable[JudgeRecord]
) -> JudgeCalibration:
    """Return how many of the judge's marks are the known ones, in all and for each kind of case."""
    by_key = {one.case.key(0): one for one in known}
    right, marks = Counter[str](), Counter[str]()
    given, expected = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    unread = 0
    for record in records:
        one = by_key.get(key_of(record))
        if one is None:
            continue
        if "verdict" not in record:
            unread += 1
            continue
        for name, wanted in one.expected.items():
            mark = record["verdict"]["marks"][name]
            marks[one.kind] += 1
            right[one.kind] += abs(mark - wanted) < NEAR
            given[one.kind].append(mark)
            expected[one.kind].append(wanted)
    return {
        "chains": len(known),
        "unread": unread,
        "marks": as_fields(share(sum(right.values()), sum(marks.values()))),
        "kinds": {
            kind: {
                "what": what,
                "marks": marks[kind],
                "as_known": right[kind] / marks[kind] if marks[kind] else None,
                "given": _mean(given[kind]),
                "known": _mean(expected[kind]),
            }
            for kind, what in kinds.items()
        },
    }


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None
