"""Runs by several processes at once into one folder: `--shard`, who sums up, `dtbench merge`, arrays of SLURM."""

from __future__ import annotations

import json
import os
import random
import signal
from pathlib import Path

import pytest
from command import call, process
from runs import (
    Arguments,
    assert_each_once,
    ended,
    interrupt,
    lines_of,
    mmar_data,
    started,
    status,
    summary,
    wait_until,
    write_script,
)
from sharded import answers_in_files, codes_of, kill_and_restart, shards_of
from small_data import mmar_items

from dtbench.harness.store.run_folder import StoredRun

WHOLE = os.environ.get("DTBENCH_WHOLE") == "1"
SHARDS = 6
QUESTIONS = 1200 if WHOLE else 120
KILLS = 120 if WHOLE else 6


def asked_of(tmp_path: Path, count: int, sleep: float = 0.0) -> Arguments:
    """A run of so many questions of a model that answers right, wrong and not at all."""
    items = mmar_data(tmp_path / "data", count)
    lines = [{"text": text, "sleep": sleep} for text in ("(A)", "I think (B)", "Hm.")]
    model = write_script(
        tmp_path / "script.jsonl", [{"id": item["id"], **lines[n % 3]} for n, item in enumerate(items)]
    )
    return (*model, "--tasks", "mmar", "--data-dir", tmp_path / "data")


def ids(count: int) -> list[str]:
    return [item["id"] for item in mmar_items(count)]


