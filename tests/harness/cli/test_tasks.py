"""`dtbench tasks` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import call, process
from packages import install

from dtbench.tasks.registry import TASKS

OWN_TASK = Path(__file__).resolve().parents[2] / "support" / "own_task.py"


@pytest.mark.parametrize("columns", ["80", "60", "200"])
def test_every_task_is_shown_whole_at_any_width(columns: str) -> None:
    done = process("tasks", COLUMNS=columns)
    assert (done.code, done.err) == (0, "")
    assert "…" not in done.out
    assert max(map(len, done.out.splitlines())) <= int(columns)
    words = " ".join(line.split("│")[2].strip() for line in done.out.splitlines() if line.startswith("│"))
    names = [line.split("│")[1].strip() for line in done.out.splitlines() if line.startswith("│")]
    assert [name for name in names if name] == list(TASKS)
    for fact in ("answer_prediction", "model_output", "versions of the script: 2026, 2025", "answers withheld"):
        assert fact in words


def test_the_machine_form_holds_what_is_known_of_each() -> None:
    tasks = {facts["name"]: facts for facts in json.loads(call("tasks", "--json").out)}
    assert list(tasks) == list(TASKS)
    assert tasks["mmsu"]["scorers"] == ["2026", "2025"]
    assert tasks["mmsu"]["groups"] == [["category", "sub-category"], ["category"]]
    assert (tasks["mmar"]["items"], tasks["mmar"]["prediction_keys"][0]) == (1000, "answer_prediction")
    assert [name for name, facts in tasks.items() if not facts["answers_public"]] == ["mmau-test", "adqa-bench"]


def test_one_task_can_be_asked_for_by_name_or_by_file() -> None:
    assert [facts["name"] for facts in json.loads(call("tasks", "mmar", "--json").out)] == ["mmar"]
    (own,) = json.loads(call("tasks", "--task-file", OWN_TASK, "--json").out)
    assert (own["name"], own["items"], own["licence"]) == ("birds", None, "")
    assert "birds" in call("tasks", "--task-file", OWN_TASK).out
    assert "unknown task 'mmau'. Did you mean mmau-mini or mmau-test" in call("tasks", "mmau").refusal()
    assert "defines the task 'birds'" in call("tasks", "mmar", "--task-file", OWN_TASK).refusal()


def test_installed_packages_are_listed_and_a_broken_one_hides_no_other(tmp_path: Path) -> None:
    install(tmp_path, "dtbench-birds", {"birds": "dtbench_birds:Birds"}, OWN_TASK.read_text())
    install(tmp_path, "dtbench-broken", {"broken": "dtbench_broken:Gone"}, "raise OSError('no\\nluck')")
    done = process("tasks", PYTHONPATH=str(tmp_path), COLUMNS="80")
    assert (done.code, done.err) == (0, "")
    assert "│ birds" in done.out
    last = done.out.splitlines()[-1]
    assert last.startswith("broken cannot be used: dtbench_broken: importing it failed with OSError: no luck")
    *_, birds, broken = json.loads(process("tasks", "--json", PYTHONPATH=str(tmp_path)).out)
    assert birds["name"] == "birds"
    assert list(broken) == ["name", "error"]
    assert "OSError: no luck" in process("tasks", "broken", PYTHONPATH=str(tmp_path)).refusal(code=3)
