"""A folder that an older dtbench wrote: every command says in one line what it is, and changes nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from chat_server import chatting
from command import call
from judges import chain_of, honest, mmar_with_criteria
from made_up_run import write_run
from run_records import files


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of today, and one whose run.json says that it is of schema 1."""
    folder = tmp_path_factory.mktemp("runs")
    mmar_with_criteria(folder / "data", 4)
    for name in ("today", "older"):
        write_run(folder / name, {"mmar": folder / "data"}, lambda sample, _: chain_of(sample, 3))
    path = folder / "older" / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 1}))
    return folder


@pytest.mark.parametrize(
    "command",
    [
        "score older",
        "score older --write",
        "compare older today",
        "compare today older",
        "gate --baseline older --candidate today",
        "report older",
        "report today older",
        "export older --format mmar --out made.jsonl",
        "export older --format lm-eval --out made",
        "run --model random --tasks mmar --data-dir data --out older",
    ],
)
def test_it_is_refused_in_one_line(two_runs: Path, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(two_runs)
    before = files(two_runs / "older")
    line = call(*command.split()).refusal()
    assert "older/run.json: written by an older dtbench (schema 1, this one reads 2): run it again into " in line
    assert {**files(two_runs / "older"), ".lock": b""} == {**before, ".lock": b""}
    assert not (two_runs / "made.jsonl").exists()


def test_a_judge_is_not_asked_about_it(two_runs: Path) -> None:
    with chatting(choose=honest) as chat:
        line = call("judge", two_runs / "older", "--model", "tiny", "--base-url", chat.url).refusal()
        assert not [asked for asked in chat.asked if asked.content]
    assert "written by an older dtbench" in line


def test_an_older_run_inside_a_run_is_a_note_in_its_report(two_runs: Path, tmp_path: Path) -> None:
    shutil.copytree(two_runs / "today", tmp_path / "run")
    shutil.copytree(two_runs / "older", tmp_path / "run" / "audio-silence")
    done = call("report", tmp_path / "run", "--audio", "none")
    assert done.code == 0
    assert "audio-silence/run.json: written by an older dtbench" in done.err + done.out
