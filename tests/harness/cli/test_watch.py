"""`dtbench watch`: runs that go on elsewhere, that ended, that were killed, and in several parts."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from chat_server import Turn, chatting
from command import COMMAND, call
from judges import chain_of, honest, mmar_with_criteria
from made_up_run import write_run
from runs import PATIENCE, mmar_data, started, wait_until, write_script
from terminal import shown

COUNT = 40
LINE = r"mmar: \d+ of 40, [\d.]+/s(, \d+ s left)?(, 50\.0% right)?.*, \d+ unanswered, 0 failed"


def options(folder: Path, seconds: float = 0.1) -> tuple[str | Path, ...]:
    mmar_data(folder / "data", COUNT)
    model = write_script(
        folder / "script.jsonl", [{"text": "(A)", "sleep": seconds}, {"text": "Hm.", "sleep": seconds}]
    )
    asked = ("--tasks", "mmar", "--data-dir", folder / "data", "--out", folder / "run", "--concurrency", "2")
    return (*model, *asked)


def watched(folder: Path) -> dict[str, Any]:
    done = call("watch", folder, "--once", "--json")
    assert done.code == 0, done.err
    view: dict[str, Any] = json.loads(done.out)
    return view


def answers(folder: Path) -> int:
    return len((folder / "mmar.jsonl").read_text().splitlines()) if (folder / "mmar.jsonl").exists() else 0


def test_a_run_elsewhere_is_watched_to_its_end_without_a_lock(tmp_path: Path) -> None:
    with started(*options(tmp_path)) as process:
        wait_until(lambda: answers(tmp_path / "run") > 3)
        view = watched(tmp_path / "run")
        once = call("watch", tmp_path / "run", "--once")
        done = call("watch", tmp_path / "run", "--every", "0.2")
        assert process.wait(PATIENCE) == 0
    assert (view["kind"], view["status"]) == ("run", "running")
    (task,) = view["tasks"]
    assert 3 < task["done"] < task["expected"] == COUNT
    assert task["correct"] + task["unanswered"] == task["done"]
    line, standing = once.out.splitlines()
    assert re.fullmatch(LINE, line)
    assert re.fullmatch(r"run .*run \(running\), last written \d+ s ago", standing)
    assert (done.code, done.out) == (0, "")
    assert done.err.splitlines()[-2].startswith(f"mmar: {COUNT} of {COUNT}, ")
    assert re.fullmatch(r"run .*run \(done\), ended \d+ s ago", done.err.splitlines()[-1])


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_on_a_terminal_it_is_rewritten_in_place_and_no_line_breaks(tmp_path: Path, columns: int) -> None:
    with started(*options(tmp_path, 0.6)):
        wait_until(lambda: answers(tmp_path / "run") > 0)
        done = shown([*COMMAND, "watch", str(tmp_path / "run"), "--every", "0.2"], columns, stdout_apart=True)
    assert (done.code, done.out) == (0, "")
    states = [line for line in done.states if re.match(r"mmar .*\d/40", line)]
    assert len(states) > 2
    assert all(len(line) < columns for line in done.states)
    assert done.screen.count("\x1b[2F\x1b[J") == len(states) - 1, "two lines, each time in the place of those before"
    assert "40/40" in states[-1]


def test_a_run_that_was_killed_is_told_from_one_that_goes_on(tmp_path: Path) -> None:
    with started(*options(tmp_path)) as process:
        wait_until(lambda: answers(tmp_path / "run") > 3)
        process.kill()
        process.wait(PATIENCE)
    for path in (tmp_path / "run", *(tmp_path / "run").iterdir()):
        os.utime(path, (time.time() - 100, time.time() - 100))
    view = watched(tmp_path / "run")
    assert view["status"] == "killed"
    assert f"nobody writes any more (pid {process.pid} on " in view["liveness"]
    assert "last written 1 min " in view["liveness"]
    assert call("watch", tmp_path / "run").code == 3


@pytest.mark.parametrize(("status", "code"), [("interrupted", 130), ("failed", 3), ("done", 0)])
def test_it_ends_as_the_run_did(tmp_path: Path, status: str, code: int) -> None:
    assert call("run", *options(tmp_path, 0.0)).code == 0
    info = json.loads((tmp_path / "run" / "run.json").read_text())
    info["status"] = info["starts"][0]["status"] = status
    (tmp_path / "run" / "run.json").write_text(json.dumps(info))
    assert call("watch", tmp_path / "run").code == code
    assert call("watch", tmp_path / "run", "--once").code == 0


def test_the_shards_of_a_task_are_counted_together(tmp_path: Path) -> None:
    assert call("run", *options(tmp_path, 0.0)).code == 0
    lines = (tmp_path / "run" / "mmar.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "run" / "mmar.jsonl").unlink()
    for number in (1, 2):
        (tmp_path / "run" / f"mmar.{number}-of-3.jsonl").write_text("".join(lines[number::3]))
    (tmp_path / "run" / "mmar.3-of-3.jsonl").write_text(lines[0] + lines[3][:50])
    (task,) = watched(tmp_path / "run")["tasks"]
    assert task["done"] == len(lines[1::3]) + len(lines[2::3]) + 1, "a line that is half written is none yet"


def test_shards_that_run_that_wait_and_that_were_killed_are_told_apart(tmp_path: Path) -> None:
    asked = options(tmp_path, 0.0)
    assert call("run", *asked, "--shard", "1/3").code == 0
    view = watched(tmp_path / "run")
    assert (view["status"], view["liveness"]) == ("running", "2 shards not started yet")
    assert view["tasks"][0]["expected"] == COUNT
    with started(*options(tmp_path, 0.2), "--shard", "2/3") as process:
        wait_until(lambda: (tmp_path / "run" / "mmar.2-of-3.jsonl").exists())
        assert watched(tmp_path / "run")["status"] == "running"
        process.kill()
        process.wait(PATIENCE)
    for path in (tmp_path / "run", *(tmp_path / "run").iterdir()):
        os.utime(path, (time.time() - 100, time.time() - 100))
    assert watched(tmp_path / "run")["status"] == "killed"
    for number in (2, 3):
        assert call("run", *options(tmp_path, 0.0), "--shard", f"{number}/3").code == 0
    view = watched(tmp_path / "run")
    assert (view["status"], view["tasks"][0]["done"]) == ("done", COUNT)


def test_what_the_last_start_asked_for_counts(tmp_path: Path) -> None:
    assert call("run", *options(tmp_path, 0.0)).code == 0
    assert call("run", *options(tmp_path, 0.0), "--limit", "10").code == 0
    (task,) = watched(tmp_path / "run")["tasks"]
    assert (task["done"], task["expected"], task["correct"]) == (10, 10, 5)


def test_an_answer_stands_over_a_failure_of_another_start(tmp_path: Path) -> None:
    mmar_data(tmp_path / "data", 4)
    bad = write_script(tmp_path / "script.jsonl", [{"error": "no", "again": False}, {"text": "(A)"}])
    asked = ("--tasks", "mmar", "--data-dir", tmp_path / "data", "--out", tmp_path / "run", "--max-failed", "1")
    assert call("run", *bad, *asked).code == 0
    assert watched(tmp_path / "run")["tasks"][0]["failed"] == 2
    write_script(tmp_path / "script.jsonl", [{"text": "(A)"}])
    done = call("run", *bad, *asked)
    assert done.code == 0, done.err
    (task,) = watched(tmp_path / "run")["tasks"]
    assert (task["done"], task["failed"]) == (4, 0)


def test_a_judge_is_watched_with_the_calls_that_it_plans(tmp_path: Path) -> None:
    mmar_with_criteria(tmp_path / "mmar", 4)
    write_run(tmp_path / "run", {"mmar": tmp_path / "mmar"}, lambda sample, repeat: chain_of(sample, 2))
    with chatting(default=Turn("No.")) as chat:
        done = call("judge", tmp_path / "run", "--model", "tiny", "--base-url", chat.url, "--limit", "1")
    assert done.code == 3
    view = watched(tmp_path / "run" / "judge-tiny")
    assert (view["kind"], view["status"]) == ("judge", "failed")
    (task,) = view["tasks"]
    assert (task["done"], task["expected"], task["failed"], task["tokens"]) == (5, 5, 5, 45)
    with chatting(choose=honest) as chat:
        assert call("judge", tmp_path / "run", "--model", "tiny", "--base-url", chat.url).code == 0
        assert call("judge", tmp_path / "run", "--model", "tiny", "--base-url", chat.url, "--limit", "1").code == 0
    (task,) = watched(tmp_path / "run" / "judge-tiny")["tasks"]
    assert (task["done"], task["expected"], task["failed"]) == (20, 20, 0), "those of other chains lie there as well"
    line = call("watch", tmp_path / "run" / "judge-tiny", "--once").out.splitlines()[0]
    assert re.match(r"mmar: 20 of 20 calls, .*0 without verdict", line)


def test_a_folder_of_runs_is_watched_where_it_is_clear_which_is_meant(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    assert call("run", *options(tmp_path, 0.0), "--limit", "4").code == 0
    (tmp_path / "run").rename(tmp_path / "runs" / "a")
    assert watched(tmp_path / "runs")["run"] == str(tmp_path / "runs" / "a")
    assert call("watch", tmp_path / "runs" / "a", "--once", "--json").err == ""
    noted = call("watch", tmp_path / "runs", "--once").err
    assert f"{tmp_path}/runs is not a run itself; watching {tmp_path}/runs/a\n" in noted
    shutil.copytree(tmp_path / "runs" / "a", tmp_path / "runs" / "b")
    refusal = call("watch", tmp_path / "runs").refusal()
    assert f"holds several runs: name one of {tmp_path}/runs/a, {tmp_path}/runs/b." in refusal
    info = json.loads((tmp_path / "runs" / "b" / "run.json").read_text())
    (tmp_path / "runs" / "b" / "run.json").write_text(json.dumps({**info, "status": "running"}))
    assert watched(tmp_path / "runs")["run"] == str(tmp_path / "runs" / "b")


@pytest.mark.parametrize(
    ("folder", "complaint"),
    [("gone", "gone: there is no such folder"), ("empty", "empty: not a run folder: there is no run.json in it")],
)
def test_a_folder_without_a_run_is_one_line(tmp_path: Path, folder: str, complaint: str) -> None:
    (tmp_path / "empty").mkdir()
    assert complaint in call("watch", tmp_path / folder).refusal()


def test_it_changes_nothing_in_the_folder(tmp_path: Path) -> None:
    assert call("run", *options(tmp_path, 0.0)).code == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    shutil.copytree(tmp_path / "run", tmp_path / "other")
    assert call("watch", tmp_path / "other").code == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "other").iterdir()} == before
