"""STAR-Bench asks each question several times: with its options turned, or its clips in another order.

A question is right in all only where it is right every time. What follows InternLM/StarBench 0daf8b0, ALMEval_code.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

ORDERS = ((1, 2, 3), (1, 3, 2), (2, 1, 3), (2, 3, 1), (3, 1, 2), (3, 2, 1))
SUBSETS = ("OSM", "ISSE", "TAO", "DSS", "ETC")
REPEATS = 3
"""How often spatial and temporal questions are asked; perception as often as there are options."""
_ID = re.compile(r"_(?P<subset>[A-Z]+)_(?P<number>[0-9]+)$")


def asked_again(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a record as it is asked each time, with its options or its clips turned."""
    task = record["task"]
    times = len(record["options"]) if task == "Foundational Acoustic Perception" else REPEATS
    for repeat in range(times):
        shown = _temporal(record, repeat) if task == "Temporal Reasoning" else _turned(record, repeat)
        yield {**record, **shown, "asked": f"{record['id']}@{repeat}", "dataset": task}


def _turned(record: Mapping[str, Any], repeat: int) -> dict[str, Any]:
    """Turn the options to the right, as often as it was asked before."""
    options = list(record["options"])
    step = -repeat % len(options)
    several = len(record["audio_paths"]) > 1
    marks = "".join(f"Audio {place}:{{audio {place}}}" for place in range(1, len(record["audio_paths"]) + 1))
    return {"options": options[step:] + options[:step], "before": marks if several else "", "after": ""}


def _temporal(record: Mapping[str, Any], repeat: int) -> dict[str, Any]:
    """Put the three clips into the order of this time; the right option is where each of them is now."""
    match = _ID.search(record["id"])
    if match is None or match["subset"] not in SUBSETS:
        raise ValueError(f"the id {record['id']!r} names none of {', '.join(SUBSETS)} and a number")
    shown = ORDERS[(int(match["number"]) + repeat + SUBSETS.index(match["subset"])) % len(ORDERS)]
    return {
        "audio_paths": [record["audio_paths"][segment - 1] for segment in shown],
        "answer": " -> ".join(f"clip {shown.index(segment) + 1}" for segment in (1, 2, 3)),
        "before": "",
        "after": "".join(f"\nclip {place}:{{audio {place}}}" for place in (1, 2, 3)),
    }


def figures(records: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return what its paper prints: the mean accuracy, and the share of questions that are right every time."""
    right: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    part_of: dict[str, str] = {}
    for record in records:
        if "error" in record:
            continue
        dataset = record["groups"]["Dataset"]
        part = record["groups"].get("Sub-category", dataset) if dataset.startswith("Foundational") else dataset
        part_of[part] = dataset
        right[part][record["id"].rpartition("@")[0]].append(record["score"]["official"]["correct"])
    parts = {part: _shares(questions) for part, questions in right.items()}
    datasets = {
        name: _mean_of([shares for part, shares in parts.items() if part_of[part] == name])
        for name in dict.fromkeys(part_of.values())
    }
    total = _mean_of(list(datasets.values())) if datasets else None
    return {"robust": {"parts": parts, "datasets": datasets, "total": total}}


def _mean_of(shares: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {measure: _mean([one[measure] for one in shares]) for measure in ("accuracy", "always_right")}


def _shares(questions: Mapping[str, list[bool]]) -> dict[str, float]:
    answers = [one for each in questions.values() for one in each]
    return {"accuracy": _mean(answers), "always_right": _mean([all(each) for each in questions.values()])}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
