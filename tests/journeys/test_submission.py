"""docs/journeys/submission.md: from a served adapter to the challenge's file, on a made-up MMAR."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from chat_server import Chat, chatting
from journeys import Walked, page, unmarked, walk
from judges import honest, with_criteria
from listeners import listener
from runs import audible_data, records

PAGE = page("submission")
QUESTIONS = 40


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    with_criteria(folder / "mmar", audible_data(folder / "mmar", QUESTIONS))
    return folder


@pytest.fixture(scope="module")
def walked(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Walked, Chat, Chat]:
    with (
        chatting(choose=listener(deaf_in=4), models=("base", "my-lora")) as model,
        chatting(choose=honest, models=("judge",)) as judge,
    ):
        folder = tmp_path_factory.mktemp("submission")
        urls = {"MODEL_URL": model.url, "JUDGE_URL": judge.url}
        return walk(PAGE, folder, **urls, DTBENCH_DATA=str(data)), model, judge


def test_the_file_holds_the_chain_and_the_answer_of_every_question(walked: tuple[Walked, Chat, Chat]) -> None:
    with zipfile.ZipFile(walked[0].folder / "arc.zip") as archive:
        (name,) = archive.namelist()
        lines = [json.loads(line) for line in archive.read(name).splitlines()]
    assert name == "result.jsonl"
    assert len(lines) == QUESTIONS
    assert all(line["thinking_prediction"] and line["answer_prediction"] for line in lines)


def test_the_trial_is_part_of_the_run_and_nothing_is_asked_twice(walked: tuple[Walked, Chat, Chat]) -> None:
    _, model, judge = walked
    asked = Counter(request.json()["model"] for request in model.asked)
    assert asked == {"base": 10, "my-lora": 2 * QUESTIONS}, "all questions once, and once with another clip"
    right = sum(record["score"]["correct"] is True for record in records(walked[0].folder / "runs" / "my-lora"))
    assert len(judge.asked) == 5 * right


def test_what_is_left_without_the_clip_is_shown(walked: tuple[Walked, Chat, Chat]) -> None:
    assert "points come from the clip" in walked[0].out


def test_what_is_not_executed_says_what_it_needs() -> None:
    assert unmarked(PAGE) == []
