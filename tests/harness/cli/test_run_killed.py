"""Runs that are killed, stopped, started twice or run out of disk: nothing is lost, nothing is doubled."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from chat_server import Turn, chatting
from command import call, process
from runs import (
    Arguments,
    assert_each_once,
    audible_data,
    ended,
    interrupt,
    lines_of,
    mmar_data,
    records,
    started,
    status,
    summary,
    wait_until,
    write_script,
)
from small_data import Item
from small_disk import small_disk

KILLS = int(os.environ.get("DTBENCH_KILLS", "8"))
"""At random moments of a scripted run; of one at an endpoint a quarter as many."""
QUESTIONS = 20 * KILLS


def slow_script(path: Path, items: Sequence[Item]) -> Sequence[str]:
    """Answers right, wrong and none at all, and a failure in a hundred, each after a moment."""
    lines = []
    for number, item in enumerate(items):
        line = {
            "id": item["id"],
            "text": ("(A)", "I think (B)", "Hm.")[number % 3],
            "sleep": 0.02 + 0.01 * (number % 3),
        }
        lines.append(line | ({"error": "too warm", "again": False} if number % 100 == 7 else {}))
    return write_script(path, lines)


def kill_at_random(arguments: Sequence[str | Path], out: Path, chance: random.Random) -> None:
    """Start a run, and kill it while it starts, or while it asks."""
    before = lines_of(out)
    with started(*arguments) as run:
        if chance.random() < 0.7:
            wait_until(lambda: lines_of(out) > before)
            time.sleep(chance.uniform(0.0, 0.1))
        else:
            time.sleep(chance.uniform(0.0, 0.3))
        run.kill()
        assert run.wait() == -signal.SIGKILL


def test_a_run_killed_again_and_again_ends_as_one_that_nobody_disturbed(tmp_path: Path) -> None:
    items = mmar_data(tmp_path / "data", QUESTIONS)
    model = slow_script(tmp_path / "script.jsonl", items)
    asked: Arguments = (
        *model,
        "--tasks",
        "mmar",
        "--data-dir",
        tmp_path / "data",
        "--concurrency",
        "8",
        "--max-failed",
        "0.02",
    )
    chance = random.Random(3)
    killed, undisturbed = tmp_path / "killed", tmp_path / "undisturbed"
    for _ in range(KILLS):
        kill_at_random((*asked, "--out", killed), killed, chance)
    assert len(records(killed)) < QUESTIONS
    last = process("run", *asked, "--out", killed)
    whole = call("run", *asked[:-4], "--max-failed", "0.02", "--concurrency", "500", "--out", undisturbed)
    assert (last.code, whole.code) == (0, 0), (last, whole)
    assert_each_once(killed, (item["id"] for item in items))
    assert summary(killed) == summary(undisturbed)
    assert last.out.replace(str(killed), "") == whole.out.replace(str(undisturbed), "")
    assert status(killed) == "done"


def test_a_run_at_an_endpoint_killed_again_and_again_ends_as_one_that_nobody_disturbed(tmp_path: Path) -> None:
    items = audible_data(tmp_path / "data", 8 * KILLS)
    chance = random.Random(4)
    killed, undisturbed = tmp_path / "killed", tmp_path / "undisturbed"
    with chatting(default=Turn("(B)", delay=0.02)) as chat:
        asked = ("--model", chat.url, "--tasks", "mmar", "--data-dir", tmp_path / "data", "--concurrency", "4")
        for _ in range(KILLS // 4):
            kill_at_random((*asked, "--out", killed), killed, chance)
        assert process("run", *asked, "--out", killed).code == 0
        chat.default = Turn("(B)")
        assert call("run", *asked, "--out", undisturbed).code == 0
    assert_each_once(killed, (item["id"] for item in items))
    assert summary(killed) == summary(undisturbed)


def test_ctrl_c_finishes_what_is_in_flight_and_the_run_goes_on_later(tmp_path: Path) -> None:
    items = mmar_data(tmp_path / "data", 40)
    model = write_script(tmp_path / "script.jsonl", [*[{"text": "(A)"}] * 8, *[{"text": "(A)", "sleep": 4.0}] * 32])
    asked: Arguments = (
        *model,
        "--tasks",
        "mmar",
        "--data-dir",
        tmp_path / "data",
        "--concurrency",
        "8",
        "--out",
        tmp_path / "run",
    )
    with started(*asked) as run:
        wait_until(lambda: lines_of(tmp_path / "run") == 8)
        time.sleep(0.5)  # the last of eight more is asked once the eighth is stored
        interrupt(run)
        done = ended(run)
    assert done.code == 130
    assert lines_of(tmp_path / "run") == 16, "eight were answered, eight in flight"
    assert "stopping: waiting for requests in flight; press Ctrl-C again to stop immediately" in done.err
    assert "not asked      24 (counted as wrong in the strict score)" in done.out
    assert status(tmp_path / "run") == "interrupted"
    write_script(tmp_path / "script.jsonl", [{"text": "(A)"}])
    again = call("run", *asked)
    assert again.code == 0
    assert "mmar: 16 of 40 answers are there already" in again.err
    assert_each_once(tmp_path / "run", (item["id"] for item in items))
    assert lines_of(tmp_path / "run") == 40


@pytest.mark.parametrize(
    "signals", [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM,)], ids=["Ctrl-C twice", "SIGTERM"]
)
def test_a_run_that_must_stop_stops_at_once(tmp_path: Path, signals: Sequence[signal.Signals]) -> None:
    mmar_data(tmp_path / "data", 40)
    lines = [{"text": "(A)"}] * 4 + [{"text": "(A)", "sleep": 3600.0}] * 40
    model = write_script(tmp_path / "script.jsonl", lines)
    asked: Arguments = (
        *model,
        "--tasks",
        "mmar",
        "--data-dir",
        tmp_path / "data",
        "--concurrency",
        "8",
        "--out",
        tmp_path / "run",
    )
    with started(*asked) as run:
        wait_until(lambda: lines_of(tmp_path / "run") == 4)
        for number in signals:
            run.send_signal(number)
            time.sleep(0.2)
        done = ended(run)
    assert done.code == 130
    said, _, following = done.err.partition("What to type next:\n")
    assert said.splitlines()[-1] == "stopped: requests in flight were dropped"
    assert following.startswith("  dtbench run --config ")
    assert "Traceback" not in done.err
    assert "Traceback" not in done.out
    assert status(tmp_path / "run") == "interrupted"
    write_script(tmp_path / "script.jsonl", [{"text": "(A)"}])
    assert call("run", *asked).code == 0
    assert lines_of(tmp_path / "run") == 40


def test_ctrl_c_while_the_last_answers_come_leaves_a_finished_run(tmp_path: Path) -> None:
    mmar_data(tmp_path / "data", 4)
    model = write_script(tmp_path / "script.jsonl", [{"text": "(A)"}, *[{"text": "(A)", "sleep": 0.5}] * 3])
    with started(*model, "--tasks", "mmar", "--data-dir", tmp_path / "data", "--out", tmp_path / "run") as run:
        wait_until(lambda: lines_of(tmp_path / "run"))
        interrupt(run)
        assert ended(run).code == 0
    assert status(tmp_path / "run") == "done"


def test_a_second_run_on_a_folder_is_refused_while_the_first_goes_on(tmp_path: Path) -> None:
    mmar_data(tmp_path / "data", 3)
    model = write_script(tmp_path / "script.jsonl", [{"text": "(A)", "sleep": 4.0}])
    asked: Arguments = (*model, "--tasks", "mmar", "--data-dir", tmp_path / "data", "--out", tmp_path / "run")
    with started(*asked) as run:
        wait_until((tmp_path / "run" / "run.json").exists)
        run.send_signal(signal.SIGSTOP)  # or it is done before the second one begins, where that takes long
        said = call("run", *asked).refusal()
        assert f"a run is writing there already (pid {run.pid} on " in said
        run.send_signal(signal.SIGCONT)
        assert ended(run).code == 0


def test_a_disk_that_fills_up_is_one_line_and_the_run_goes_on_once_there_is_room(tmp_path: Path) -> None:
    items = mmar_data(tmp_path / "data", 300)
    answer = "<think>" + "I hear a dog. " * 80 + "</think> (A)"
    model = write_script(tmp_path / "script.jsonl", [{"text": answer, "sleep": 0.001}])
    place = tmp_path / "small"
    asked: Arguments = (*model, "--tasks", "mmar", "--data-dir", tmp_path / "data", "--out", place / "run")
    with small_disk(place):
        ballast = place / "ballast"
        ballast.write_bytes(bytes(700_000))
        full = process("run", *asked)
        said = full.err.splitlines()[-1]
        assert (full.code, full.out) == (3, "")
        assert "mmar.jsonl: cannot be written (" in said
        assert "Make room; what was stored before is whole." in said
        assert "Traceback" not in full.err
        stored = len(records(place / "run"))
        assert 0 < stored < 300
        ballast.unlink()
        again = call("run", *asked)
        assert again.code == 0, again
        assert f"{stored} of 300 answers are there already" in again.err
        assert_each_once(place / "run", (item["id"] for item in items))
