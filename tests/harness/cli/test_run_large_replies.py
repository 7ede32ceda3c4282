"""A reply that no answer is costs neither memory nor a second question, in whatever way it is sent."""

from __future__ import annotations

import os
from pathlib import Path

import flood
import pytest
from chat_server import chatting
from command import COMMAND
from measured import Cost, measured
from runs import audible_data, records

AT_ONCE = 16
LARGE = 250 << 20
COMPLAINT = "the reply is longer than 8 MB, which no answer is"
MOST = 8
"""Megabytes of each reply that are read before it is given up."""


def run(url: str, folder: Path) -> Cost:
    options = ["--tasks", "mmar", "--data-dir", folder / "data", "--out", folder / "out"]
    limits = ["--concurrency", str(AT_ONCE)]
    command = [*COMMAND, "run", "--model", url, *map(str, options), *limits]
    # Exit 3 is what a run ends with whose questions failed.
    return measured(["sh", "-c", '"$@"; test $? -eq 3 -o $? -eq 0', "sh", *command], folder, os.environ, folder / "log")


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> float:
    """The megabytes of a run whose answers are short."""
    folder = tmp_path_factory.mktemp("usual")
    audible_data(folder / "data", AT_ONCE)
    with chatting() as chat:
        return run(chat.url, folder).megabytes


@pytest.mark.parametrize(
    "send",
    [flood.by_length, flood.in_chunks, flood.compressed, flood.in_events, flood.in_one_event],
    ids=lambda send: send.__name__,
)
def test_bodies_that_no_answer_has_are_given_up_once_and_early(send: flood.Send, usual: float, tmp_path: Path) -> None:
    audible_data(tmp_path / "data", AT_ONCE)
    with flood.flooding(send, LARGE) as url:
        cost = run(url, tmp_path)
    errors = [record["error"] for record in records(tmp_path / "out")]
    assert {(error["message"], error["attempts"]) for error in errors} == {(COMPLAINT, 1)}
    print(f"{send.__name__}: {cost.megabytes:.0f} MB, usually {usual:.0f} MB")
    assert cost.megabytes < usual + AT_ONCE * MOST * 1.5
