"""A run against endpoints that take only so many requests in a while, in whole processes."""

from __future__ import annotations

import json
import signal
import time
from collections import deque
from pathlib import Path

import pytest
from chat_server import Asked, Chat, Turn, chatting
from command import process
from runs import audible_data, records, started, status, wait_until

from dtbench.harness.store.run_folder import StoredRun

WINDOW = 1.5


class Limit:
    """Takes so many chat requests in any window, and refuses the others as Gemini or as OpenAI does."""

    def __init__(self, chat: Chat, allowed: int, kind: str, window: float = WINDOW) -> None:
        self.taken: deque[float] = deque()
        self.refused = 0
        self.at: list[float] = []
        self._allowed, self._kind, self._window = allowed, kind, window
        chat.choose = self.choose

    def choose(self, asked: Asked) -> Turn | None:
        now = time.monotonic()
        self.at.append(now)
        while self.taken and self.taken[0] <= now - self._window:
            self.taken.popleft()
        if len(self.taken) < self._allowed:
            self.taken.append(now)
            return None
        self.refused += 1
        return self._refusal(self.taken[0] + self._window - now if self.taken else self._window)

    def _refusal(self, left: float) -> Turn:
        if self._kind == "openai":
            headers = {"retry-after-ms": str(int(1000 * left) + 1), "x-ratelimit-remaining-requests": "0"}
            return Turn(status=429, headers=headers)
        unit = "Day" if self._kind == "gemini a day" else "Minute"
        quota = {"violations": [{"quotaId": f"GenerateRequestsPer{unit}PerProjectPerModel"}]}
        error = {"code": 429, "message": "Resource exhausted.", "details": [quota, {"retryDelay": f"{left:.3f}s"}]}
        return Turn(status=429, body=json.dumps([{"error": error}]).encode())


def asked_of(tmp_path: Path, chat: Chat, questions: int) -> tuple[str | Path, ...]:
    data = tmp_path / "data"
    if not data.exists():
        audible_data(data, questions)
    return (
        "run",
        "--model",
        chat.url,
        "-M",
        "model=tiny",
        "--tasks",
        "mmar",
        "--data-dir",
        data,
        "--out",
        tmp_path / "run",
    )


@pytest.mark.parametrize("kind", ["openai", "gemini"])
def test_ten_requests_in_a_window_lose_no_question_at_sixteen_in_flight(tmp_path: Path, kind: str) -> None:
    with chatting() as chat:
        limit = Limit(chat, 10, kind)
        done = process(*asked_of(tmp_path, chat, 40), "--concurrency", "16")
        assert done.code == 0, done.err
        assert len(chat.asked) == 40 + limit.refused
    answers = records(tmp_path / "run", "mmar")
    assert len(answers) == 40
    assert not [record for record in answers if "error" in record]
    assert {record["response"]["attempts"] for record in answers} == {1}
    assert limit.refused <= 20
    assert done.err.count("the endpoint's rate limit: waiting") == 1


def test_a_quota_of_a_day_ends_the_run_in_one_line_and_the_same_command_goes_on(tmp_path: Path) -> None:
    with chatting() as chat:
        limit = Limit(chat, 12, "gemini a day", window=3600.0)
        done = process(*asked_of(tmp_path, chat, 30))
        assert done.code == 130
        assert "a quota is used up: the endpoint answered 429: Resource exhausted. Nothing is lost" in done.err
        assert (len(records(tmp_path / "run", "mmar")), status(tmp_path / "run")) == (12, "interrupted")
        assert limit.refused <= 16
        chat.choose = None
        again = process(*asked_of(tmp_path, chat, 30))
        assert again.code == 0
        assert len(chat.asked) == 30 + limit.refused
    assert not [record for record in records(tmp_path / "run", "mmar") if "error" in record]


def test_a_given_rate_spaces_the_requests(tmp_path: Path) -> None:
    with chatting() as chat:
        limit = Limit(chat, 1000, "openai")
        done = process(*asked_of(tmp_path, chat, 8), "--rpm", "1200")
        assert done.code == 0
    assert len(limit.at) == 8
    assert limit.at[-1] - limit.at[0] >= 7 * 0.05 - 0.02, "the clock of the endpoint is not the run's"
    assert StoredRun.open(tmp_path / "run").info["request"]["rpm"] == 1200


def test_ctrl_c_is_not_kept_waiting_by_a_limit_and_loses_nothing(tmp_path: Path) -> None:
    with chatting() as chat:
        limit = Limit(chat, 5, "openai", window=600.0)
        with started(*asked_of(tmp_path, chat, 30)[1:]) as run:
            wait_until(lambda: limit.refused > 0)
            run.send_signal(signal.SIGINT)
            assert run.wait(60) == 130
        assert len(records(tmp_path / "run", "mmar")) == 5
        chat.choose = None
        assert process(*asked_of(tmp_path, chat, 30)).code == 0
    answers = records(tmp_path / "run", "mmar")
    assert len(answers) == len({record["id"] for record in answers}) == 30
