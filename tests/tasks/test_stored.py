"""The tasks of a stored run: found by name, defined again by their file, scored again."""

from __future__ import annotations

from pathlib import Path

import own_task
import pytest
from made_up_run import write_run
from small_data import mmar_v2_folder, mmau_json_folder

from dtbench.harness.core.errors import DataError, UserError
from dtbench.harness.store.run_folder import StoredRun
from dtbench.tasks.stored import RescoreOptions, rewrite_run, stored_task, stored_task_name, stored_task_names


@pytest.fixture
def run(tmp_path: Path) -> StoredRun:
    folders = {"mmar": tmp_path / "mmar", "mmau-mini": tmp_path / "mmau-mini"}
    mmar_v2_folder(folders["mmar"])
    mmau_json_folder(folders["mmau-mini"])
    write_run(tmp_path / "run", folders, lambda sample, repeat: sample.answer)
    return StoredRun.open(tmp_path / "run")


def test_every_task_of_a_run_is_named_or_the_one_that_is_asked_for(run: StoredRun) -> None:
    assert stored_task_names(run) == ["mmar", "mmau-mini"]
    assert stored_task_names(run, "mmar") == [stored_task_name(run, "mmar")] == ["mmar"]
    with pytest.raises(UserError, match=r"--task mmsu: not in .*run, which has mmar, mmau-mini\."):
        stored_task_names(run, "mmsu")


def test_where_one_task_is_needed_a_run_of_several_says_which_it_holds(run: StoredRun) -> None:
    with pytest.raises(UserError, match=r"--task is missing: .*run has several tasks; name one of mmar, mmau-mini\."):
        stored_task_name(run, None)


def test_a_run_that_names_no_task_was_changed(run: StoredRun) -> None:
    run.info["tasks"].clear()
    with pytest.raises(DataError, match="it names no task"):
        stored_task_names(run)


def test_a_task_of_the_users_own_is_defined_by_the_file_of_then_or_the_one_named_now(run: StoredRun) -> None:
    run.info["tasks"]["birds"] = run.info["tasks"].pop("mmar")
    with pytest.raises(UserError, match=r"unknown task 'birds': name the file .* --task-file\."):
        stored_task(run, "birds")
    file = Path(own_task.__file__)
    assert stored_task(run, "birds", file).task.name == "birds"
    run.info["tasks"]["birds"]["task_file"] = str(file)
    assert stored_task(run, "birds").task.name == "birds"


def test_scoring_again_changes_the_summary_of_the_tasks_that_are_asked_for_alone(run: StoredRun) -> None:
    (mmar,) = rewrite_run(run.path, RescoreOptions(only="mmar"))
    assert mmar.summary["strict"]["accuracy"] == 1.0
    assert '"mmar"' in (run.path / "summary.json").read_text()
    assert '"mmau-mini"' not in (run.path / "summary.json").read_text()
    rewrite_run(run.path)
    assert '"mmau-mini"' in (run.path / "summary.json").read_text()
