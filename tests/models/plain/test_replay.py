"""Answers from files, word for word."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from dtbench.harness.core.errors import ModelError, UserError
from dtbench.harness.core.schema import Prompt, Response
from dtbench.models.backends import open_model


def replayed(path: Path, id_: str, repeat: int = 0, **options: str) -> Response:
    model = open_model("replay", {"file": str(path), **options})
    assert not model.listens
    return asyncio.run(model.generate(Prompt("?", Path("clip"), id=id_, repeat=repeat)))


def lines(folder: Path, *records: Any) -> Path:
    path = folder / "answers.jsonl"
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return path


KEYS = ["response", "text", "model_output", "model_prediction", "answer_prediction", "output", "prediction"]


@pytest.mark.parametrize("key", KEYS)
def test_answers_are_found_under_every_usual_name(tmp_path: Path, key: str) -> None:
    path = lines(tmp_path, {"id": "a", key: "<think>x</think>\n(B) "}, {"id": 7, key: "C"})
    assert [replayed(path, id_).text for id_ in ("a", "7")] == ["<think>x</think>\n(B) ", "C"]


def test_a_json_list_is_read_like_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "answers.json"
    path.write_text(json.dumps([{"id": "a", "response": "B"}], indent=1))
    assert replayed(path, "a").text == "B"


def test_repeats_are_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = lines(tmp_path, {"id": "a", "text": "1"}, {"id": "b", "text": "x"}, {"id": "a", "text": "2"})
    assert [replayed(path, "a", repeat).text for repeat in (0, 1)] == ["1", "2"]


def test_several_answers_in_one_record_are_repeats(tmp_path: Path) -> None:
    path = lines(tmp_path, {"id": "a", "answers": ["1", "2"]})
    assert [replayed(path, "a", repeat).text for repeat in (0, 1)] == ["1", "2"]


def test_records_of_a_run_are_replayed_with_their_tokens_and_without_those_that_failed(tmp_path: Path) -> None:
    told = {"text": "2", "finish_reason": "length", "usage": {"completion_tokens": 9}}
    path = lines(
        tmp_path,
        {"id": "a", "sample": 1, "response": told},
        {"id": "b", "sample": 0, "error": {"kind": "model", "message": "late", "attempts": 5}},
        {"id": "a", "sample": 0, "response": {"text": "1"}},
    )
    assert replayed(path, "a").text == "1"
    assert replayed(path, "a", 1) == Response("2", "length", {"completion_tokens": 9})
    with pytest.raises(ModelError, match=r"^answers\.jsonl has no answer to 'b'$"):
        replayed(path, "b")


def test_a_missing_answer_stands_for_nothing_said(tmp_path: Path) -> None:
    assert replayed(lines(tmp_path, {"id": "a", "response": None}), "a").text == ""


@pytest.mark.parametrize(
    ("id_", "repeat", "complaint"),
    [
        ("z", 0, "answers.jsonl has no answer to 'z'"),
        ("a", 1, "answers.jsonl has 1 answer to 'a', number 2 was requested"),
    ],
)
def test_an_answer_that_is_not_there_is_not_asked_for_again(
    tmp_path: Path, id_: str, repeat: int, complaint: str
) -> None:
    with pytest.raises(ModelError) as raised:
        replayed(lines(tmp_path, {"id": "a", "text": "x"}), id_, repeat)
    assert (raised.value.again, str(raised.value)) == (False, complaint)


def test_answers_under_two_names_that_differ_are_not_guessed_between(tmp_path: Path) -> None:
    path = lines(tmp_path, {"id": "a", "model_output": "<think>..</think>B", "model_prediction": "B"})
    with pytest.raises(UserError, match="answers under model_output and under model_prediction differ: name one with"):
        replayed(path, "a")
    assert replayed(path, "a", key="model_prediction").text == "B"
    same = lines(tmp_path, {"id": "a", "model_output": "B", "model_prediction": "B"})
    assert replayed(same, "a").text == "B"


def test_the_record_names_the_file_and_its_content_but_no_folder(tmp_path: Path) -> None:
    described = [
        open_model("replay", {"file": str(lines(tmp_path, {"id": "a", "text": text}))}).describe()
        for text in ("x", "x", "y")
    ]
    assert described[0] == described[1] != described[2]
    assert described[0]["file"] == "answers.jsonl"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "no record in this file"),
        ('{"id": "a", "said": "x"}', "name the key with -M key=NAME (id, said)."),
        ('{"id": "a", "text": "x"}\n{"id"', "answers.jsonl: line 2, column 6: not JSON"),
        ('{"text": "x"}', "an id is expected beside 'text', found None."),
        ('{"id": "a", "text": 3}', "a text or a list of texts is expected as the answer, found 3."),
        ('{"id": "a", "text": ["x", 3]}', "a text or a list of texts is expected"),
        ("\x00\x01", "not JSON"),
    ],
    ids=["empty", "no key", "torn", "no id", "number", "mixed list", "binary"],
)
def test_a_file_that_cannot_be_replayed_is_one_line(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text(content)
    with pytest.raises(UserError) as raised:
        replayed(path, "a")
    assert str(raised.value).startswith("-M file")
    assert complaint in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_path_without_a_file_is_one_line(tmp_path: Path) -> None:
    for path, complaint in ((tmp_path / "gone", "there is no such file."), (tmp_path, "this is a folder")):
        with pytest.raises(UserError, match=complaint):
            replayed(path, "a")
    path = lines(tmp_path, {"id": "a", "text": "x"})
    with pytest.raises(UserError, match="no record has an id and a text under 'other'"):
        replayed(path, "a", key="other")
