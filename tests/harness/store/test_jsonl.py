from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_records import failure, record

from dtbench.harness.core.errors import DataError
from dtbench.harness.store.jsonl import RecordLine, TornLine, encode_line, read_lines, whole_bytes
from dtbench.harness.store.types import Record


def read(path: Path) -> list[RecordLine | TornLine]:
    return list(read_lines(path, path.stat().st_size))


def records(path: Path) -> list[dict[str, Any]]:
    return [line.record(dict[str, Any]) for line in read(path) if isinstance(line, RecordLine)]


def torn(path: Path) -> list[int]:
    return [line.number for line in read(path) if isinstance(line, TornLine)]


def whole(path: Path) -> int:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return whole_bytes(descriptor)
    finally:
        os.close(descriptor)


@given(
    st.text(st.characters(exclude_categories=())),
    st.integers(0, 10**6),
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=())), st.lists),
)
def test_any_text_comes_back_as_it_was_on_one_line(id_: str, sample: int, value: object) -> None:
    item = {"id": id_, "sample": sample, "response": {"text": value}, "crc": "its own"}
    line = encode_line(item)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    stored = RecordLine(Path("toy.jsonl"), 1, line[:-19])
    assert stored.record(dict[str, Any]) == item
    assert stored.key() == (id_, sample)
    assert not stored.failed()


@pytest.mark.parametrize("item", [record(1), failure(2), {"id": "\ud800", "sample": 3}, {"id": 'a"b\\', "sample": 4}])
def test_the_key_is_told_without_reading_the_record(item: dict[str, Any]) -> None:
    line = RecordLine(Path("toy.jsonl"), 1, encode_line(item)[:-19])
    assert line.key() == (item["id"], item["sample"])
    assert line.failed() == ("error" in item)


def test_a_text_that_looks_like_an_error_is_no_failure() -> None:
    item = {"id": "1", "sample": 0, "response": {"text": ',"error":{"kind":'}, "groups": {"error": "high"}}
    assert not RecordLine(Path("toy.jsonl"), 1, encode_line(item)[:-19]).failed()


@pytest.mark.parametrize("last", [record(2, characters=60), failure(2), {"id": "日本語 \ud800", "sample": 0}])
def test_a_last_line_torn_at_any_byte_is_dropped_and_nothing_else(tmp_path: Path, last: dict[str, Any]) -> None:
    path = tmp_path / "toy.jsonl"
    before = encode_line(record(0, characters=20)) + encode_line(record(1, characters=20))
    line = encode_line(last)
    for size in range(len(line)):
        path.write_bytes(before + line[:size])
        assert records(path) == [record(0, characters=20), record(1, characters=20)], size
        assert torn(path) == ([3] if size else []), size
        assert whole(path) == len(before), size
    path.write_bytes(before + line)
    assert records(path)[2] == last
    assert whole(path) == len(before) + len(line)


@pytest.mark.parametrize("place", range(0, 300, 7))
def test_a_last_line_with_one_wrong_byte_is_dropped(tmp_path: Path, place: int) -> None:
    path = tmp_path / "toy.jsonl"
    before, line = encode_line(record(0)), bytearray(encode_line(record(1)))
    line[place] ^= 1
    path.write_bytes(before + line)
    assert records(path) == [record(0)]
    assert whole(path) == len(before)


def test_nothing_but_a_torn_line_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "toy.jsonl"
    path.write_bytes(encode_line(record(0))[:40])
    assert (records(path), torn(path), whole(path)) == ([], [1], 0)
    path.write_bytes(b"")
    assert (records(path), torn(path), whole(path)) == ([], [], 0)


def test_lines_longer_than_any_buffer_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "toy.jsonl"
    long = [record(number, characters=900_000) for number in range(3)]
    lines = [encode_line(item) for item in long]
    path.write_bytes(b"".join(lines))
    assert records(path) == long
    assert whole(path) == sum(map(len, lines))
    path.write_bytes(b"".join(lines)[:-1])
    assert whole(path) == sum(map(len, lines[:2]))


def test_zeros_that_a_power_failure_leaves_at_the_end_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "toy.jsonl"
    path.write_bytes(encode_line(record(0)) + bytes(5000))
    assert (records(path), torn(path)) == ([record(0)], [2])
    assert whole(path) == len(encode_line(record(0)))


