"""A whole run over two endpoints, one of which fails at once: every question is answered, by the other."""

from __future__ import annotations

from pathlib import Path

import pytest
from chat_server import Asked, Chat, Turn, chatting
from command import Done, call
from runs import audible_data, records

QUESTIONS = 300
IN_FLIGHT = 16
A_FEW = 30
"""Half of what is in flight goes there before it has failed; then single tries."""
GOOD = Turn("(A)", delay=0.2)


def asked_both(folder: Path, bad: Chat, good: Chat) -> Done:
    audible_data(folder / "data", QUESTIONS)
    options = ("--tasks", "mmar", "--data-dir", folder / "data", "--out", folder / "out")
    return call("run", "--model", f"{bad.url},{good.url}", *options, "--concurrency", str(IN_FLIGHT))


@pytest.mark.parametrize(
    ("turn", "works", "reason"),
    [
        (Turn(status=500), 0, "it answered 500"),
        (Turn(status=500, body=b'{"error": {"message": "EngineDeadError"}}'), 40, "it answered 500"),
        (Turn(drop="at once"), 0, "the connection was closed without a reply"),
        (Turn(status=400), 0, "it answered 400, unlike another"),
        (Turn(status=401), 40, "it answered 401, unlike another"),
        (Turn(status=308, headers={"location": "http://elsewhere/v1"}), 0, "it answered 308, unlike another"),
    ],
    ids=["r500", "dies", "rst", "r400", "key lost", "moved"],
)
def test_one_that_fails_at_once_loses_no_question(turn: Turn, works: int, reason: str, tmp_path: Path) -> None:
    def choose(asked: Asked) -> Turn | None:
        return GOOD if len(bad.asked) <= works else turn

    with chatting(choose=choose) as bad, chatting(default=GOOD) as good:
        done = asked_both(tmp_path, bad, good)
        assert done.code == 0, done
        stored = records(tmp_path / "out")
        assert len(stored) == QUESTIONS
        assert not [record for record in stored if "error" in record]
        assert len(bad.asked) <= works + A_FEW
        assert done.err.count(f"{bad.url} is set aside ({reason})") == 1
        assert f"{good.url} is set aside" not in done.err


def test_a_question_that_both_refuse_sets_no_endpoint_aside(tmp_path: Path) -> None:
    def choose(asked: Asked) -> Turn | None:
        too_long = Turn(status=400, body=b'{"error": "the clip is too long"}')
        return too_long if any(f"in scene {number}?".encode() in asked.content for number in range(5)) else None

    with chatting(choose=choose) as one, chatting(choose=choose) as other:
        done = asked_both(tmp_path, one, other)
        stored = records(tmp_path / "out")
        assert (len(one.asked) + len(other.asked), done.code) == (QUESTIONS + 5, 3)
    failed = [record for record in stored if "error" in record]
    assert [record["error"]["message"] for record in failed] == ["the endpoint answered 400: the clip is too long"] * 5
    assert "set aside" not in done.err
