"""`dtbench subset`: a small set of questions by stored runs, its error, and the ids that a run takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command import call
from runs import mmar_data, records

import dtbench
from dtbench.harness.store.run_folder import StoredRun

COUNT, SIZE = 24, 8


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    mmar_data(Path("data"), COUNT)
    runs = [("first", "0"), ("random", "0"), ("random", "1"), ("echo-gold", "0")]
    for number, (model, seed) in enumerate(runs):
        asked = ("--model", model, "--tasks", "mmar", "--data-dir", "data", "--seed", seed, "--out", f"runs/{number}")
        assert call("run", *asked).code == 0
    return [f"runs/{number}" for number in range(len(runs))]


def found(*arguments: str) -> dict[str, Any]:
    done = call("subset", *arguments, "--json")
    assert done.code == 0, done
    result: dict[str, Any] = json.loads(done.out)
    return result


def test_a_set_ranks_the_runs_and_a_run_takes_it(folders: list[str]) -> None:
    told = found(*folders, "--size", str(SIZE), "--out", "ids.txt")
    assert (told["task"], told["questions"], told["size"], told["out"]) == ("mmar", COUNT, SIZE, "ids.txt")
    assert Path("ids.txt").read_text().split() == told["ids"]
    assert len(set(told["ids"])) == SIZE
    order = [record["id"] for record in records(Path("runs/0"))]
    assert told["ids"] == sorted(told["ids"], key=order.index)
    for one, folder in zip(told["runs"], folders, strict=True):
        right = {record["id"]: record["score"]["correct"] is True for record in records(Path(folder))}
        assert one["accuracy"] == pytest.approx(sum(right.values()) / COUNT)
        assert one["subset"] == pytest.approx(sum(right[id_] for id_ in told["ids"]) / SIZE)
    assert told["runs"][3]["left_out"] == 1
    errors = [abs(one["left_out"] - one["accuracy"]) for one in told["runs"]]
    assert told["left_out"]["mean_error"] == pytest.approx(sum(errors) / 4)
    assert told["left_out"]["max_error"] == pytest.approx(max(errors))
    assert told["chosen_with"]["mean_error"] <= told["random"]["mean_error"]
    asked = ("--model", "first", "--tasks", "mmar", "--data-dir", "data", "--ids", "ids.txt", "--out", "small")
    assert call("run", *asked).code == 0
    assert StoredRun.open(Path("small")).info["tasks"]["mmar"]["questions"] == SIZE
    assert call("compare", "runs/0", "small").code == 0


def test_the_same_seed_finds_the_same_set_and_python_finds_it_too(folders: list[str]) -> None:
    told = found(*folders, "--size", "5", "--seed", "3")
    assert told == found(*folders, "--size", "5", "--seed", "3")
    assert dtbench.subset(folders, size=5, seed=3) == told


def test_without_a_file_the_ids_are_printed_and_the_error_is_a_note(folders: list[str]) -> None:
    done = call("subset", *folders, "--size", "5")
    assert len(done.out.split()) == 5
    assert "note: left out: error" in done.err
    shown = call("subset", *folders, "--size", "5", "--out", "ids.txt", "--score", "official")
    assert f"5 of {COUNT} questions of mmar: ids.txt" in shown.out
    assert all(name in shown.out for name in ("left out", "random sets", "chosen with"))


def test_questions_that_some_runs_were_not_asked_are_left_out_and_counted(folders: list[str]) -> None:
    asked = ("--model", "first", "--tasks", "mmar", "--data-dir", "data", "--limit", "20", "--out", "runs/part")
    assert call("run", *asked).code == 0
    told = found(*folders, "runs/part", "--size", "5")
    assert (told["questions"], told["not_shared"]) == (20, COUNT - 20)


def test_what_cannot_be_chosen_from_is_refused(folders: list[str], tmp_path: Path) -> None:
    refused = {
        (*folders[:2], "--size", "5"): "needs at least 3 runs of one benchmark, by different models or checkpoints; 2",
        (*folders,): "--size is missing: say how many, such as --size 100.",
        (*folders, "--size", str(COUNT)): f"--size {COUNT}: the runs share {COUNT} questions of mmar",
        (*folders, "--size", "0"): "--size 0: at least 1 is expected",
        (*folders, "runs/../runs/1", "--size", "5"): "error: runs/1 is named twice; name each run once.",
        (*folders, "--size", "5", "--task", "mini"): "--task mini: runs/0 has no answers of it.",
        (*folders[:3], "nowhere", "--size", "5"): "nowhere: not a run folder",
    }
    for arguments, told in refused.items():
        done = call("subset", *arguments)
        assert done.code == 2
        assert told in done.err
    mmar_data(tmp_path / "other", COUNT - 1)
    asked = ("--model", "first", "--tasks", "mmar", "--data-dir", "other", "--out", "runs/other")
    assert call("run", *asked).code == 0
    done = call("subset", *folders, "runs/other", "--size", "5")
    assert done.code == 2
    assert "runs/other: its mmar data" in done.err