def in_array(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    """What SLURM tells a task of an array."""
    for name, value in values.items():
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", value)


def test_six_shards_killed_at_random_end_as_one_run_that_nobody_disturbed(tmp_path: Path) -> None:
    asked = (*asked_of(tmp_path, QUESTIONS, sleep=0.03), "--concurrency", "2")
    out, whole = tmp_path / "sharded", tmp_path / "whole"
    with shards_of((*asked, "--out", out), SHARDS) as running:
        assert kill_and_restart(running, (*asked, "--out", out), KILLS, random.Random(18)) > KILLS / 2
        assert codes_of(running) == {0}
    assert process("run", *asked[:-2], "--concurrency", "500", "--out", whole).code == 0
    assert answers_in_files(out, "mmar") == dict.fromkeys(((id_, 0) for id_ in ids(QUESTIONS)), 1)
    assert_each_once(out, ids(QUESTIONS))
    assert summary(out) == summary(whole)
    assert status(out) == "done"
    assert len(list(out.glob("mmar.*-of-6.jsonl"))) == SHARDS
    assert not (out / "mmar.jsonl").exists()
    assert list(out.glob(".*.tmp")) == []


def test_the_last_shard_sums_up_and_the_others_say_who_is_missing(tmp_path: Path) -> None:
    asked = (*asked_of(tmp_path, 10), "--out", tmp_path / "run")
    first = call("run", *asked, "--shard", "2/3")
    assert (first.code, (tmp_path / "run" / "summary.json").exists()) == (0, False)
    assert f"shard 2/3 of {tmp_path / 'run'} (done); the figures are of this shard alone" in first.out
    assert "still to end: 1/3 not started, 3/3 not started; the last one sums up all of them" in first.out
    assert ": 3 answers" in first.out
    told = json.loads(call("run", *asked, "--shard", "3/3", "--json").out)
    assert (told["shard"], told["waiting"]) == ("3/3", {"1/3": "not started"})
    assert told["tasks"][0]["n"] == 3
    last = call("run", *asked, "--shard", "1/3")
    assert last.code == 0
    assert "10 answers" in last.out
    assert f"run {tmp_path / 'run'} (done)" in last.out
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["tasks"][0]["n"] == 10


def test_a_shard_that_died_is_resumed_alone_and_sums_up(tmp_path: Path) -> None:
    asked = (*asked_of(tmp_path, 40, sleep=0.2), "--concurrency", "2", "--out", tmp_path / "run")
    assert call("run", *asked, "--shard", "1/2", "--concurrency", "50").code == 0
    with started(*asked, "--shard", "2/2") as shard:
        wait_until(lambda: lines_of(tmp_path / "run", "mmar.2-of-2"))
        held = call("merge", tmp_path / "run")
        assert (held.code, f"running (pid {shard.pid} on " in held.out) == (4, True), held
        shard.kill()
        assert shard.wait() == -signal.SIGKILL
    dead = call("merge", tmp_path / "run")
    assert (dead.code, f"killed (it was pid {shard.pid} on " in dead.out) == (4, True), dead
    assert " answers are missing" in dead.err
    assert call("run", *asked, "--shard", "2/2", "--concurrency", "50").code == 0
    assert_each_once(tmp_path / "run", ids(40))
    assert status(tmp_path / "run") == "done"
    starts = [start["status"] for start in StoredRun.open(tmp_path / "run").info["starts"]]
    assert sorted(starts) == ["done", "done", "interrupted"]


def test_merge_sums_up_what_no_shard_did(tmp_path: Path) -> None:
    asked = (*asked_of(tmp_path, 10), "--out", tmp_path / "run")
    for number in (1, 2):
        assert call("run", *asked, "--shard", f"{number}/2").code == 0
    before = summary(tmp_path / "run")
    (tmp_path / "run" / "summary.json").unlink()
    for _ in range(2):
        merged = call("merge", tmp_path / "run")
        assert (merged.code, merged.said) == (0, "")
        assert f"run {tmp_path / 'run'} (done)" in merged.out
        assert summary(tmp_path / "run") == before
    assert call("run", *asked, "--shard", "1/2").code == 0
    assert (summary(tmp_path / "run"), status(tmp_path / "run")) == (before, "done")


def test_merge_of_a_run_without_shards_is_refused(tmp_path: Path) -> None:
    assert call("run", *asked_of(tmp_path, 2), "--out", tmp_path / "run").code == 0
    assert "has no shards, so there is nothing to merge" in call("merge", tmp_path / "run").refusal()


@pytest.mark.parametrize("then", [("--shard", "1/3"), ("--shard", "2/3"), ()], ids=["another N", "its next", "none"])
def test_another_number_of_shards_goes_on_from_all_answers(tmp_path: Path, then: tuple[str, ...]) -> None:
    asked = (*asked_of(tmp_path, 12), "--out", tmp_path / "run")
    assert call("run", *asked, "--shard", "2/2").code == 0
    assert call("run", *asked, *then).code == 0
    assert set(answers_in_files(tmp_path / "run", "mmar").values()) == {1}
    assert call("run", *asked).code == 0
    assert_each_once(tmp_path / "run", ids(12))
    assert set(answers_in_files(tmp_path / "run", "mmar").values()) == {1}
    assert status(tmp_path / "run") == "done"
    assert list((tmp_path / "run").glob("run.*-of-*.json")) == []


def test_what_runs_at_once_must_fit_together(tmp_path: Path) -> None:
    asked = (*asked_of(tmp_path, 4, sleep=60.0), "--out", tmp_path / "run")
    with started(*asked, "--shard", "1/2") as shard:
        wait_until((tmp_path / "run" / "run.1-of-2.json").exists)
        twice = call("run", *asked, "--shard", "1/2").refusal()
        other = call("run", *asked, "--shard", "3/4").refusal()
        whole = call("run", *asked).refusal()
        rewrite = process("score", tmp_path / "run", "--write", "--data-dir", tmp_path / "data").refusal()
        seed = call("run", *asked, "--shard", "2/2", "--seed", "9").refusal()
        shard.kill()
    assert f"--shard 1/2: it is running already in {tmp_path / 'run'} (pid {shard.pid} on " in twice
    assert "shard 1/2 is running" in other
    assert "give this one --shard I/2" in other
    assert "seed" in seed
    for said in (whole, rewrite):
        assert "shards of a run are writing there already (1/2). Wait for their end, or join them: --shard I/2." in said


def test_a_whole_run_keeps_shards_out(tmp_path: Path) -> None:
    asked = (*asked_of(tmp_path, 4, sleep=60.0), "--out", tmp_path / "run")
    with started(*asked) as run:
        wait_until((tmp_path / "run" / "run.json").exists)
        said = call("run", *asked, "--shard", "1/2").refusal()
        assert f"a run without --shard is writing there (pid {run.pid} on " in said
        run.kill()


@pytest.mark.parametrize("text", ["0/2", "3/2", "2", "1/0", "a/b", "1/2/3", "-1/2", "1.0/2"])
def test_no_shard_is_refused(tmp_path: Path, text: str) -> None:
    said = call("run", *asked_of(tmp_path, 2), "--shard", text).refusal()
    assert said == f"error: --shard {text}: I/N is expected, I from 1 to N, such as --shard 1/4."


def test_more_shards_than_questions_leave_some_without_any(tmp_path: Path) -> None:
    asked = (*asked_of(tmp_path, 2), "--out", tmp_path / "run")
    for number in (4, 1, 3):
        assert call("run", *asked, "--shard", f"{number}/4").code == 0
    assert call("run", *asked, "--shard", "2/4").code == 0
    assert_each_once(tmp_path / "run", ids(2))
    assert status(tmp_path / "run") == "done"


def test_a_slurm_array_is_a_run_of_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = (*asked_of(tmp_path, 9), "--out", tmp_path / "run")
    in_array(monkeypatch, MIN="0", MAX="2", COUNT="3")
    for task in ("2", "0"):
        in_array(monkeypatch, ID=task)
        done = call("run", *asked)
        assert done.code == 0
        shard = f"{int(task) + 1}/3"
        assert (
            f"note: task {task} of a SLURM array: --shard {shard} (--shard 1/1 asks all questions in each task)"
            in done.err
        )
        assert f"shard {shard} of " in done.out
    in_array(monkeypatch, ID="1")
    assert call("run", *asked).code == 0
    assert_each_once(tmp_path / "run", ids(9))
    assert status(tmp_path / "run") == "done"


@pytest.mark.parametrize(
    "given",
    [
        {"ID": "4", "MIN": "4", "MAX": "4", "COUNT": "1"},
        {"ID": "4", "MIN": "1", "COUNT": "3", "STEP": "3"},
        {"ID": "3"},
    ],
    ids=["the only task", "told otherwise", "no array"],
)
def test_outside_of_an_array_all_questions_are_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, str]
) -> None:
    in_array(monkeypatch, **given)
    more = ("--shard", "1/1") if "STEP" in given else ()
    done = call("run", *asked_of(tmp_path, 4), *more, "--out", tmp_path / "run")
    assert (done.code, "SLURM" in done.err) == (0, False)
    assert lines_of(tmp_path / "run") == 4


