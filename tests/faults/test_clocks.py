"""The clock is set a day forward or back, or stands still, while a run goes on: no wait and no time is wrong by it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import set_clock
from campaign import CAMPAIGN
from chat_server import Turn, chatting
from command import COMMAND, call
from judges import honest, mmar_with_criteria
from made_up_run import write_run
from runs import PATIENCE, assert_each_once, lines_of, mmar_data, record_files_of, records, wait_until, write_script

from dtbench.harness.run.watch import KILLED, RUNNING, RunWatch
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.run_json import RunClock, read_info
from dtbench.models.checkpoints import prepare
from dtbench.models.endpoint.rate_limit import read_rate_limit

WHOLE = os.environ.get("DTBENCH_WHOLE") == "1"
COUNT = 8
SETTINGS = {"a day forward": "+86400", "a day back": "-86400", "stopped years ago": set_clock.STOPPED}


@pytest.mark.parametrize("by", ["python", "faketime"] if WHOLE else ["python"])
@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_a_clock_that_is_set_while_a_run_goes_on_changes_no_answer_and_no_wait(
    by: str, setting: str, tmp_path: Path
) -> None:
    if by == "faketime" and not set_clock.LIBRARIES:
        pytest.skip("libfaketime is not there (apt-get install faketime); the clock is set in Python without it")
    items = mmar_data(tmp_path / "data", COUNT)
    failing = [{"id": items[2]["id"], "error": "busy", "retry_after": 0.1}, {"id": items[2]["id"], "text": "A"}]
    model = write_script(tmp_path / "script", [*failing, {"text": "A", "sleep": 0.05}])
    out, clock = tmp_path / "run", tmp_path / "clock"
    clock.write_text("+0")
    command = [*COMMAND] if by == "faketime" else [sys.executable, set_clock.__file__, str(clock)]
    command += ["run", "--tasks", "mmar", *model, "--data-dir", str(tmp_path / "data"), "--out", str(out)]
    command += ["--rpm", "1200", "--concurrency", "2"]
    faked = set_clock.environment(clock) if by == "faketime" else {}
    with subprocess.Popen(command, env={**os.environ, **faked}, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: lines_of(out) or process.poll() is not None)
        clock.write_text(setting)
        watched = RunWatch(out).update()
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert watched.status in {RUNNING, "done"}
    assert_each_once(out, [item["id"] for item in items])
    assert all(0 <= record["response"]["seconds"] < 600 for record in records(out) if "response" in record)
    (start,) = StoredRun.open(out).info["starts"]
    assert timedelta(0) <= _moment(start["end"]) - _moment(start["start"]) < timedelta(minutes=10)
    CAMPAIGN.note(f"the clock is set while a run goes on ({by}, {setting})", 1)


def _moment(text: str | None) -> datetime:
    assert text is not None
    return datetime.fromisoformat(text)


def test_a_start_by_a_clock_that_was_set_back_is_dated_after_the_one_before(tmp_path: Path) -> None:
    mmar_data(tmp_path / "data", 2)
    clock = tmp_path / "clock"
    arguments = ["run", "--tasks", "mmar", *write_script(tmp_path / "script", [{"text": "A"}])]
    arguments += ["--data-dir", str(tmp_path / "data"), "--out", str(tmp_path / "run")]
    errors = []
    for setting in ("+0", "-86400"):
        clock.write_text(setting)
        command = [sys.executable, set_clock.__file__, str(clock), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        errors.append(done.stderr)
    first, second = read_info(tmp_path / "run")["starts"]
    assert _moment(first["end"]) <= _moment(second["start"]) <= _moment(second["end"])
    assert "behind the last start of this run" not in errors[0]
    assert (
        "the clock of this machine is 1 day, 0:00:0" in errors[1] or "the clock of this machine is 23:59:5" in errors[1]
    )


@pytest.mark.parametrize("days", [-1, 1])
def test_watch_knows_who_lives_whatever_the_clock_says(days: int, tmp_path: Path) -> None:
    items = mmar_data(tmp_path / "data", 2)
    lines = [{"id": items[0]["id"], "text": "A"}, {"id": items[1]["id"], "text": "A", "sleep": 600}]
    out = tmp_path / "run"
    script = write_script(tmp_path / "script", lines)
    arguments = ["run", "--tasks", "mmar", *script, "--data-dir", str(tmp_path / "data")]
    with subprocess.Popen([*COMMAND, *arguments, "--out", str(out)], stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: lines_of(out) == 1)
            info = out / "run.json"
            changed = json.loads(info.read_text())
            before = _moment(changed["starts"][-1]["start"]) - timedelta(days=days)
            changed["starts"][-1]["start"] = before.isoformat()  # as if the clock had been set since
            info.write_text(json.dumps(changed))
            for path in (out, *out.iterdir()):
                os.utime(path, times=(before.timestamp(), before.timestamp()))
            assert RunWatch(out).update().status == RUNNING
        finally:
            process.kill()
    for path in (out, *out.iterdir()):
        os.utime(path, times=(before.timestamp(), before.timestamp()))
    assert RunWatch(out).update().status == KILLED


def test_a_date_until_which_to_wait_is_read_by_the_clock_of_the_host() -> None:
    headers = {"date": "Wed, 01 Jan 2020 00:00:00 GMT", "retry-after": "Wed, 01 Jan 2020 00:00:07 GMT"}
    assert read_rate_limit(429, headers, b"").wait == 7
    reset = {"date": headers["date"], "x-ratelimit-reset": "1577836809"}
    assert read_rate_limit(429, reset, b"").wait == 9


def test_stored_times_go_on_from_the_last_one_where_the_clock_is_behind() -> None:
    clock = RunClock()
    clock.set_after("2100-01-01T00:00:00+00:00")
    assert clock.now() >= "2100-01-01T00:00:00+00:00"
    clock.set_after("2000-01-01")
    assert clock.now().startswith("2100-01-01")


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_a_judge_whose_clock_is_set_asks_once_and_ends_after_it_began(setting: str, tmp_path: Path) -> None:
    mmar_with_criteria(tmp_path / "mmar", COUNT)
    write_run(tmp_path / "run", {"mmar": tmp_path / "mmar"}, lambda one, _: f"<think>Hm.</think>{one.answer}")
    clock = tmp_path / "clock"
    clock.write_text("+0")
    with chatting(choose=lambda asked: Turn(honest(asked).text, delay=0.05)) as chat:
        command = [sys.executable, set_clock.__file__, str(clock), "judge", str(tmp_path / "run"), "--model", "tiny"]
        command += ["--base-url", chat.url, "--concurrency", "2"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            wait_until(lambda: len(chat.asked) > 2 or process.poll() is not None)
            clock.write_text(setting)
            _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err
        (stored,) = tmp_path.glob("run/judge-*")
        lines = [json.loads(line) for path in record_files_of(stored) for line in path.read_text().splitlines()]
        judged = [(line["id"], line["sample"]) for line in lines]
        assert len(judged) == len(set(judged)) == len(chat.asked)
    (start,) = read_info(stored)["starts"]
    assert timedelta(0) <= _moment(start["end"]) - _moment(start["start"]) < timedelta(minutes=10)
    CAMPAIGN.note(f"the clock is set while a judge goes on ({setting})", 1)


def test_a_gate_counts_a_night_whose_clock_was_wrong_like_any_other(tmp_path: Path) -> None:
    mmar_data(tmp_path / "mmar", 60)
    for name in ("anchor", "nights/1", "nights/2", "tonight"):
        write_run(tmp_path / name, {"mmar": tmp_path / "mmar"}, lambda one, _: str(one.answer))
    found = []
    for year in ("2026", "1971", "2037"):
        file = tmp_path / "nights" / "2" / "run.json"
        info = json.loads(file.read_text())
        info["start"] = f"{year}{info['start'][4:]}"
        file.write_text(json.dumps(info))
        given = ("--baseline", tmp_path / "anchor", "--candidate", tmp_path / "tonight", "--max-drop", "20")
        done = call("gate", *given, "--history", tmp_path / "nights", "--json")
        (one,) = json.loads(done.out)["results"]
        found.append((done.code, one["nights"], one["look"], one["difference"], one["verdict"]))
    assert found == [found[0]] * 3
    assert found[0][1:3] == (3, 3)
    CAMPAIGN.note("a night of a gate's history has a wrong clock", 2)


def test_merged_checkpoints_are_removed_by_their_age_and_never_where_the_clock_was_set_back(tmp_path: Path) -> None:
    days = {"used": 1, "unused": 31, ".begun.new": 0, ".left.new": 2, "of tomorrow": -1, ".of next year.new": -365}
    for name, age in days.items():
        (tmp_path / name).mkdir()
        moment = time.time() - 86400 * age
        os.utime(tmp_path / name, (moment, moment))
    said: list[str] = []
    prepare._remove_unused(tmp_path, said.append)
    assert {path.name for path in tmp_path.iterdir()} == {"used", ".begun.new", "of tomorrow", ".of next year.new"}
    assert len(said) == 2
