"""A real vLLM server that is killed, stopped, cut off or garbled in mid-run: no answer is lost, none is there twice."""

from __future__ import annotations

import json
import signal
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from bad_line import Fault, bad_line
from called_birds import TASK, calls, write_birds
from command import COMMAND, Done, process
from runs import assert_each_once, lines_of, records, status, wait_until
from vllm_process import Server

pytestmark = pytest.mark.engine

QUESTIONS = 64
ENDS_WITHIN = 900
"""Seconds in which a run has to end by itself, on a machine that does much besides."""
FAULTS: Sequence[Fault] = ("dropped", "garbage", "torn")


@pytest.fixture(scope="module")
def ids(birds: Path) -> Sequence[str]:
    return write_birds(birds, calls(QUESTIONS))


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("birds")


def arguments(urls: str, birds: Path, out: Path, *options: str) -> list[str]:
    fixed = ["-M", "temperature=0", "-M", "max_tokens=8", "-M", 'extra={"ignore_eos":true}', "--concurrency", "8"]
    return ["--model", urls, "--task-file", str(TASK), "--data-dir", str(birds), "--out", str(out), *fixed, *options]


def begun(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*COMMAND, "run", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def ended(process: subprocess.Popen[bytes]) -> Done:
    try:
        out, err = process.communicate(timeout=ENDS_WITHIN)
    finally:
        process.kill()
    return Done(process.returncode, out.decode(), err.decode())


def assert_whole(out: Path, ids: Sequence[str]) -> None:
    """Every question has one answer, as read back and in the file, where only failures may stand beside them."""
    assert status(out) == "done"
    assert_each_once(out, ids, task="birds")
    found = records(out, "birds")
    assert not [record for record in found if "error" in record]
    lines = [json.loads(line) for line in (out / "birds.jsonl").read_bytes().splitlines()]
    assert Counter(line["id"] for line in lines if "error" not in line) == Counter(ids)


def test_bad_answers_on_the_way_are_asked_again(
    vllm_server: Server, birds: Path, ids: Sequence[str], tmp_path: Path
) -> None:
    with bad_line(vllm_server.url, lambda number: FAULTS[number // 3 % 3] if number % 3 == 2 else "none") as line:
        done = process("run", *arguments(line.url, birds, tmp_path / "out"))
    assert done.code == 0, done.err
    assert all(line.did[fault] >= 5 for fault in FAULTS), line.did
    assert_whole(tmp_path / "out", ids)
    assert max(record["response"]["attempts"] for record in records(tmp_path / "out", "birds")) > 1


def test_slow_answers_are_waited_for(vllm_server: Server, birds: Path, ids: Sequence[str], tmp_path: Path) -> None:
    with bad_line(vllm_server.url, lambda number: "slow", delay=0.05) as line:
        done = process("run", *arguments(line.url, birds, tmp_path / "out"))
    assert done.code == 0, done.err
    assert line.did["slow"] >= QUESTIONS
    assert_whole(tmp_path / "out", ids)
    assert {record["response"]["attempts"] for record in records(tmp_path / "out", "birds")} == {1}


def test_answers_that_never_come_are_asked_for_elsewhere(
    vllm_server: Server, birds: Path, ids: Sequence[str], tmp_path: Path
) -> None:
    with (
        bad_line(vllm_server.url, lambda number: "mute" if number in {9, 15, 16} else "none") as line,
        bad_line(vllm_server.url) as other,
    ):
        urls = f"{line.url},{other.url}"
        done = process("run", *arguments(urls, birds, tmp_path / "out", "-M", "timeout=8"))
    assert done.code == 0, done.err
    assert line.did["mute"] == 3
    assert_whole(tmp_path / "out", ids)
    attempts = Counter(record["response"]["attempts"] for record in records(tmp_path / "out", "birds"))
    assert attempts == {1: QUESTIONS - 3, 2: 3}


def test_answers_that_never_come_are_asked_for_by_the_same_command_where_there_is_no_elsewhere(
    vllm_server: Server, birds: Path, ids: Sequence[str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with bad_line(vllm_server.url, lambda number: "mute" if number in {9, 20, 21} else "none") as line:
        asked = arguments(line.url, birds, out, "-M", "timeout=8", "--max-failed", "0.1")
        first = process("run", *asked)
        assert first.code == 0, first.err
        assert line.did["mute"] == 3
        failed = [record["error"] for record in records(out, "birds") if "error" in record]
        assert len(failed) == 3
        assert all("-M timeout=SECONDS allows more" in str(error) for error in failed)
        before = line.replies
        again = process("run", *asked)
        assert again.code == 0, again.err
        assert 3 <= line.replies - before < 16, "those that failed and no others, a start's look at the server aside"
    assert_whole(out, ids)


def test_a_server_that_is_stopped_and_goes_on_costs_no_answer(
    vllm_server: Server, birds: Path, ids: Sequence[str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run = begun(arguments(vllm_server.url, birds, out, "-M", "timeout=60"))
    try:
        wait_until(lambda: lines_of(out, "birds") >= 8)
        vllm_server.signal(signal.SIGSTOP)
        before = lines_of(out, "birds")
        with pytest.raises(subprocess.TimeoutExpired):
            run.wait(3)  # it does not give up
        assert before < QUESTIONS
    finally:
        vllm_server.signal(signal.SIGCONT)
        done = ended(run)
    assert done.code == 0, done.err
    assert_whole(out, ids)


def test_a_short_absence_is_bridged(vllm_server: Server, birds: Path, ids: Sequence[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    with bad_line(vllm_server.url) as line:
        run = begun(arguments(line.url, birds, out))
        try:
            wait_until(lambda: lines_of(out, "birds") >= 8)
            line.cut()
            before = line.replies
            with pytest.raises(subprocess.TimeoutExpired):
                run.wait(0.4)  # it does not give up
            line.mend()
        finally:
            done = ended(run)
    assert done.code == 0, done.err
    assert line.replies > before
    assert_whole(out, ids)


@pytest.mark.whole
def test_the_other_endpoint_takes_over_and_the_one_that_was_away_is_used_again(
    vllm_server: Server, birds: Path, tmp_path: Path
) -> None:
    out, data = tmp_path / "out", tmp_path / "data"
    ids = write_birds(data, calls(96))
    with bad_line(vllm_server.url, lambda number: "late", 1.2) as steady, bad_line(vllm_server.url) as shaky:
        options = ("--concurrency", "4")
        run = begun(arguments(f"{steady.url},{shaky.url}", data, out, *options))
        try:
            wait_until(lambda: lines_of(out, "birds") >= 8)
            shaky.cut()
            before, steadys = shaky.replies, steady.replies
            wait_until(lambda: steady.replies >= steadys + 8)
            shaky.mend()
        finally:
            done = ended(run)
    assert done.code == 0, done.err
    assert shaky.replies > before > 0
    assert_whole(out, ids)


def test_a_killed_server_that_comes_back_costs_no_answer(
    vllm_server: Server, birds: Path, ids: Sequence[str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run = begun(arguments(vllm_server.url, birds, out, "-M", "reconnect_timeout=300"))
    try:
        wait_until(lambda: lines_of(out, "birds") >= 8)
        vllm_server.signal(signal.SIGKILL)
        vllm_server.stop()
        vllm_server.start()  # at the same place
    finally:
        done = ended(run)
    assert done.code == 0, done.err
    assert "the endpoint cannot be reached: waiting up to 300 s" in done.err
    assert "the endpoint is reachable again" in done.err
    assert_whole(out, ids)


@pytest.mark.whole
def test_a_server_that_does_not_come_back_ends_the_run_and_the_next_one_completes_it(
    vllm_server: Server, birds: Path, ids: Sequence[str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with bad_line(vllm_server.url) as line:
        run = begun(arguments(line.url, birds, out, "-M", "reconnect_timeout=1"))
        try:
            wait_until(lambda: lines_of(out, "birds") >= 8)
            line.cut()
        finally:
            stopped = ended(run)
        away = process("run", *arguments(line.url, birds, out))
        line.mend()
        assert stopped.code == 3, stopped
        assert "Run the same command again" in stopped.err
        answered = {record["id"] for record in records(out, "birds") if "error" not in record}
        assert 8 <= len(answered) < QUESTIONS
        assert away.refusal(3).startswith("error: no endpoint can be reached")
        done = process("run", *arguments(line.url, birds, out))
    assert done.code == 0, done.err
    assert_whole(out, ids)
