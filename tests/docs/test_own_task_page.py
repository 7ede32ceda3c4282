"""docs/own-task.md: a newcomer's own task, from nothing to a comparison, by the page alone."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from journeys import ROOT, Walked, unmarked, walk

from dtbench.tasks.declared.definition import FIELDS, SourceTable, TaskTable
from dtbench.tasks.declared.field_rules import FieldRule

PAGE = ROOT / "docs" / "own-task.md"
OF_THE_FILE = {"fields", "groups", "question", "score", "column", "grouping"}


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Walked:
    return walk(PAGE, tmp_path_factory.mktemp("own-task"))


def official(run: Path) -> list[tuple[str, int, float]]:
    tasks = json.loads((run / "summary.json").read_text())["tasks"]
    return [(one["task"], one["n"], one["official"]["accuracy"]) for one in tasks]


def test_right_answers_score_full_marks(walked: Walked) -> None:
    runs = walked.folder / "runs"
    assert official(runs / "gold") == [("bird-calls", 3, 1)]
    assert official(runs / "birds-gold") == [("birds", 20, 1)]
    assert official(runs / "suite") == [("birds", 20, 1), ("bird-calls", 3, 1)]
    assert official(runs / "birds-random")[0][2] < 1


def test_the_data_is_whole_and_the_runs_are_compared_and_passed_on(walked: Walked) -> None:
    assert "clips: 20 decoded" in walked.out
    assert "problems found: none" in walked.out
    assert "birds, official: runs/birds-random -> runs/birds-gold, 20 questions in common" in walked.out
    assert (walked.folder / "report.html").read_text().startswith("<!doctype html>")
    predictions = [json.loads(line) for line in (walked.folder / "predictions.jsonl").read_text().splitlines()]
    assert [line["id"] for line in predictions] == [f"bird-{number}" for number in range(20)]
    assert {line["prediction"] for line in predictions} == {"once", "twice"}


def test_the_task_file_of_the_page_has_at_most_twenty_lines() -> None:
    (text,) = re.findall(r"`birds.toml`:\n\n```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len([line for line in text.splitlines() if line]) <= 20
    assert tomllib.loads(text)["name"] == "birds"


def test_the_page_names_every_key(walked: Walked) -> None:
    text = PAGE.read_text()
    keys = [*TaskTable.__dataclass_fields__, *SourceTable.__dataclass_fields__, *FieldRule.__dataclass_fields__]
    named = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`\n]+)`", text))))
    assert {*keys, *OF_THE_FILE, *FIELDS} - named == set()


def test_what_is_not_executed_says_what_it_needs() -> None:
    assert unmarked(PAGE) == []
