"""The model that does as it is told, on which tests of runs lean."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from dtbench.harness.core.errors import ModelError, UserError
from dtbench.harness.core.model import Model
from dtbench.harness.core.schema import Prompt
from dtbench.models.backends import open_model


def scripted(folder: Path, *lines: object) -> Model:
    path = folder / "script.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return open_model("scripted", {"script": str(path)})


def said(model: Model, id_: str) -> str:
    try:
        return asyncio.run(model.generate(Prompt("?", Path("clip"), id=id_))).text
    except ModelError as error:
        return f"{error} {error.again} {error.retry_after}"


def test_lines_with_an_id_are_for_that_question_in_turn_and_the_last_one_stays(tmp_path: Path) -> None:
    model = scripted(
        tmp_path, {"id": "a", "error": "late"}, {"text": "others"}, {"id": "a", "text": "1"}, {"id": "a", "text": "2"}
    )
    assert [said(model, "a") for _ in range(4)] == ["late True None", "1", "2", "2"]
    assert said(model, "b") == "others"


def test_lines_without_an_id_serve_whoever_comes_in_turn(tmp_path: Path) -> None:
    model = scripted(tmp_path, {"text": "1"}, {"error": "no", "again": False, "retry_after": 2.5})
    assert [said(model, id_) for id_ in "abcd"] == ["1", "no False 2.5", "1", "no False 2.5"]


def test_a_question_without_a_line_fails_for_good(tmp_path: Path) -> None:
    assert said(scripted(tmp_path, {"id": "a", "text": "1"}), "b") == "script.jsonl has no line for 'b' False None"


def test_it_waits_as_long_as_it_says(tmp_path: Path) -> None:
    model = scripted(tmp_path, {"sleep": 0.1, "text": "1"})
    started = time.perf_counter()
    assert said(model, "a") == "1"
    assert time.perf_counter() - started >= 0.1


def test_a_script_that_cannot_be_followed_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"line 1: unknown field 'txt'; known: id, text, sleep"):
        scripted(tmp_path, {"txt": "1"})
    with pytest.raises(UserError, match="cannot be read"):
        open_model("scripted", {"script": str(tmp_path)})
    with pytest.raises(UserError, match=r"line 1: 'sleep' must be a number, found 'long'"):
        scripted(tmp_path, {"sleep": "long"})
