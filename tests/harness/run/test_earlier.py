"""From which earlier run a new one is expected, and what is expected of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from made_up_run import answered, failed
from run_records import SETTINGS, TASK, changed

from dtbench.harness.core.schema import Sample
from dtbench.harness.run.earlier import EarlierTask, closest, earlier_tasks
from dtbench.harness.score.summary import summarise
from dtbench.harness.store.run_folder import RunFolder
from dtbench.harness.store.summary_types import TaskSummary
from dtbench.harness.store.types import RunInfo
from dtbench.tasks.mmar import Mmar

TASKS = {"mmar": "letter", "mmsu": "letter", "mini": "free"}


def a_task(name: str, run: str = "runs/one", *, answers: int = 10, concurrency: int = 4) -> EarlierTask:
    info = {"tasks": {task: {"answer": answer} for task, answer in TASKS.items()}}
    tokens = {"in": 100 * answers, "out": None}
    summary = {"task": name, "n": answers + 3, "missing": 1, "failed": 2, "tokens": tokens, "seconds": {"total": 40.0}}
    endpoint = {"endpoint": {"concurrency": concurrency}}
    return EarlierTask(Path(run), cast("RunInfo", {**info, **endpoint}), cast("TaskSummary", summary))


@pytest.mark.parametrize(
    ("there", "task", "answer", "run"),
    [
        ([("mini", "a"), ("mmar", "b")], "mmar", "letter", "b"),
        ([("mmsu", "a"), ("mmar", "b")], "mmar", "letter", "b"),
        ([("mmar", "a"), ("mini", "b")], "mmar", "free", "b"),
        ([("mini", "a"), ("mmsu", "b")], "mmar", "letter", "b"),
        ([("mmar", "a"), ("mmar", "b")], "mmar", "letter", "a"),
        ([("mmsu", "a"), ("mini", "b")], "mmar", "forced", "a"),
        ([], "mmar", "letter", None),
    ],
)
def test_the_style_of_answer_decides_then_the_task_then_which_was_last(
    there: Sequence[tuple[str, str]], task: str, answer: str, run: str | None
) -> None:
    found = closest([a_task(*one) for one in there], task, answer)
    assert (None if found is None else str(found.run)) == run


@pytest.mark.parametrize(("answers", "concurrency", "seconds"), [(10, 4, 20.0), (2, 4, 200.0), (10, 0, 8.0)])
def test_what_is_left_takes_its_share_of_tokens_and_of_time_at_once(
    answers: int, concurrency: int, seconds: float
) -> None:
    expected = a_task("mmar", answers=answers, concurrency=concurrency).expect(20)
    assert expected == {
        "answers": 20,
        "tokens_in": 2000,
        "tokens_out": None,
        "seconds": seconds,
        "run": "runs/one",
        "task": "mmar",
    }


def write_earlier(folder: Path, end: str, settings: dict[str, Any] | None = None, *, answers: int = 5) -> None:
    task = Mmar()
    asked = [Sample(f"{n}", "Which?", ("crow", "jay"), "crow", Path("clip")) for n in range(5)]
    records = [answered(task, one, "crow") if n < answers else failed(one) for n, one in enumerate(asked)]
    with RunFolder.start(folder, settings or SETTINGS) as run:
        one = {**summarise(task, records, expected=5), "task": TASK}
        run.write_summary({"run": str(folder), "status": "done", "tasks": [one]})
        run.finish("done")
    info = json.loads((folder / "run.json").read_text())
    info["starts"][0]["end"] = info["end"] = end
    (folder / "run.json").write_text(json.dumps(info))


def test_runs_of_the_same_model_are_found_the_last_first_and_no_others(tmp_path: Path) -> None:
    write_earlier(tmp_path / "older", "2026-01-01T00:00:00+00:00")
    write_earlier(tmp_path / "in" / "newer", "2026-03-01T00:00:00+00:00", answers=4)
    write_earlier(tmp_path / "between", "2026-02-01T00:00:00+00:00")
    write_earlier(tmp_path / "unanswered", "2026-04-01T00:00:00+00:00", answers=0)
    write_earlier(tmp_path / "other", "2026-05-01T00:00:00+00:00", changed(model={"name": "other", "model": "other"}))
    write_earlier(tmp_path / "damaged", "2026-06-01T00:00:00+00:00")
    (tmp_path / "damaged" / "run.json").write_text("{")
    model = json.loads((tmp_path / "older" / "run.json").read_text())["model"]
    found = earlier_tasks([tmp_path, tmp_path / "in"], model)
    assert [(one.run.name, one.answers) for one in found] == [("newer", 4), ("between", 5), ("older", 5)]
