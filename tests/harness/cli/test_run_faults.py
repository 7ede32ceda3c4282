"""Endpoints and clips that fail: what is asked again, what is a failed sample, and when a run gives up."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from chat_server import Asked, Turn, chatting
from command import Done, call
from runs import Arguments, assert_each_once, audible_data, lines_of, mmar_data, records, status, write_script
from small_data import Item
from sounds import encoded, sine

from dtbench.harness.store.types import Record

ONCE_MORE = {"retry-after": "0.1"}


@pytest.fixture
def items(tmp_path: Path) -> list[Item]:
    """A dozen questions with clips, in tmp_path / data."""
    return audible_data(tmp_path / "data", 12)


def run(url: str, tmp_path: Path, *arguments: str) -> Done:
    out, data = tmp_path / "out", tmp_path / "data"
    return call("run", "--model", url, "--tasks", "mmar", "--data-dir", data, "--out", out, *arguments)


def fails(question: int, turn: Turn) -> Any:
    """Answers, but for one question, which always gets this turn."""

    def choose(asked: Asked) -> Turn | None:
        return turn if f"in scene {question}?" in asked.content.decode() else None

    return choose


def by_question(tmp_path: Path) -> dict[str, Record]:
    return {record["id"].split("_")[0].removeprefix("made-up-"): record for record in records(tmp_path / "out")}


def test_what_passes_is_asked_again_and_counted(tmp_path: Path, items: list[Item]) -> None:
    hiccups = [
        Turn(status=429, headers=ONCE_MORE),
        Turn(status=503),
        Turn(drop="at once"),
        Turn(drop="half way"),
        Turn(body=b'{"choices": [{"mess'),
        Turn("", finish_reason=None),
        Turn(delay=30),
    ]
    with chatting(*hiccups) as chat:
        done = run(chat.url, tmp_path, "--json", "-M", "timeout=4")
        asked = len(chat.asked)
    assert done.code == 0, done
    (told,) = json.loads(done.out)["tasks"]
    assert (told["n"], told["failed"], told["missing"]) == (12, 0, 0)
    assert asked == 12 + len(hiccups)
    # A refusal for too many requests is no attempt. A drop at once on a connection that was used before, be it by the
    # first try of the run, is that of an idle one: it is renewed, which is none either.
    attempts = sum(record["response"]["attempts"] for record in records(tmp_path / "out"))
    assert attempts in {asked - 1, asked - 2}
    assert_each_once(tmp_path / "out", (item["id"] for item in items))


def test_a_question_that_is_refused_is_a_failed_sample_and_the_run_goes_on(tmp_path: Path, items: list[Item]) -> None:
    with chatting(choose=fails(5, Turn(status=400))) as chat:
        over = run(chat.url, tmp_path)
        assert over.code == 3
        assert over.err.splitlines()[-1] == (
            f"note: mmar: 1 of 12 answers failed (first: {items[5]['id']}: the endpoint answered 400: status 400), "
            "more than the 1.00% of --max-failed: "
            "run the same command again to retry them."
        )
        assert "failed         1: 1 model" in over.out
        assert status(tmp_path / "out") == "failed"
        assert by_question(tmp_path)["5"]["error"] == {
            "kind": "model",
            "message": "the endpoint answered 400: status 400",
            "attempts": 1,
        }
        within = run(chat.url, tmp_path, "--max-failed", "0.1")
        assert within.code == 0
        assert "mmar: 11 of 12 answers are there already" in within.err
        chat.choose = None
        whole = run(chat.url, tmp_path)
    assert whole.code == 0
    assert "failed         0" in whole.out
    assert lines_of(tmp_path / "out") == 14
    assert_each_once(tmp_path / "out", (item["id"] for item in items))


def test_cut_off_and_empty_answers_are_answers(tmp_path: Path, items: list[Item]) -> None:
    with chatting(Turn("<think>Is it", finish_reason="length"), Turn("")) as chat:
        done = run(chat.url, tmp_path, "--json", "--concurrency", "1")
    (told,) = json.loads(done.out)["tasks"]
    assert (done.code, told["unanswered"], told["failed"]) == (0, 2, 0)
    assert told["finish_reasons"] == {"stop": 11, "length": 1}


@pytest.mark.parametrize("status_", [401, 404])
def test_a_server_that_refuses_everything_is_one_line_and_no_accuracy(
    tmp_path: Path, items: list[Item], status_: int
) -> None:
    with chatting(default=Turn(status=status_)) as chat:
        done = run(chat.url, tmp_path, "--max-failed", "1")
        assert len(chat.asked) <= len(items)  # nothing is asked twice
    assert_gave_up(
        done,
        tmp_path,
        f"the last 8 questions all failed, the run stops here. The last one: the endpoint answered {status_}: ",
    )


def assert_gave_up(done: Done, tmp_path: Path, says: str) -> None:
    """Exit 3, one line after those of progress, and nothing anywhere that could be taken for a score."""
    assert (done.code, done.out) == (3, "")
    *progress, line = done.err.splitlines()
    assert all(re.match(r"mmar: \d+ of \d+, ", told) for told in progress), progress
    assert line.startswith(f"error: mmar: {says}"), line
    assert line.endswith("Run the same command again once that is fixed: it continues from here.")
    assert status(tmp_path / "out") == "failed"
    assert not (tmp_path / "out" / "summary.json").exists()


def test_a_server_that_is_down_from_the_first_request_on_is_given_up_within_its_retries(
    tmp_path: Path, items: list[Item]
) -> None:
    with chatting(default=Turn(status=500)) as chat:
        done = run(chat.url, tmp_path)
        assert 8 * 5 <= len(chat.asked) <= 12 * 5
    assert_gave_up(done, tmp_path, "the last 8 questions all failed")


def test_few_questions_that_all_fail_have_no_accuracy_either(tmp_path: Path, items: list[Item]) -> None:
    with chatting(default=Turn(status=400)) as chat:
        done = run(chat.url, tmp_path, "--limit", "3", "--max-failed", "1")
    assert_gave_up(done, tmp_path, "all 3 questions failed. The last one: the endpoint answered 400: status 400. ")


def test_a_server_that_dies_in_the_middle_ends_the_run_and_what_it_answered_stays(tmp_path: Path) -> None:
    items = audible_data(tmp_path / "data", 60)

    def dies(asked: Asked) -> Turn | None:
        return Turn(status=400) if len(chat.asked) > 30 else None

    with chatting(choose=dies) as chat:
        done = run(chat.url, tmp_path, "--concurrency", "4")
        assert len(chat.asked) < 50, "it is not asked for all that is left"
        assert_gave_up(done, tmp_path, "the last 8 questions all failed")
        chat.choose = None
        again = run(chat.url, tmp_path)
    assert again.code == 0
    assert "mmar: 30 of 60 answers are there already" in again.err
    assert_each_once(tmp_path / "out", (item["id"] for item in items))


def test_a_budget_that_allows_it_lets_a_run_go_on_over_an_outage(tmp_path: Path) -> None:
    mmar_data(tmp_path / "data", 60)
    lines: Sequence[Any] = [{"text": "(A)"}] * 10 + [{"error": "out", "again": False}] * 20 + [{"text": "(A)"}] * 30
    model = write_script(tmp_path / "script.jsonl", lines)
    asked: Arguments = ("run", *model, "--tasks", "mmar", "--data-dir", tmp_path / "data", "--concurrency", "1")
    assert call(*asked, "--out", tmp_path / "short").code == 3
    assert lines_of(tmp_path / "short") == 18
    assert call(*asked, "--max-failed", "0.5", "--out", tmp_path / "long").code == 0
    assert lines_of(tmp_path / "long") == 60


def test_clips_that_cannot_be_heard_are_failed_samples_with_the_reason(tmp_path: Path, items: list[Item]) -> None:
    clips = [tmp_path / "data" / item["audio_path"] for item in items]
    clips[0].unlink()
    clips[1].write_bytes(b"")
    clips[2].write_bytes(b"no sound at all")
    clips[3].write_bytes(clips[3].read_bytes()[:300])
    with chatting() as chat:
        done = run(chat.url, tmp_path, "--max-failed", "0.4")
        assert len(chat.asked) == 8
    assert done.code == 0, done
    assert "failed         4: 4 audio" in done.out
    said = by_question(tmp_path)
    assert [said[str(number)]["error"]["kind"] for number in range(4)] == ["audio"] * 4
    assert said["0"]["error"]["message"].endswith("clip of 0.wav: the clip is missing.")
    assert all(f"clip of {number}.wav: " in said[str(number)]["error"]["message"] for number in range(4))
    assert "audio" in said["4"]
    published = hashlib.sha256(clips[4].read_bytes()).hexdigest()[:12]
    whole = {"seconds": 0.1, "rate": 16000, "channels": 1, "rule": "whole", "clip_hash": published}
    assert said["4"]["audio"] == whole


def test_a_run_whose_clips_are_all_missing_has_no_accuracy(tmp_path: Path) -> None:
    mmar_data(tmp_path / "data", 12)
    with chatting() as chat:
        done = run(chat.url, tmp_path, "--max-failed", "1")
        assert chat.asked == []
    assert (done.code, done.out) == (3, "")
    assert "mmar: all 12 questions failed. The last one: " in done.err.splitlines()[-1]
    assert not (tmp_path / "out" / "summary.json").exists()


@pytest.mark.parametrize(("rule", "seconds"), [("cut", 1.0), ("windows", 1.0), ("refuse", None)])
def test_a_clip_over_the_limit_is_treated_by_the_rule_and_counted(
    tmp_path: Path, items: list[Item], rule: str, seconds: float | None
) -> None:
    long = tmp_path / "data" / items[3]["audio_path"]
    long.write_bytes(encoded(sine(440, 2.5, 16000), 16000).data)
    with chatting() as chat:
        arguments = ("--json", "-M", "limit_seconds=1", "--long-clips", rule, "--max-failed", "0.1")
        done = run(chat.url, tmp_path, *arguments)
    (told,) = json.loads(done.out)["tasks"]
    assert done.code == 0
    if seconds is None:
        assert (told["failed"], told["clips"]) == (1, {"whole": 11})
        message = by_question(tmp_path)["3"]["error"]["message"]
        assert "the clip is 2.50 s long, over the model's limit of 1 s" in message
    else:
        assert told["clips"] == {"whole": 11, rule: 1}
        heard = by_question(tmp_path)["3"]["audio"]
        assert heard is not None
        assert heard["seconds"] == 2.5


def test_requests_in_flight_are_as_many_as_asked_for(tmp_path: Path, items: list[Item]) -> None:
    with chatting(default=Turn(delay=0.1), together=3) as chat:
        assert run(chat.url, tmp_path, "--concurrency", "3").code == 0
        assert chat.most_in_flight == 3


def test_a_key_is_in_no_file_of_the_run(tmp_path: Path, items: list[Item], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DTBENCH_API_KEY", "sk-very-secret")
    monkeypatch.chdir(tmp_path)
    with chatting(choose=echo_of_the_key(5)) as chat:
        url = chat.url.replace("http://", "http://user:pass-word@")
        done = call("run", "--model", url, "--tasks", "mmar", "--data-dir", "data", "--max-failed", "1")
    told = done.out + done.err
    files = [path for path in (tmp_path / "results").rglob("*") if path.is_file()]
    assert len(files) >= 3
    told += "".join(str(path) + path.read_text() for path in files)
    assert "sk-very-secret" not in told
    assert "pass-word" not in told


def echo_of_the_key(question: int) -> Any:
    def choose(asked: Asked) -> Turn | None:
        if f"in scene {question}?" not in asked.content.decode():
            return None
        return Turn(status=401, body=f"bad key {asked.headers.get('authorization')} sk-very-secret".encode())

    return choose
