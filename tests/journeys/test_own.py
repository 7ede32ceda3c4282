"""docs/journeys/own.md: a benchmark and a family of one's own, and three runs compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from chat_server import chatting
from journeys import Walked, page, unmarked, walk
from listeners import listener

PAGE = page("own")


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Walked:
    with chatting(choose=listener("reason"), models=("my-model",)) as chat:
        walked = walk(PAGE, tmp_path_factory.mktemp("own"), MODEL_URL=chat.url)
        assert len(chat.asked) == 40, "the trial's ten questions are not asked again"
    return walked


def summary(run: Path) -> dict[str, float]:
    (task,) = json.loads((run / "summary.json").read_text())["tasks"]
    shares = {column["column"]: column["strict"] for column in task["paper"]}
    return shares | {"n": task["n"], "chains": task["chains"]["n"]}


def test_the_right_answers_score_all_and_a_model_that_listens_too(walked: Walked) -> None:
    assert summary(walked.folder / "runs" / "gold") == {"Avg": 1.0, "crow": 1.0, "jay": 1.0, "n": 40, "chains": 0}
    assert summary(walked.folder / "runs" / "mine") == {"Avg": 1.0, "crow": 1.0, "jay": 1.0, "n": 40, "chains": 40}


def test_three_runs_are_compared_with_the_first_and_the_other_prompt_is_named(walked: Walked) -> None:
    assert "calls, official: runs/majority -> runs/random, 40 questions in common" in walked.out
    assert "calls, official: runs/majority -> runs/mine, 40 questions in common" in walked.out
    between = walked.out.partition("runs/majority -> runs/random")[2].partition("runs/majority -> runs/mine")[0]
    assert "UNFAIR    prompt differs: " in between, "above the figures, as it says how to take them"
    assert "my-model" in (walked.folder / "report.html").read_text()


def test_the_sweep_has_a_run_of_each(walked: Walked) -> None:
    names = {path.parent.name for path in (walked.folder / "runs" / "sweep").glob("*/summary.json")}
    assert names == {"first", "majority", "random"}


def test_what_is_not_executed_says_what_it_needs() -> None:
    assert unmarked(PAGE) == []
