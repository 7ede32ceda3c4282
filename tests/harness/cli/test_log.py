"""What -v shows and run.log keeps of commands, against an endpoint on this machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from chat_server import Turn, chatting
from command import call, process
from runs import audible_data

ONCE_MORE = {"retry-after": "0.1"}


def arguments(url: str, tmp_path: Path) -> list[str | Path]:
    return ["run", "--model", url, "--tasks", "mmar", "--data-dir", tmp_path / "data", "--out", tmp_path / "out"]


def log_of(tmp_path: Path) -> str:
    return (tmp_path / "out" / "run.log").read_text()


def test_a_run_keeps_its_retries_with_reason_and_wait(tmp_path: Path) -> None:
    audible_data(tmp_path / "data", 12)
    with chatting(Turn(status=429, headers=ONCE_MORE), Turn(status=503)) as chat:
        done = call(*arguments(chat.url, tmp_path))
    assert done.code == 0
    text = log_of(tmp_path)
    assert re.search(r"WARNING .*refused, nothing is sent for [\d.]+ s: the endpoint answered 429", text)
    assert re.search(r"WARNING .*attempt 1 failed, the next in [\d.]+ s: the endpoint answered 503", text)
    assert "mmar: 0 of 12 answers are there" in text
    assert "mmar: 12 of 12" in text
    assert text.splitlines()[-1].endswith("ended: done")
    assert "attempt" not in done.err


def test_a_run_that_gives_up_leaves_more_than_its_stderr(tmp_path: Path) -> None:
    audible_data(tmp_path / "data", 12)
    with chatting(default=Turn(status=404)) as chat:
        done = call(*arguments(chat.url, tmp_path))
    assert done.code == 3
    text = log_of(tmp_path)
    assert text.count("failed questions, ") >= 8
    assert "MachineryError: mmar: the last 8 questions all failed" in text
    assert "Traceback (most recent call last)" in text
    assert text.splitlines()[-1].endswith("ended: failed")


@pytest.mark.parametrize("place", ["before the command", "after it"])
def test_verbose_shows_the_log_and_nothing_twice(tmp_path: Path, place: str) -> None:
    audible_data(tmp_path / "data", 12)
    with chatting(Turn(status=503)) as chat:
        command = arguments(chat.url, tmp_path)
        done = process(*(["-v", *command] if place == "before the command" else [*command, "--verbose"]))
        again = process(*command)
    assert done.code == again.code == 0
    assert "attempt 1 failed" in done.err
    assert "ended: done" in done.err
    assert again.err.count("mmar: 12 of 12 answers are there already") == 1
    assert "INFO" not in again.err
    assert log_of(tmp_path).count("start of dtbench") == 2
