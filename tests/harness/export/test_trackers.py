"""`dtbench run --log`: summaries reach experiment trackers; what goes wrong there costs nothing here."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import pytest
from command import Done, process
from packages import install

from dtbench.harness.export.trackers import flat_metrics

LOGGER = """
import json, os
def log(summary, settings):
    print("noise of a tracker")
    with open(os.environ["LOGGED"], "a") as file:
        file.write(json.dumps([summary, settings]) + "\\n")
def broken(summary, settings):
    raise RuntimeError("no way to https://user:hunter2-secret@tracker")
thing = 3
"""
OFFERED = {"mine": "tracker:log", "broken": "tracker:broken", "thing": "tracker:thing"}


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder of packages in which one offers loggers."""
    folder = tmp_path / "packages"
    folder.mkdir()
    install(folder, "tracker", OFFERED, LOGGER, group="dtbench.loggers")
    return folder


def run(tmp_path: Path, *arguments: str | Path, **environment: str) -> Done:
    asked = ("run", "--model", "first", "--tasks", "mini", "--limit", "8", "--data-dir", tmp_path / "data")
    path = os.pathsep.join([str(tmp_path / "packages"), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)
    return process(*asked, "--out", tmp_path / "out", *arguments, stdin=b"", **{"PYTHONPATH": path, **environment})


def summary_of(tmp_path: Path) -> dict[str, Any]:
    return dict(json.loads((tmp_path / "out" / "summary.json").read_text()))


def test_a_logger_of_a_package_gets_the_summary_and_the_settings(tmp_path: Path, packages: Path) -> None:
    done = run(tmp_path, "--log", "mine", "--json", LOGGED=str(tmp_path / "logged"))
    assert done.code == 0, done
    (line,) = (tmp_path / "logged").read_text().splitlines()
    summary, settings = json.loads(line)
    assert summary == summary_of(tmp_path) == json.loads(done.out), "stdout holds the summary and nothing else"
    assert settings == json.loads((tmp_path / "out" / "run.json").read_text())
    assert "noise of a tracker" in done.err


def test_of_several_shards_the_one_that_sums_up_logs(tmp_path: Path, packages: Path) -> None:
    logged = tmp_path / "logged"
    assert run(tmp_path, "--log", "mine", "--shard", "1/2", LOGGED=str(logged)).code == 0
    assert not logged.exists()
    assert run(tmp_path, "--log", "mine", "--shard", "2/2", LOGGED=str(logged)).code == 0
    (line,) = logged.read_text().splitlines()
    assert json.loads(line)[0] == summary_of(tmp_path)


def test_trackers_get_what_answers_rest_on(tmp_path: Path) -> None:
    done = run(tmp_path, "--json", "--min-evidence", "stated")
    assert done.code == 0, done
    (task,) = json.loads(done.out)["tasks"]
    figures = flat_metrics(json.loads(done.out))
    assert figures["mini/set_aside"] == task["set_aside"]
    for level, answers in task["evidence"].items():
        assert figures[f"mini/evidence/{level}"] == answers["n"]
        right = figures.get(f"mini/evidence/{level}/right")
        assert right == (answers["correct"] / answers["n"] if answers["n"] else None)
    assert sum(answers["n"] for answers in task["evidence"].values()) == 8


def test_a_logger_that_fails_is_told_and_can_be_called_again(tmp_path: Path, packages: Path) -> None:
    done = run(tmp_path, "--log", "broken")
    assert done.code == 3
    assert "--log broken: failed with RuntimeError: no way to https://***@tracker" in done.err
    assert "The run is stored; the same command again asks nothing anew, and logs." in done.err
    assert summary_of(tmp_path)["status"] == "done"
    before = (tmp_path / "out" / "mini.jsonl").read_bytes()
    assert run(tmp_path, "--log", "mine", LOGGED=str(tmp_path / "logged")).code == 0
    assert (tmp_path / "out" / "mini.jsonl").read_bytes() == before
    assert (tmp_path / "logged").exists()


WRONG = {
    "unknown": (("wanbd",), "unknown logger 'wanbd'. Did you mean wandb? Known: wandb, mlflow, trackio, broken, mine"),
    "twice": (("mine", "--log", "mine"), "--log mine: it is named twice; name it once."),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_name_is_refused_before_anything_is_asked(name: str, tmp_path: Path, packages: Path) -> None:
    arguments, line = WRONG[name]
    assert line in run(tmp_path, "--log", *arguments).refusal()
    assert not (tmp_path / "out").exists()


def test_a_thing_that_is_no_function_is_refused(tmp_path: Path, packages: Path) -> None:
    assert "logger tracker:thing is int, not a function" in run(tmp_path, "--log", "thing").refusal(3)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["wandb", "mlflow", "trackio"])
def test_a_tracker_that_is_not_installed_is_named_with_the_command_for_it(name: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(name) is not None:
        pytest.skip(f"{name} is installed here")
    assert f"pip install {name}" in run(tmp_path, "--log", name).refusal()
    assert not (tmp_path / "out").exists()
