"""A task file under the commands: run, resume, score, compare, gate, report and export, with and without the file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from command import call
from task_files import BIRDS, task_text, write_birds, write_lines
from task_files import TASK as TASK_FILE

import dtbench
from dtbench.tasks.registry import TASKS
from dtbench.tasks.suites import our_suites

OPEN = """
[[score]]
name = "kind"
rule = "exact"
"""


@pytest.fixture(autouse=True)
def _in_a_folder_without_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DTBENCH_DATA", str(tmp_path / "no-data"))


def run(*words: str | Path, model: str = "echo-gold") -> dict[str, Any]:
    summary: dict[str, Any] = json.loads(call("run", "--model", model, *words, "--json").out)
    return summary["tasks"][0] if len(summary["tasks"]) == 1 else summary


def test_the_smallest_task_file_has_at_most_twenty_lines() -> None:
    assert len([line for line in TASK_FILE.read_text().splitlines() if line.strip()]) <= 20


@pytest.mark.parametrize("flag", ["--task-file", "--tasks"])
def test_right_answers_to_a_task_file_score_full_marks_by_its_groups(tmp_path: Path, flag: str) -> None:
    score = run(flag, write_birds(tmp_path / "own"), "--out", tmp_path / "run")
    assert (score["task"], score["official"]["accuracy"], score["strict"]["accuracy"]) == ("birds", 1, 1)
    assert list(score["official"]["groups"]) == ["Continent", "Habitat"]
    assert {name: group["counted"] for name, group in score["official"]["groups"]["Continent"].items()} == {
        "Europe": 2,
        "Asia": 1,
    }


def test_no_group_reaches_a_model(tmp_path: Path) -> None:
    done = call("run", "--model", "first", "--task-file", write_birds(tmp_path / "own"), "--dry-run")
    assert "Which bird calls first?" in done.out
    assert "Europe" not in done.out.replace(str(tmp_path), "")


def test_a_run_is_resumed_and_scored_again_and_grows(tmp_path: Path) -> None:
    file, out = write_birds(tmp_path / "own"), tmp_path / "run"
    assert run("--tasks", file, "--out", out, "--limit", "2")["n"] == 2
    assert run("--tasks", file, "--out", out)["n"] == 3
    (again,) = json.loads(call("score", out, "--json").out)
    assert (again["official"]["accuracy"], again["differ"]) == (1, {"n": 0, "ids": []})


@pytest.mark.parametrize("gone", ["file", "data", "both"])
def test_a_stored_run_finds_its_task_where_its_file_or_its_data_is_gone(tmp_path: Path, gone: str) -> None:
    folder, out = tmp_path / "own", tmp_path / "run"
    run("--tasks", write_birds(folder), "--out", out, model="first")
    before = json.loads(call("score", out, "--json").out)[0]
    if gone == "file":
        (folder / "birds.toml").unlink()
    elif gone == "data":
        (folder / "questions.jsonl").unlink()
    else:
        shutil.rmtree(folder)
    after = json.loads(call("score", out, "--json").out)[0]
    assert after == before
    assert (after["official"]["correct"], after["official"]["counted"]) == (1, 3)


def test_a_scorer_that_is_changed_in_the_file_scores_stored_answers_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rules_of_mine.py").write_text("def half(sample, text, *, share):\n    return share\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    file, out = write_birds(tmp_path / "own"), tmp_path / "run"
    run("--tasks", file, "--out", out)
    file.write_text(task_text(rule='"rules_of_mine:half"\nshare = 0'))
    (again,) = json.loads(call("score", out, "--json").out)
    assert again["official"]["accuracy"] == 0


def test_runs_of_a_task_file_are_compared_gated_reported_and_tabled(tmp_path: Path) -> None:
    file = write_birds(tmp_path / "own")
    for model, name in (("echo-gold", "good"), ("first", "poor")):
        run("--tasks", file, "--out", tmp_path / name, model=model)
    compared = json.loads(call("compare", tmp_path / "good", tmp_path / "poor", "--json").out)
    assert compared[0]["task"] == "birds"
    dtbench.run(lambda text, wav: "(A)", file, out=tmp_path / "listener")
    assert "passed    birds: 33.33 -> 33.33" in call("gate", tmp_path / "poor", tmp_path / "listener").out
    assert call("report", tmp_path / "poor", "--out", tmp_path / "page.html").code == 0
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert "first" in call("table", tmp_path / "poor").out


def test_the_neutral_predictions_of_a_run_are_scored_alike(tmp_path: Path) -> None:
    file, out = write_birds(tmp_path / "own"), tmp_path / "run"
    before = run("--tasks", file, "--out", out, model="first")
    assert call("export", out, "--format", "predictions", "--out", tmp_path / "preds.jsonl").code == 0
    lines = [json.loads(line) for line in (tmp_path / "preds.jsonl").read_text().splitlines()]
    assert [(line["id"], line["prediction"]) for line in lines] == [("b1", "Crow"), ("b2", "Crow"), ("b3", "yes")]
    assert all(line["response"] for line in lines)
    given = ("--predictions", tmp_path / "preds.jsonl", "--task-file", file, "--metadata", tmp_path / "own")
    scored = json.loads(call("score", *given, "--json").out)
    assert scored["official"]["correct"] == before["official"]["correct"] == 1
    assert scored["official"]["counted"] == 3


def test_two_tasks_of_one_name_are_refused(tmp_path: Path) -> None:
    first, second = write_birds(tmp_path / "one"), write_birds(tmp_path / "two")
    refused = call("run", "--model", "first", "--tasks", f"{first},{second}", "--out", tmp_path / "run").refusal()
    assert "the task birds is there twice; name it once" in refused


def test_the_name_of_a_benchmark_of_dtbench_is_refused(tmp_path: Path) -> None:
    file = write_birds(tmp_path / "own", task_text(name='"mmar"'))
    refused = call("run", "--model", "first", "--tasks", file, "--out", tmp_path / "run").refusal()
    assert "mmar: this is the name of a benchmark of dtbench; give your task another." in refused


def test_verify_tells_what_is_wrong_with_the_data_of_a_task_file(tmp_path: Path) -> None:
    items = [{**BIRDS[0], "answer": "Owl"}, {**BIRDS[1], "clip": "clips/none.wav"}]
    file = write_birds(tmp_path / "own", "size = 3\n" + task_text(), items)
    done = call("data", "verify", file, "--json")
    report = json.loads(done.out)
    assert done.code == 2
    assert report["problems"][0] == "2 items, but 3 were published (--subset accepts fewer)"
    assert any("1 of 2 clips are missing" in problem for problem in report["problems"])
    assert any("'b1': its answer 'Owl' is not one of its options" in problem for problem in report["problems"])


def test_open_answers_are_scored_by_the_scorer_that_fits(tmp_path: Path) -> None:
    text = "\n".join(line for line in TASK_FILE.read_text().split("[[score]]")[0].splitlines() if "choices" not in line)
    file = write_birds(tmp_path / "own", f"{text}\n{OPEN}")
    score = run("--tasks", file, "--out", tmp_path / "run")
    assert (score["official"]["accuracy"], score["n"]) == (1, 3)


def test_a_suite_of_the_users_is_run_by_one_name(tmp_path: Path) -> None:
    write_birds(tmp_path / "own")
    write_birds(tmp_path / "own" / "more", task_text(name='"more-birds"'))
    suite = tmp_path / "own" / "suite.toml"
    suite.write_text('name = "all-birds"\ntasks = ["birds.toml", "more/birds.toml"]\n')
    summary = run("--tasks", suite, "--out", tmp_path / "run")
    assert [one["task"] for one in summary["tasks"]] == ["birds", "more-birds"]
    listed = json.loads(call("tasks", suite, "--json").out)
    assert [facts["name"] for facts in listed] == ["birds", "more-birds"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('name = "x"\ntasks = []', "suite.toml: tasks = []: the names of benchmarks are expected."),
        ('name = "x"\ntasks = "mmar"', 'suite.toml: tasks = "mmar": a list is expected.'),
        ('name = "x"\ntasks = ["x"]', "suite.toml: tasks: 'x' is the suite itself."),
        ('name = "x"\ntasks = ["mmra"]', "unknown task 'mmra'. Did you mean mmar"),
        ('title = "x"\ntasks = ["mmar"]', "suite.toml: name is missing; add it."),
    ],
)
def test_a_suite_that_is_wrong_is_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "suite.toml").write_text(text)
    assert complaint in call("run", "--model", "first", "--tasks", "suite.toml", "--out", "run").refusal()


def test_the_suites_of_dtbench_are_listed_with_their_tasks(tmp_path: Path) -> None:
    facts = {one["name"]: one for one in json.loads(call("tasks", "audio-reasoning", "--json").out)}
    assert list(facts) == ["mmar", "mmau-mini", "mmsu", "adqa-dev"]
    assert all("audio-reasoning" in one["suites"] for one in facts.values())
    assert facts["mmar"]["source"].startswith("github.com/ddlBoJack/MMAR@")
    assert "suite audio-reasoning: " in call("tasks").out
    for suite in our_suites().values():
        assert set(suite.tasks) <= set(TASKS)


def test_new_task_writes_files_that_run_and_overwrites_none(tmp_path: Path) -> None:
    done = call("new", "task", "bird-calls")
    assert done.code == 0
    assert (tmp_path / "bird-calls" / "bird-calls.toml").is_file()
    assert [line.split("/")[-1] for line in done.out.splitlines() if "bird-calls/" in line][:2] == [
        "bird-calls.toml",
        "questions.jsonl",
    ]
    assert run("--tasks", "bird-calls/bird-calls.toml", "--out", "run")["official"]["accuracy"] == 1
    verified = call("data", "verify", "bird-calls/bird-calls.toml")
    assert verified.out.endswith("problems found: none\n")
    before = (tmp_path / "bird-calls" / "bird-calls.toml").read_bytes()
    (tmp_path / "bird-calls" / "bird-calls.toml").write_bytes(before + b"# mine\n")
    assert "is there already, and is not overwritten" in call("new", "task", "bird-calls").refusal()
    assert (tmp_path / "bird-calls" / "bird-calls.toml").read_bytes() == before + b"# mine\n"


@pytest.mark.parametrize("name", ["a b", "", "../x", "mmar", "ü"])
def test_new_task_refuses_what_is_no_name_of_a_task(name: str) -> None:
    assert f"NAME {name}" in call("new", "task", name).refusal()
    assert list(Path().iterdir()) == []


def test_the_data_of_a_task_file_may_be_fetched_elsewhere(tmp_path: Path) -> None:
    file = write_birds(tmp_path / "own")
    refused = call("data", "pull", file)
    assert refused.code == 0
    assert "birds: own, 3 items in" in refused.out
    write_lines(tmp_path / "own" / "questions.jsonl", [])
    assert "no item in this file" in call("data", "pull", file).refusal()


@pytest.mark.parametrize(("weights", "total"), [("", 1 / 4), ("weights = { Europe = 3, Asia = 1 }", 3 / 8)])
def test_a_total_may_be_the_mean_of_groups(tmp_path: Path, weights: str, total: float) -> None:
    items = [BIRDS[0], {**BIRDS[1], "answer": "Kite"}, {**BIRDS[2], "answer": "yes"}]
    file = write_birds(tmp_path / "own", f"{task_text()}[total]\nby = 'Continent'\n{weights}\n", items)
    score = run("--tasks", file, "--out", tmp_path / "run", model="first")  # right for one of Europe's two
    assert score["total"] == {"by": "Continent", "groups": 2, "accuracy": total}
    assert (
        f"total          {100 * total:.2f} % (the mean over Continent, 2 groups)" in call("score", tmp_path / "run").out
    )


def test_the_board_of_a_task_file_has_its_runs(tmp_path: Path) -> None:
    file = write_birds(tmp_path / "own")
    dtbench.run(lambda text, wav: "(A)", file, out=tmp_path / "runs" / "listener")
    (board,) = json.loads(call("board", "--task", "birds", "--runs", tmp_path / "runs", "--json").out)
    (entry,) = board["entries"]
    assert (entry["rank"], entry["score"], entry["ours"]) == (1, 33.33, True)
    assert "no published scores of it" in call("board", "--task", "owls", "--runs", tmp_path / "runs").refusal()


def test_a_run_names_no_code_where_the_file_of_its_task_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rules_that_go.py").write_text("def one(sample, text):\n    return bool(text)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    file = write_birds(tmp_path / "own", task_text(rule='"rules_that_go:one"'))
    run("--tasks", file, "--out", tmp_path / "run", model="first")
    file.rename(tmp_path / "moved.toml")
    refused = call("score", tmp_path / "run").refusal()
    assert "rules_that_go:one is code, and a task that a data set or a run carries may name none" in refused
    (again,) = json.loads(call("score", tmp_path / "run", "--task-file", tmp_path / "moved.toml", "--json").out)
    assert again["official"]["accuracy"] == 1


def test_the_track_of_the_challenge_takes_no_task_file(tmp_path: Path) -> None:
    words = ("run", "--model", "first", "--tasks", write_birds(tmp_path / "own"), "--track", "single")
    assert "the prompt of the custom task birds cannot be checked" in call(*words).refusal()


def test_a_task_without_a_download_says_what_to_put_where(tmp_path: Path) -> None:
    refused = call("data", "pull", "mmau-pro").refusal()
    assert "mmau-pro: dtbench knows no download for it: put test.parquet, data.zip into " in refused
    assert str(tmp_path / "no-data" / "mmau-pro") in refused