def test_a_torn_line_that_others_follow_is_counted_and_passed_over_at_every_byte(tmp_path: Path) -> None:
    path = tmp_path / "toy.jsonl"
    line, next_line = encode_line(record(0, characters=20)), encode_line(record(1, characters=20))
    for size in range(len(line) - 1):
        path.write_bytes(line[:size] + b"\n" + next_line)
        assert (records(path), torn(path)) == ([record(1, characters=20)], [1]), size


def test_a_record_written_right_behind_a_torn_one_is_read(tmp_path: Path) -> None:
    path = tmp_path / "toy.jsonl"
    line, next_line = encode_line(record(0, characters=20)), encode_line(record(1, characters=20))
    for size in range(1, len(line)):
        path.write_bytes(line[:size] + next_line)
        assert (records(path), torn(path)) == ([record(1, characters=20)], [1]), size
        assert whole(path) == size + len(next_line)
        path.write_bytes(line[:size] + next_line + next_line)
        assert (records(path), torn(path)) == ([record(1, characters=20)] * 2, [1]), size


CHANGED = {
    "one letter of the answer": encode_line(record(1)).replace(b'"a dog"', b'"a cat"'),
    "a checksum of something else": encode_line(record(1))[:-19] + encode_line(record(2))[-19:],
    "no checksum": encode_line(record(1))[:-19] + b"}\n",
    "something else": b"hello\n",
    "zeros": bytes(100) + b"\n",
    "another kind of JSON": b'{"question":"what?"}\n',
    "a list without end": b"[" * 100_000 + b"\n",
}


@pytest.mark.parametrize("line", CHANGED.values(), ids=CHANGED)
def test_a_line_in_the_middle_that_was_changed_is_an_error_with_its_place(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "toy.jsonl"
    path.write_bytes(encode_line(record(0)) + line + encode_line(record(2)))
    with pytest.raises(DataError, match=r"toy\.jsonl, line 2: .* Remove the line"):
        read(path)


def test_a_line_that_is_right_but_no_record_is_an_error_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "toy.jsonl"
    path.write_bytes(encode_line({"question": "what?"}) + encode_line(record(2)))
    (line, _) = read(path)
    assert isinstance(line, RecordLine)
    for reads in (line.key, lambda: line.record(Record)):
        with pytest.raises(DataError, match=r"toy\.jsonl, line 1: not a dtbench record"):
            reads()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"sample": "0"}, "Expected int, got str at sample"),
        ({"score": {"correct": True}}, "Object missing required field official at score"),
        ({"response": {**record(1)["response"], "text": None}}, "Expected str, got null at response.text"),
        ({"groups": {"modality": 3}}, "Expected str, got int at groups[...]"),
    ],
)
@pytest.mark.parametrize("id_", ["item-1", "half \ud800 of a sign"])
def test_a_field_of_a_record_that_is_wrong_is_named(change: dict[str, Any], what: str, id_: str) -> None:
    line = RecordLine(Path("toy.jsonl"), 7, encode_line({**record(1), "id": id_, **change})[:-19])
    with pytest.raises(DataError) as error:
        line.record(Record)
    assert str(error.value) == f"toy.jsonl, line 7: not a dtbench record ({what}). Remove the line."


def test_a_record_without_an_answer_and_without_an_error_is_refused() -> None:
    half = {name: value for name, value in record(1).items() if name != "score"}
    with pytest.raises(DataError, match=r"not a dtbench record \(score missing\)"):
        RecordLine(Path("toy.jsonl"), 1, encode_line(half)[:-19]).record(Record)


def test_a_record_with_half_of_a_sign_is_read_as_any_other() -> None:
    item = {**record(1), "id": "\ud800"}
    assert RecordLine(Path("toy.jsonl"), 1, encode_line(item)[:-19]).record(Record) == item


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [0.5, {"low": -float("inf")}], (None, float("nan"))])
def test_what_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        encode_line({"id": "1", "sample": 0, "seconds": value})


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, Path("clip.wav"), 1j])
def test_what_is_no_json_is_refused_and_not_turned_into_it(value: object) -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        encode_line({"id": "1", "sample": 0, "taken": value})


PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@given(st.recursive(PLAIN, lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner)))
def test_a_line_says_what_the_library_of_python_would_write(value: object) -> None:
    item = {"id": "1", "sample": 0, "taken": value}
    line = RecordLine(Path("toy.jsonl"), 1, encode_line(item)[:-19])
    assert json.loads(line.body + b"}") == json.loads(json.dumps(item))
    assert line.record(dict[str, Any]) == json.loads(json.dumps(item))
