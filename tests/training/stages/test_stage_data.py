from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from chains import score_batch
from sounds import encoded, sine

from dtbench.harness.core.errors import DataError, UserError
from dtbench.training.data.rows import TrainingRow
from dtbench.training.engines.inside.swift_bridge import RewardPlan
from dtbench.training.recipe.recipe import load_recipe
from dtbench.training.recipe.settings import Recipe, StageRecipe
from dtbench.training.stages.layout import Layout
from dtbench.training.stages.stage_data import engine_question, prepare_stage

HIDDEN = ("answer_text", "the reference chain", "secret-source", "events")


def row(clip: Path, **more: Any) -> dict[str, Any]:
    """A line of training data."""
    told = {"id": "q1", "audio": str(clip), "question": "what is it?", "choices": ["a bell", "answer_text"]}
    return {**told, "answer": "answer_text", "chain": "the reference chain", "source": "secret-source", **more}


def stage_of(recipe: Recipe, *data: str) -> StageRecipe:
    """The first stage on other data."""
    first = recipe.stage[0]
    return StageRecipe(name=first.name, data=data, rewards=first.rewards, steps=1)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.wav"
    path.write_bytes(encoded(sine(440, 0.2, 16000), 16000).data)
    return path


def test_an_engine_is_told_the_question_and_its_options_and_nothing_that_gives_the_answer_away(clip: Path) -> None:
    asked = engine_question(
        TrainingRow("q1", clip, "what is it?", ("a bell", "a horn"), "a horn", "the reference chain", "secret-source"),
        "{question}\n{options}\nthink .",
    )
    assert asked == {
        "messages": [{"role": "user", "content": "<audio>what is it?\n(A) a bell\n(B) a horn\nthink ."}],
        "audios": [str(clip)],
        "row": "q1",
    }


def test_a_system_prompt_stands_before_every_question(tmp_path: Path) -> None:
    recipe, layout = dataclasses.replace(load_recipe("mini"), system=" listen to the audio .\n"), Layout(tmp_path)
    prepare_stage(recipe, dataclasses.replace(recipe.stage[0], questions=3), layout.stage("stage-1"), layout.clips)
    lines = [json.loads(line) for line in layout.stage("stage-1").questions.read_text().splitlines()]
    assert [[message["role"] for message in line["messages"]] for line in lines] == [["system", "user"]] * 3
    assert {line["messages"][0]["content"] for line in lines} == {"listen to the audio ."}


def test_braces_in_a_question_stay_as_they_are(clip: Path) -> None:
    asked = engine_question(
        TrainingRow("q1", clip, "is it {options}?", ("yes {question}", "no"), "no"), "{question} {options}"
    )
    assert asked["messages"] == [
        {"role": "user", "content": "<audio>is it {options}? (A) yes {question}\n(B) no"},
    ]


def test_the_splits_of_mini_become_questions_with_clips_and_rewards_that_know_the_rows(tmp_path: Path) -> None:
    recipe, layout = load_recipe("mini"), Layout(tmp_path)
    stage = dataclasses.replace(recipe.stage[0], questions=20)
    told = prepare_stage(recipe, stage, layout.stage("stage-1"), layout.clips)
    lines = [json.loads(line) for line in layout.stage("stage-1").questions.read_text().splitlines()]
    assert told == ["20 questions to learn from"]
    assert len(lines) == 20
    assert all(Path(audio).is_file() for line in lines for audio in line["audios"])
    plan = RewardPlan.read(layout.stage("stage-1").reward_plan)
    rows = [plan.rows[line["row"]] for line in lines]
    said = [f"<think> {one.chain} </think> {one.answer}" for one in rows]
    values = score_batch(plan.names, rows, said, plan.settings).values
    assert values["accuracy"] == values["format"] == [1.0] * 20
    assert min(values["hybrid"]) > 0.9


def test_rows_of_a_file_come_through_whole(tmp_path: Path, clip: Path) -> None:
    recipe, layout = load_recipe("mini"), Layout(tmp_path / "out")
    data = tmp_path / "rows.jsonl"
    data.write_text(json.dumps(row(Path("clip.wav"), extra={"events": [1]})) + "\n\n")
    told = prepare_stage(recipe, stage_of(recipe, str(data)), layout.stage("stage-1"), layout.clips)
    assert told[0] == "1 questions to learn from"
    assert "overlap: not checked, as their data was not found (`dtbench data pull`): mmar, " in "".join(told)
    kept = RewardPlan.read(layout.stage("stage-1").reward_plan).rows["q1"]
    assert kept == TrainingRow(
        "q1",
        clip.resolve(),
        "what is it?",
        ("a bell", "answer_text"),
        "answer_text",
        "the reference chain",
        "secret-source",
        {"events": [1]},
    )
    seen = layout.stage("stage-1").questions.read_text()
    assert [word for word in HIDDEN if word in seen] == ["answer_text"]  # among the options, where it belongs


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "line 2"),
        (json.dumps({"id": "q2"}), "line 2"),
        ("GONE", "row q2: there is no clip"),
        ("OTHER", "the answer 'a horn' is none of the choices"),
        ("TWICE", "duplicate id 'q1' (first: "),
    ],
)
def test_a_row_that_cannot_be_learnt_from_is_named(tmp_path: Path, clip: Path, line: str, told: str) -> None:
    made = {
        "GONE": row(tmp_path / "gone.wav", id="q2"),
        "OTHER": row(clip, id="q2", answer="a horn"),
        "TWICE": row(clip),
    }
    data = tmp_path / "rows.jsonl"
    data.write_text(json.dumps(row(clip)) + "\n" + (json.dumps(made[line]) if line in made else line) + "\n")
    recipe, layout = load_recipe("mini"), Layout(tmp_path / "out")
    with pytest.raises(DataError) as caught:
        prepare_stage(recipe, stage_of(recipe, str(data)), layout.stage("stage-1"), layout.clips)
    assert told in str(caught.value)


def test_a_file_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    recipe, layout = load_recipe("mini"), Layout(tmp_path)
    with pytest.raises(UserError, match=r"absent\.jsonl: there is no such file"):
        prepare_stage(recipe, stage_of(recipe, "absent.jsonl"), layout.stage("stage-1"), layout.clips)
