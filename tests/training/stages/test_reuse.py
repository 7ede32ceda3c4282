from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from trainer import model_in_the_box
from trainings import Skill, made_up_recipe, write_base, write_training

from dtbench.harness.core.errors import UserError
from dtbench.training.recipe.settings import Recipe
from dtbench.training.stages import state
from dtbench.training.stages.layout import Layout
from dtbench.training.stages.reuse import reuse_run


def recipe_of(arm: str | None = None, seed: int = 0) -> Recipe:
    """Of a checkpoint that is not here: made-up runs have no weights."""
    return dataclasses.replace(made_up_recipe(arm, seed), model="org/model")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("finished")
    write_base(root / "base", recipe_of())
    made = write_training(root / "run", recipe_of(), root / "base", Skill(0.7, "full"), Skill(0.9, "full"))
    (made.stage("stage-1").root / "engine" / "checkpoint-60").mkdir(parents=True)
    made.stage("stage-1").metrics.write_text('{"step": 1}\n')
    return made.root


def taken(recipe: Recipe, folder: Path, other: Path) -> tuple[list[str], state.TrainingState]:
    """What a new run in this folder takes, and how far it is then."""
    layout = Layout(folder)
    layout.root.mkdir(parents=True, exist_ok=True)
    opened = state.open_state(layout.state, recipe)
    lines = reuse_run(recipe, layout, opened, other)
    opened.write()
    return [line.partition(":")[0] for line in lines], state.read_state(layout.state)


@pytest.mark.parametrize(
    ("arm", "seed", "expected"),
    [
        (None, 0, ["base", "stage-1", "stage-2"]),
        ("long-stage-1", 0, ["base", "stage-1"]),
        ("hybrid", 0, ["base", "stage-1"]),
        ("accuracy-only", 0, ["base"]),
        (None, 1, ["base"]),
    ],
)
def test_what_would_come_out_the_same_is_taken_and_nothing_else(
    finished: Path, tmp_path: Path, arm: str | None, seed: int, expected: list[str]
) -> None:
    names, after = taken(recipe_of(arm, seed), tmp_path / "run", finished)
    assert names == expected
    assert after.base == state.DONE
    assert [name for name, reached in after.stages.items() if reached == state.DONE] == expected[1:]
    assert after.starts[-1]["reused"] == [f"{name}: reused from {finished}" for name in expected]
    folders = {path.name for path in (tmp_path / "run").iterdir() if path.is_dir()}
    assert folders == set(expected)
    answers = Path("base/eval/mini.jsonl")
    assert (tmp_path / "run" / answers).read_bytes() == (finished / answers).read_bytes()
    if "stage-1" in expected:
        assert (tmp_path / "run" / "stage-1" / "metrics.jsonl").is_file()
        assert not list((tmp_path / "run" / "stage-1" / "engine").iterdir())


def test_a_stage_whose_checkpoints_were_deleted_is_taken_without_the_link_to_the_last(
    finished: Path, tmp_path: Path
) -> None:
    engine = finished / "stage-1" / "engine"
    link = engine / "last-checkpoint"
    link.symlink_to("checkpoint-that-was-deleted")
    names, _ = taken(recipe_of("hybrid"), tmp_path / "run", finished)
    link.unlink()
    assert names == ["base", "stage-1"]


def test_a_figure_of_training_may_stand_with_the_recipe_or_with_the_stage(finished: Path, tmp_path: Path) -> None:
    recipe = recipe_of()
    first, second = recipe.stage
    rate = recipe.training.learning_rate
    other = dataclasses.replace(
        recipe,
        training=dataclasses.replace(recipe.training, learning_rate=2 * rate),
        stage=(dataclasses.replace(first, training={**first.training, "learning_rate": rate}), second),
    )
    assert taken(other, tmp_path / "run", finished)[0] == ["base", "stage-1"]


def test_what_was_begun_here_stays_and_a_second_start_takes_nothing(finished: Path, tmp_path: Path) -> None:
    begun = tmp_path / "run" / "stage-1" / "questions.jsonl"
    begun.parent.mkdir(parents=True)
    begun.write_text("mine")
    names, _ = taken(recipe_of("hybrid"), tmp_path / "run", finished)
    assert names == ["base"]
    assert begun.read_text() == "mine"
    names, after = taken(recipe_of("hybrid"), tmp_path / "run", finished)
    assert names == []
    assert len(after.starts) == 2


def test_a_stage_that_was_not_finished_is_not_taken(finished: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write_base(tmp_path / "base", recipe_of())
    write_training(other, recipe_of(), tmp_path / "base", Skill(0.7, "full"), Skill(0.9, "full"))
    held = state.read_state(other / "train.json")
    held.set("stage-1", state.TRAINED)
    assert taken(recipe_of(), tmp_path / "run", other)[0] == ["base"]


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (dataclasses.replace(recipe_of(), model="org/other"), r"nothing can be reused, as model differ\."),
        (
            dataclasses.replace(recipe_of(), prompt="{question} {options}"),
            r"nothing can be reused, as prompt differ\.",
        ),
        (dataclasses.replace(recipe_of(), system="listen ."), r"nothing can be reused, as system differ\."),
    ],
    ids=["model", "prompt", "system"],
)
def test_another_base_is_refused_in_one_line(finished: Path, tmp_path: Path, other: Recipe, told: str) -> None:
    with pytest.raises(UserError, match=told):
        taken(other, tmp_path / "run", finished)
    assert not (tmp_path / "run" / "base").exists()


def test_other_weights_under_the_same_name_are_refused(finished: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "config.json").write_text('{"architectures": ["Qwen2AudioForConditionalGeneration"]}')
    other = tmp_path / "other"
    here = dataclasses.replace(recipe_of(), model=str(weights))
    write_base(tmp_path / "base", here)
    write_training(other, here, tmp_path / "base", Skill(0.7, "full"), Skill(0.9, "full"))
    with pytest.raises(UserError, match="it started from other weights of"):
        taken(here, tmp_path / "run", other)


def test_the_bundled_model_of_another_copy_of_dtbench_is_the_same_base(finished: Path, tmp_path: Path) -> None:
    here = dataclasses.replace(recipe_of(), model=str(model_in_the_box()))
    other = tmp_path / "other"
    write_base(tmp_path / "base", here)
    write_training(other, here, tmp_path / "base", Skill(0.7, "full"), Skill(0.9, "full"))
    held = state.read_state(other / "train.json")
    assert held.recipe["model"] == "mini"
    held.recipe = {**held.recipe, "model": "/gone/models/mini/checkpoint"}
    held.write()
    with pytest.raises(UserError, match="it started from other weights of"):  # those of a made-up base
        taken(here, tmp_path / "run", other)


def test_what_is_no_finished_training_is_refused(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"not a training: there is no train\.json in it"):
        taken(recipe_of(), tmp_path / "run", tmp_path)
    with pytest.raises(UserError, match="this is --out itself"):
        taken(recipe_of(), finished, finished)
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    state.open_state(unfinished / "train.json", recipe_of()).write()
    assert json.loads((unfinished / "train.json").read_text())["base"] == state.WAITING
    with pytest.raises(UserError, match="its base is not evaluated yet"):
        taken(recipe_of(), tmp_path / "run", unfinished)
