"""`dtbench sweep`: several models one after the other, each in a folder of its own, and one table."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from command import call, process
from runs import Arguments, ended, lines_of, mmar_data, records, started, status, wait_until, write_script

MINI = ("--tasks", "mini", "--limit", "12")


def test_each_model_is_run_into_a_folder_of_its_own_and_one_table_tells_the_scores(tmp_path: Path) -> None:
    done = call("sweep", "echo-gold", "first", *MINI, "--out", tmp_path)
    assert done.code == 0
    rows = {line.split()[0]: line.split() for line in done.out.splitlines() if " mini " in line}
    assert list(rows) == ["echo-gold", "first"]
    time = rows["echo-gold"][4]
    assert rows["echo-gold"][1:] == ["mini", "100.0", "75.8-100.0", time, "done"]
    assert rows["first"][-1] == "done"
    compare, report = done.err.splitlines()[-2:]
    assert report.startswith(f"  dtbench report {tmp_path / 'echo-gold'} ")
    assert compare.startswith(f"  dtbench compare {tmp_path / 'echo-gold'} {tmp_path / 'first'}")
    for model in rows:
        assert len(records(tmp_path / model, "mini")) == 12
        assert status(tmp_path / model) == "done"


def test_json_tells_of_each_run_what_run_tells(tmp_path: Path) -> None:
    sweep = ("sweep", "random", "first", *MINI, "--out", tmp_path, "--json")
    told = json.loads(call(*sweep).out)
    assert [run["model"] for run in told["runs"]] == ["random", "first"]
    for run in told["runs"]:
        assert (run["exit_code"], run["status"], run["tasks"][0]["n"]) == (0, "done", 12)
        alone = json.loads((tmp_path / run["model"] / "summary.json").read_text())
        assert {name: run[name] for name in alone} == alone
    again = json.loads(call(*sweep).out)
    assert [run["tasks"] for run in again["runs"]] == [run["tasks"] for run in told["runs"]]


def test_a_model_that_fails_does_not_stop_the_next_and_makes_the_exit_code(tmp_path: Path) -> None:
    done = call("sweep", tmp_path / "no-such-folder", "first", *MINI, "--out", tmp_path / "out")
    assert done.code in {2, 3}
    assert "no-such-folder" in done.err
    lines = [line for line in done.out.splitlines() if line.rstrip().endswith(("failed", "done"))]
    assert len(lines) == 2
    assert status(tmp_path / "out" / "first") == "done"
    alone = call("run", "--model", tmp_path / "no-such-folder", *MINI, "--out", tmp_path / "alone")
    assert alone.code == done.code


def test_an_engine_that_breaks_does_not_stop_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.py").write_text(
        "from dtbench.models.plain.baselines import First\n\n\nclass Broken(First):\n"
        "    async def generate(self, prompt):\n        raise RuntimeError('CUDA out of memory')\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")])))
    done = process("sweep", "broken:Broken", "first", *MINI, "--out", tmp_path / "out")
    assert done.code == 3
    assert "CUDA out of memory" in done.err
    assert status(tmp_path / "out" / "first") == "done"


def test_a_sweep_that_is_interrupted_goes_on_where_it_stopped(tmp_path: Path) -> None:
    mmar_data(tmp_path / "data", 30)
    model = write_script(tmp_path / "script.jsonl", [{"text": "(A)", "sleep": 0.3}])
    given: Arguments = (
        *model[2:],
        "--tasks",
        "mmar",
        "--data-dir",
        tmp_path / "data",
        "--concurrency",
        "2",
        "--out",
        tmp_path,
    )
    with started("scripted", *given, command="sweep") as sweep:
        wait_until(lambda: lines_of(tmp_path / "scripted"))
        sweep.send_signal(signal.SIGINT)
        done = ended(sweep)
    assert done.code == 130
    assert "interrupted" in done.out
    write_script(tmp_path / "script.jsonl", [{"text": "(A)"}])
    assert process("sweep", "scripted", *given).code == 0
    assert len(records(tmp_path / "scripted")) == lines_of(tmp_path / "scripted") == 30


def test_what_a_run_would_refuse_is_refused_before_the_first_one(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert "MODEL is missing" in call("sweep", *MINI, "--out", out).refusal()
    assert "name each checkpoint once" in call("sweep", "first", "first", *MINI, "--out", out).refusal()
    assert "has the same folder (a-b)" in call("sweep", "a/b", "a-b", *MINI, "--out", out).refusal()
    assert "--tasks is missing" in call("sweep", "first", "random", "--out", out).refusal()
    assert "--shard 3/2" in call("sweep", "first", *MINI, "--out", out, "--shard", "3/2").refusal()
    assert not out.exists()


def test_a_task_of_a_slurm_array_asks_its_shard_of_each_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"MIN": "1", "MAX": "2", "COUNT": "2"}.items():
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", value)
    for task in ("1", "2"):
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", task)
        done = call("sweep", "first", "random", *MINI, "--out", tmp_path)
        assert (done.code, done.err.count("SLURM")) == (0, 1)
        assert done.out.count("done 1/2") == (2 if task == "1" else 0)
    for model in ("first", "random"):
        assert lines_of(tmp_path / model, "mini.1-of-2") == lines_of(tmp_path / model, "mini.2-of-2") == 6
        assert status(tmp_path / model) == "done"
