"""Counts that no run can have: what becomes of them on their way in, and of those that a folder already holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from chat_server import Turn, chatting
from command import call
from runs import audible_data, records

from dtbench.harness.store.jsonl import encode_line

ODD = {
    "beyond": {"usage": {"prompt_tokens": 10**30, "completion_tokens": 2**63}, "attempts": 10**30, "seconds": 1e300},
    "below": {"usage": {"prompt_tokens": -(10**30), "completion_tokens": -7}, "attempts": -1, "seconds": -1.0},
}


def answered(usage: Mapping[str, Any], reason: str = "stop") -> Turn:
    choice = {"message": {"content": "(A)"}, "finish_reason": reason}
    return Turn(body=json.dumps({"choices": [choice], "usage": usage}).encode())


def ask(url: str, tmp_path: Path) -> Any:
    data, out = tmp_path / "data", tmp_path / "out"
    done = call("run", "--model", url, "--tasks", "mmar", "--data-dir", data, "--out", out, "--json")
    assert done.code == 0, done
    (told,) = json.loads(done.out)["tasks"]
    return told


def test_a_run_whose_endpoint_counts_wildly_ends_with_what_can_be_counted(tmp_path: Path) -> None:
    audible_data(tmp_path / "data", 3)
    turns = [answered({"prompt_tokens": 10**30, "completion_tokens": -5}), answered({"prompt_tokens": 2**63})]
    with chatting(*turns, default=answered({"prompt_tokens": 7, "completion_tokens": 2})) as chat:
        told = ask(chat.url, tmp_path)
    assert (told["n"], told["tokens"]) == (3, {"in": 7, "out": 2})
    assert sorted(map(str, (record["response"]["usage"] for record in records(tmp_path / "out")))) == [
        "{'prompt_tokens': 7, 'completion_tokens': 2}",
        "{}",
        "{}",
    ]


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_a_finished_run_that_holds_such_counts_is_read_scored_resumed_and_compared(
    tmp_path: Path, odd: Mapping[str, Any]
) -> None:
    audible_data(tmp_path / "data", 3)
    out = tmp_path / "out"
    with chatting(default=answered({"prompt_tokens": 7, "completion_tokens": 2})) as chat:
        ask(chat.url, tmp_path)
        first, *others = records(out)
        lines: list[Any] = [{**first, "response": {**first["response"], **odd}}, *others]
        (out / "mmar.jsonl").write_bytes(b"".join(map(encode_line, lines)))
        told = ask(chat.url, tmp_path)
        assert len(chat.asked) == 3
    assert (told["n"], told["failed"], told["attempts"]) == (3, 0, 3)
    assert told["tokens"] == {"in": 14, "out": 4}
    for command in (
        ("score", out, "--write"),
        ("report", out),
        ("compare", out, out),
        ("export", out, "--format", "lm-eval"),
    ):
        done = call(*command)
        assert done.code == 0, done
