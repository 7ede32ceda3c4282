from __future__ import annotations

import math
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from dtbench.harness.core import disk_list as spool
from dtbench.harness.core.disk_list import DiskList
from dtbench.harness.core.samples import SampleList, chosen, clips_of, ids_of
from dtbench.harness.core.schema import Sample


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


def test_what_goes_in_comes_out_again() -> None:
    packed = SampleList(ODD)
    assert list(packed) == list(ODD)
    assert [packed[place] for place in range(-5, 5)] == [*ODD, *ODD]
    assert list(packed[1:4:2]) == [ODD[1], ODD[3]]
    assert list(packed[1:][1:]) == list(ODD[2:])
    assert list(chosen(packed, [4, 0])) == [ODD[4], ODD[0]]
    with pytest.raises(IndexError):
        packed[5]


def test_what_is_known_of_all_of_them_needs_no_sample() -> None:
    packed = SampleList([*ODD, sample(9, answer="c")])
    assert packed.ids == ["0", "1", "2", "3", "4", "9"] == [*ids_of(list(packed))]
    assert packed.unanswerable == ["9"]
    assert [*clips_of(packed)] == [*clips_of(list(packed))] == [str(Path("clips/0.wav")), "bell", *clips_of(packed[2:])]
    assert packed.sha256 == SampleList([*packed]).sha256 != SampleList(ODD).sha256


@pytest.mark.parametrize("held", [0, 64, spool.IN_MEMORY])
def test_a_spool_gives_back_what_it_was_given(monkeypatch: pytest.MonkeyPatch, held: int) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY", held)
    values = [None, "", "text" * 50, 1, math.pi, ("a", [1, {"b": b"\0"}]), {"\ud800": True}]
    spooled = DiskList()
    for place, value in enumerate(values):
        spooled.put(value)
        assert spooled.take(place // 2) == values[place // 2]
    assert [spooled.take(place) for place in range(len(spooled))] == values


def test_what_is_not_plain_is_refused_and_takes_no_place() -> None:
    spooled = DiskList()
    with pytest.raises(ValueError, match="unmarshallable"):
        spooled.put({"a": Path("x")})
    spooled.put("next")
    assert (len(spooled), spooled.take(0)) == (1, "next")
