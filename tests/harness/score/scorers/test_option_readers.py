"""The verdicts of the authors' own scripts on answers that we invented, and where our rules must repeat them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dtbench.harness.core.task import LETTERS
from dtbench.harness.score.scorers import option_readers

GOLDEN = Path(__file__).parents[3] / "golden"


def recorded(name: str) -> Iterator[Mapping[str, Any]]:
    with (GOLDEN / f"{name}.jsonl").open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def letter(place: int | None) -> str | None:
    return None if place is None else LETTERS[place]


def test_muchomusic_reads_what_its_script_reads() -> None:
    cases = list(recorded("muchomusic"))
    read = [option_readers.muchomusic(one["said"], one["options"]) for one in cases]
    assert [one for one, place in zip(cases, read, strict=True) if place != one["place"]] == []


def test_trea_calls_right_what_its_script_calls_right() -> None:
    other = [
        one
        for one in recorded("trea")
        if (letter(option_readers.trea(one["said"], ())) == one["gold"].strip()) != one["correct"]
    ]
    assert other == []


def test_star_bench_reads_what_its_script_reads() -> None:
    def read(one: Mapping[str, Any]) -> str:
        found = letter(option_readers.star_bench(one["said"], one["options"]))
        return "Z" if found is None else f"<{found}>"

    other = [one for one in recorded("star_bench") if read(one) != one["read"]]
    # Its script keeps a small letter, which is none of the options' and so wrong, as is no letter at all.
    assert [one["read"] for one in other if not one["read"].strip("<>").islower()] == []
    assert {read(one) for one in other} <= {"Z"}


def test_voicebench_reads_what_its_script_reads() -> None:
    other = [one for one in recorded("voicebench") if letter(option_readers.voicebench(one["said"], ())) != one["read"]]
    assert other == []


@pytest.mark.parametrize("name", ["muchomusic", "trea", "star_bench", "voicebench"])
def test_an_empty_answer_is_no_option(name: str) -> None:
    assert getattr(option_readers, name)("", ("one", "other", "third", "last")) is None