def test_an_array_that_is_not_numbered_evenly_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_array(monkeypatch, ID="5", MIN="2", MAX="5", COUNT="2")
    said = call("run", *asked_of(tmp_path, 4), "--out", tmp_path / "run").refusal()
    assert "SLURM_ARRAY_TASK_ID=5" in said
    assert "are not numbered evenly" in said


def test_every_reader_reads_a_run_of_shards_as_any_other(tmp_path: Path) -> None:
    asked = asked_of(tmp_path, 12)
    sharded, whole = tmp_path / "sharded", tmp_path / "whole"
    for number in (1, 2, 3):
        assert call("run", *asked, "--out", sharded, "--shard", f"{number}/3").code == 0
    assert call("run", *asked, "--out", whole).code == 0
    for command in ("score", "export"):
        outputs = []
        for run in (sharded, whole):
            file = tmp_path / f"{command}-{run.name}.jsonl"
            more = {"score": ("--rows", file), "export": ("--format", "arc", "--out", file.with_suffix(".zip"))}[
                command
            ]
            done = call(command, run, *more, "--data-dir", tmp_path / "data")
            assert done.code == 0, done
            outputs.append(done.out.replace(run.name, "RUN") if command == "export" else file.read_text())
        assert outputs[0] == outputs[1]
    (told,) = json.loads(call("compare", whole, sharded, "--json").out)
    assert (told["n"], told["difference"], told["only_before"], told["only_after"]) == (12, 0.0, 0, 0)
    assert call("gate", "--baseline", whole, "--candidate", sharded, "--max-drop", "100").code in {0, 4}
    assert call("report", whole, sharded, "--data-dir", tmp_path / "data", "--out", tmp_path / "page.html").code == 0


