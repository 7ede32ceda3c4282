from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from dtbench.harness.core import dataset as questions
from dtbench.harness.core import disk_list as spool
from dtbench.harness.core.dataset import IN_MEMORY, Dataset
from dtbench.harness.core.disk_list import DiskList
from dtbench.harness.core.schema import NoClip, Sample, clip_name


class Bell:
    """A clip in memory."""

    label = "bell"

    def read(self) -> bytes:
        return b"ding"


def sample(number: int, **fields: Any) -> Sample:
    given: dict[str, Any] = {"answer": "b", "audio": Path("clips") / f"{number}.wav", "groups": {"kind": "x"}}
    return Sample(str(number), f"Question {number}?", ("a", "b"), **(given | fields))


ODD = (
    sample(0),
    sample(1, audio=Bell(), answer=None),
    sample(2, item={"id": "2", "rows": [1, 2.5, None, {"deep": ["\ud800", b"x"]}]}),
    sample(3, item=MappingProxyType({"not": "plain"})),
    sample(4, item={"object": Path("x")}, audio=Bell()),
)


@pytest.fixture(params=[0, 2, questions.IN_MEMORY], ids="{} in memory".format, autouse=True)
def kept_in_memory(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "IN_MEMORY", request.param)


def dataset(*samples: Sample) -> Dataset:
    return Dataset(samples, "own", "here")


def test_what_goes_in_comes_out_again() -> None:
    data = dataset(*ODD)
    assert list(data.samples) == list(ODD)
    assert [data.samples[place] for place in range(-5, 5)] == [*ODD, *ODD]
    assert list(data.samples[1:4:2]) == [ODD[1], ODD[3]]
    assert list(data.samples[1:][1:]) == list(ODD[2:])
    assert list(data.select([4, 0]).samples) == [ODD[4], ODD[0]]
    assert list(data.select([4, 0, 2]).select([2, 0]).samples) == [ODD[2], ODD[4]]
    with pytest.raises(IndexError):
        data.samples[5]


def test_only_the_first_samples_stay_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "IN_MEMORY", 2)
    given = [sample(number) for number in range(4)]
    data = dataset(*given)
    assert [one is other for one, other in zip(data.samples, given, strict=True)] == [True, True, False, False]


def test_what_is_known_of_all_of_them_needs_no_sample() -> None:
    data = dataset(*ODD, sample(9, answer="c"))
    assert data.ids == ["0", "1", "2", "3", "4", "9"] == [one.id for one in data.samples]
    assert data.unanswerable == ["9"]
    assert data.clip_names() == [tuple(map(clip_name, one.clips)) for one in data.samples]
    assert data.clip_names() == [(str(Path("clips/0.wav")),), ("bell",), *data.select([2, 3, 4, 5]).clip_names()]
    assert data.sha256 == dataset(*data.samples).sha256 != dataset(*ODD).sha256


def test_a_selection_is_of_the_same_data() -> None:
    data = dataset(*ODD, sample(9, answer="c"))
    part = data.select([5, 1])
    assert (part.version, part.source, part.sha256) == (data.version, data.source, data.sha256)
    assert (part.ids, part.places(), part.clip_names()) == (
        ["9", "1"],
        {"9": 0, "1": 1},
        [(str(Path("clips/9.wav")),), ("bell",)],
    )
    again = Dataset(part.samples, "other", "there", ["a note"])
    assert (again.ids, again.version, again.notes) == (part.ids, "other", ("a note",))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"answer": None},
        {"choices": ('"quoted"', "a\\b", "\x00\n", "é😀", "")},
        {"choices": ["a", "b"]},
        {"choices": ()},
        {"choices": "ab"},
        {"choices": (1, 2.5, None)},
        {"answer": 3},
        {"answer": ["a"]},
        {"question": 7},
    ],
)
def test_the_hash_is_over_the_questions_as_json_writes_them(fields: dict[str, Any]) -> None:
    one = dataclasses.replace(sample(0), **fields)
    row = json.dumps((one.id, one.question, one.choices, one.answer), ensure_ascii=False)
    assert dataset(one).sha256 == hashlib.sha256(f"{row}\n".encode()).hexdigest()


@pytest.mark.parametrize("held", [0, 64, spool.IN_MEMORY])
def test_a_spool_gives_back_what_it_was_given(monkeypatch: pytest.MonkeyPatch, held: int) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY", held)
    values = [None, "", "text" * 50, 1, math.pi, ("a", [1, {"b": b"\0"}]), {"\ud800": True}]
    spooled = DiskList()
    for place, value in enumerate(values):
        spooled.append(value)
        assert spooled.read(place // 2) == values[place // 2]
    assert [spooled.read(place) for place in range(len(spooled))] == values


def test_what_is_not_plain_is_refused_and_takes_no_place() -> None:
    spooled = DiskList()
    with pytest.raises(ValueError, match="unmarshallable"):
        spooled.append({"a": Path("x")})
    spooled.append("next")
    assert (len(spooled), spooled.read(0)) == (1, "next")


def test_a_selection_knows_the_whole_and_each_question_has_a_hash_of_its_content() -> None:
    data = Dataset([sample(number) for number in range(6)], "v", "here")
    part = data.select([4, 1])
    assert (part.ids, part.whole.ids, data.whole.ids) == (["4", "1"], data.ids, data.ids)
    assert [part.place_in_whole(place) for place in range(2)] == [4, 1]
    assert part.select([1]).whole.ids == data.ids
    hashes = [data.question_hash(place) for place in range(6)]
    assert [part.question_hash(place) for place in range(2)] == [hashes[4], hashes[1]]
    assert len({*hashes}) == 6
    assert all(len(one) == 12 for one in hashes)
    moved = Dataset([sample(1, audio=Path("elsewhere.wav"), groups={})], "v", "there")
    changed = [sample(1, answer="a"), dataclasses.replace(sample(1), choices=("a", "c"))]
    assert moved.question_hash(0) == hashes[1]
    assert all(Dataset([one], "v", "here").question_hash(0) != hashes[1] for one in changed)


def test_values_on_disk_are_read_in_their_order_whatever_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY", 1_000)
    values = [("x" * (number * 37 % 2_500), number) for number in range(400)] + ["y" * 200_000, None, 7]
    spooled = DiskList()
    assert list(spooled) == []
    for value in values:
        spooled.append(value)
    assert list(spooled) == values == [spooled.read(place) for place in range(len(values))]


def test_samples_beyond_those_in_memory_come_in_order_and_are_the_same_one_by_one() -> None:
    count = IN_MEMORY + 30
    plain = [Sample(f"q{n}", f"Which {n}?", ("Crow", "Jay"), "Jay", NoClip(f"q{n}")) for n in range(count)]
    odd = Sample("odd", "Which?", ("Crow", "Jay"), "Jay", NoClip("odd"), item={"made": object()})
    given = [*plain[: IN_MEMORY + 10], odd, *plain[IN_MEMORY + 10 :]]
    data = Dataset(given, "own", "here")
    assert list(data.samples) == given == [data.samples[place] for place in range(len(given))]
    assert list(data.select([IN_MEMORY + 10, 0]).samples) == [odd, given[0]]
