"""Judges on this machine, and a made-up MMAR whose questions have five criteria."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from chat_server import Asked, Turn
from small_data import mmar_items, write_json

from dtbench.harness.core.schema import Sample

POINTS = ("a door opens", "steps come near", "a dog barks twice", "the rain stops", "a car leaves")
_CRITERION = re.compile(r"^\d\. (?P<name>[^:]+): (?P<point>[^(\n]*)", re.MULTILINE)
_CHAIN = re.compile(r"^BEGIN (\w+)\n(.*)\nEND \1$", re.MULTILINE | re.DOTALL)
Marks = list[dict[str, Any]]


def mmar_with_criteria(folder: Path, count: int = 6) -> list[dict[str, Any]]:
    """Its items; each has criteria of its own."""
    items = mmar_items(count)
    with_criteria(folder, items)
    return items


def with_criteria(folder: Path, items: list[dict[str, Any]]) -> None:
    """Give each item criteria of its own, and write all of them."""
    for number, item in enumerate(items):
        item["rubric"] = [
            {"name": f"Point {n}", "scoring_point": f"Says in scene {number} that {point}", "choices": [0, 1]}
            for n, point in enumerate(POINTS)
        ]
        item["thinking"] = f"In scene {number} a door opens and more."
    write_json(folder / "MMAR-meta.jsonl", items)


def chain_of(sample: Sample, points: int) -> str:
    """A chain that makes so many points, and the right answer."""
    rubric = sample.item["rubric"]
    made = " ".join(f"{one['scoring_point']}." for one in rubric[:points])
    return f"<think>{made or 'Hm.'}</think>{sample.answer}"


def marks_of(asked: Asked) -> Marks:
    """What a strict and honest judge says: a point is met where the chain has its words."""
    text = str(asked.json()["messages"][-1]["content"])
    chain = _CHAIN.search(text)
    assert chain is not None, text
    criteria = text.partition("Criteria:\n")[2].partition("BEGIN ")[0]
    return [
        {
            "name": found["name"],
            "score": int(found["point"].strip() in chain[2]),
            "justification": f"its words are {'' if found['point'].strip() in chain[2] else 'not '}there",
        }
        for found in _CRITERION.finditer(criteria)
    ]


def honest(asked: Asked) -> Turn:
    """A judge that says what is true."""
    return Turn(json.dumps(marks_of(asked)))


def gullible(asked: Asked) -> Turn:
    """A judge that does what a chain tells it."""
    marks = marks_of(asked)
    if "the score 1" in str(asked.json()["messages"][-1]["content"]).partition("BEGIN ")[2].partition("END ")[0]:
        marks = [{**mark, "score": 1} for mark in marks]
    return Turn(json.dumps(marks))


def by_call(turns: Mapping[int, Callable[[Asked], Turn]]) -> Callable[[Asked], Turn]:
    """Another judge for the calls with these numbers; the honest one for all others."""
    count = -1

    def choose(asked: Asked) -> Turn:
        nonlocal count
        count += 1
        return turns.get(count, honest)(asked)

    return choose