def test_verdicts_that_are_scored_anew_stand_over_those_of_the_shards(tmp_path: Path) -> None:
    asked = (*asked_of(tmp_path, 6), "--out", tmp_path / "run")
    for number in (1, 2):
        assert call("run", *asked, "--shard", f"{number}/2").code == 0
    rescore = ("score", tmp_path / "run", "--data-dir", tmp_path / "data", "--write", "--json", "--min-evidence")
    (strict,) = json.loads(call(*rescore, "stated").out)
    assert (tmp_path / "run" / "mmar.jsonl").exists()
    (again,) = json.loads(call("score", tmp_path / "run", "--data-dir", tmp_path / "data", "--json").out)
    assert again["strict"] == strict["strict"]


def test_a_run_of_shards_grows(tmp_path: Path) -> None:
    asked = (*asked_of(tmp_path, 12), "--out", tmp_path / "run")
    for limit in (6, 12):
        for number in (2, 1):
            assert call("run", *asked, "--shard", f"{number}/2", "--limit", f"{limit}").code == 0
        assert status(tmp_path / "run") == "done"
        (told,) = json.loads((tmp_path / "run" / "summary.json").read_text())["tasks"]
        assert (told["n"], told["missing"]) == (limit, 0)
    assert set(answers_in_files(tmp_path / "run", "mmar").values()) == {1}
    assert call("run", *asked, "--limit", "6").code == 0
    (told,) = json.loads(call("merge", tmp_path / "run", "--json").out)["tasks"]
    assert told["n"] == 6
    assert lines_of(tmp_path / "run") == 0


def test_a_shard_of_an_earlier_start_leaves_the_summary_to_those_of_the_last(tmp_path: Path) -> None:
    asked = (*asked_of(tmp_path, 8, sleep=1.0), "--out", tmp_path / "run")
    with started(*asked, "--shard", "1/2", "--limit", "4") as earlier:
        wait_until((tmp_path / "run" / "run.1-of-2.json").exists)
        assert call("run", *asked, "--shard", "2/2").code == 0
        assert ended(earlier).code == 0
    assert not (tmp_path / "run" / "summary.json").exists()
    assert call("run", *asked, "--shard", "1/2").code == 0
    (told,) = json.loads((tmp_path / "run" / "summary.json").read_text())["tasks"]
    assert (told["n"], told["missing"]) == (8, 0)
    assert set(answers_in_files(tmp_path / "run", "mmar").values()) == {1}


def test_a_shard_that_is_interrupted_says_so_of_itself(tmp_path: Path) -> None:
    asked = (*asked_of(tmp_path, 40, sleep=0.3), "--concurrency", "2", "--out", tmp_path / "run")
    with started(*asked, "--shard", "1/2") as shard:
        wait_until(lambda: lines_of(tmp_path / "run", "mmar.1-of-2"))
        interrupt(shard)
        done = ended(shard)
    assert done.code == 130
    assert "still to end: 1/2 interrupted, " in done.out
    assert "2/2 not started; the last one sums up all of them" in done.out
    assert f"dtbench merge {tmp_path / 'run'}" in done.err.splitlines()[-1]
