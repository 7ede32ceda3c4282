"""`dtbench extract` as a user runs it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from command import COMMAND, call, process

GOOD = {"choices": ["a bell", "a drum"], "output": "<think>It rings.</think>\n<answer>a bell</answer>"}
LINE = json.dumps(GOOD)


def test_each_line_is_answered_in_order() -> None:
    silent = json.dumps({**GOOD, "output": "I cannot tell."})
    done = process("extract", stdin=f"{LINE}\n\n{silent}\r\n{LINE}".encode())
    assert (done.code, done.err) == (0, "")
    first, second, third = (json.loads(line) for line in done.out.splitlines())
    assert list(first) == ["thinking", "answer", "choice", "level", "how", "set_aside"]
    assert (first["thinking"], first["answer"], first["choice"]) == ("It rings.", "a bell", "a bell")
    assert second["choice"] is None
    assert third == first


def test_a_file_is_read_and_another_written(tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(f"\ufeff{LINE}\n", encoding="utf-8")
    done = call("extract", source, "--out", out)
    assert (done.code, done.out, done.err) == (0, "", "")
    assert json.loads(out.read_text())["choice"] == "a bell"
    assert call("extract", source).out == out.read_text()


def test_fields_of_the_users_own_are_passed_over_and_lone_surrogates_pass_through() -> None:
    line = json.dumps({**GOOD, "id": 7, "output": "\ud800 a bell"})
    (answer,) = process("extract", stdin=line.encode()).out.splitlines()
    assert json.loads(answer)["choice"] == "a bell"
    (thought,) = process("extract", stdin=LINE.replace("rings", "\\\\ud800").encode()).out.splitlines()
    assert json.loads(thought)["thinking"]


def test_nothing_in_is_nothing_out() -> None:
    assert process("extract") == (0, "", "")


WRONG: list[tuple[str, Any, str]] = [
    ("not JSON", "{", "line 2: not JSON (Expecting property name"),
    ("a list", [GOOD], "line 2: an object with `choices` and `output` is expected, found [{"),
    ("a text", "a bell", 'found "a bell".'),
    ("no choices", {"output": "a"}, "line 2: `choices` is missing; found: output."),
    ("no output", {"choices": ["a"]}, "line 2: `output` is missing; found: choices."),
    ("nothing", {}, "`choices` is missing; found: none."),
    ("null", {**GOOD, "output": None}, "`output` must be text, found null."),
    ("a number", {**GOOD, "output": 3}, "`output` must be text, found 3."),
    ("no option", {**GOOD, "choices": []}, "`choices` must be a list of texts, found []."),
    ("options of numbers", {**GOOD, "choices": ["a", 3]}, '`choices` must be a list of texts, found ["a", 3].'),
    ("options as text", {**GOOD, "choices": "ab"}, '`choices` must be a list of texts, found "ab".'),
    ("a long number", '{"output": ' + "9" * 5000 + "}", "line 2: not JSON (Exceeds the limit"),
    ("depth", "[" * 200_000, "line 2: not JSON (maximum recursion"),
]


@pytest.mark.parametrize(("record", "complaint"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_wrong_line_is_named_and_those_before_it_are_answered(tmp_path: Path, record: Any, complaint: str) -> None:
    wrong = record if isinstance(record, str) and record[0] in "{[" else json.dumps(record)
    (tmp_path / "in.jsonl").write_text(f"{LINE}\n{wrong}\n")
    done = call("extract", tmp_path / "in.jsonl")
    assert done.code == 2
    assert len(done.out.splitlines()) == 1
    (line,) = done.err.splitlines()
    assert line.startswith(f"error: {tmp_path / 'in.jsonl'}: line 2: ")
    assert complaint in line
    assert len(line) < 300


def test_nothing_is_written_where_a_line_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(f"{LINE}\n{{}}\n")
    assert "line 2: `choices` is missing" in call("extract", tmp_path / "in.jsonl", "--out", tmp_path / "out").refusal()
    assert not (tmp_path / "out").exists()


def test_a_file_that_was_there_stays_where_a_line_is_wrong_and_may_be_the_one_that_is_read(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(f"{LINE}\n{{}}\n")
    assert "line 2: `choices` is missing" in call("extract", source, "--out", source).refusal()
    assert source.read_text() == f"{LINE}\n{{}}\n"
    source.write_text(f"{LINE}\n{LINE}\n")
    assert call("extract", source, "--out", source).code == 0
    assert [json.loads(line)["choice"] for line in source.read_text().splitlines()] == ["a bell", "a bell"]
    assert list(tmp_path.iterdir()) == [source]


def test_an_answer_appears_before_the_next_line_is_there() -> None:
    with subprocess.Popen([*COMMAND, "extract"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as command:
        assert command.stdin is not None
        assert command.stdout is not None
        for _ in range(2):
            command.stdin.write(f"{LINE}\n")
            command.stdin.flush()
            assert json.loads(command.stdout.readline())["choice"] == "a bell"
        command.stdin.close()
        assert command.stdout.read() == ""
    assert command.returncode == 0


def test_bytes_that_are_no_text_are_named_by_their_place_and_the_lines_before_are_answered(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(f"\ufeff{LINE}\n".encode() + b"ab\xff\n")
    done = call("extract", tmp_path / "in.jsonl")
    assert (done.code, len(done.out.splitlines())) == (2, 1)
    assert f"in.jsonl: not UTF-8 text (byte {len(LINE) + 6}); JSON lines with" in done.err


def test_files_that_cannot_be_read_or_written_are_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(LINE)
    (tmp_path / "binary").write_bytes(b"PK\x03\x04\xff")
    assert "cannot be read (No such file or directory)" in call("extract", tmp_path / "gone").refusal()
    assert "cannot be read (Is a directory)" in call("extract", tmp_path).refusal()
    assert "not UTF-8 text (byte 4); JSON lines with `choices`" in call("extract", tmp_path / "binary").refusal()
    done = call("extract", tmp_path / "in.jsonl", "--out", tmp_path / "gone" / "out.jsonl")
    assert f"{tmp_path / 'gone'} does not exist; create it, or name another." in done.refusal()
