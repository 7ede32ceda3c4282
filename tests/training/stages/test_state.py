from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from trainer import model_in_the_box

from dtbench.harness.core.errors import DataError, UserError
from dtbench.training.recipe.recipe import load_recipe, override
from dtbench.training.stages.state import DONE, PREPARED, TRAINED, open_state

RECIPE = load_recipe("mini")


def test_what_is_finished_is_known_to_the_next_start(tmp_path: Path) -> None:
    first = open_state(tmp_path / "train.json", RECIPE)
    first.set_base(DONE)
    first.set("stage-1", TRAINED)
    second = open_state(tmp_path / "train.json", RECIPE)
    assert second.base == DONE
    assert second.reached("stage-1", PREPARED)
    assert second.reached("stage-1", TRAINED)
    assert not second.reached("stage-1", DONE)
    assert not second.reached("stage-2", PREPARED)
    assert len(second.starts) == 2


def test_the_file_names_each_stage_and_its_state_in_order(tmp_path: Path) -> None:
    open_state(tmp_path / "train.json", RECIPE).set("stage-1", DONE)
    held = json.loads((tmp_path / "train.json").read_text())
    assert held["stages"] == [{"name": "stage-1", "state": "done"}, {"name": "stage-2", "state": "waiting"}]
    assert held["recipe"]["training"]["beta"] == 0.001


def test_another_recipe_in_the_same_folder_is_refused_with_what_differs(tmp_path: Path) -> None:
    open_state(tmp_path / "train.json", RECIPE).write()
    other = dataclasses.replace(RECIPE, seed=7, training=dataclasses.replace(RECIPE.training, beta=0.5))
    with pytest.raises(UserError, match=r"holds a training with another recipe: seed, training\.beta differ"):
        open_state(tmp_path / "train.json", other)


def test_the_bundled_model_is_the_same_wherever_dtbench_lies(tmp_path: Path) -> None:
    path, here = tmp_path / "train.json", override(RECIPE, model=None, seed=None)
    elsewhere = tmp_path / "models" / "mini" / "checkpoint"
    assert here.model == str(model_in_the_box())

    def stored_by_path(model: Path) -> None:  # as dtbench did before
        plain = {**here.plain(), "model": str(model)}
        path.write_text(json.dumps({"schema": 2, "recipe": plain, "base": DONE, "stages": [], "starts": []}))

    open_state(path, here).write()
    assert json.loads(path.read_text())["recipe"]["model"] == "mini"
    stored_by_path(elsewhere)
    open_state(path, here).write()
    assert json.loads(path.read_text())["recipe"]["model"] == "mini"
    shutil.copytree(here.model, elsewhere)
    stored_by_path(elsewhere)
    assert open_state(path, here).base == DONE
    (elsewhere / "generation_config.json").write_text("{}")
    with pytest.raises(UserError, match="holds a training with another recipe: model differ"):
        open_state(path, here)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "not the state of a training"),
        ('{"schema": 2}', "not the state of a training"),
        ('{"schema": 9, "stages": []}', "written by a newer dtbench"),
        ('{"schema": 1, "stages": []}', r"written by an older dtbench \(schema 1\), whose settings had other names"),
        (
            '{"schema": 2, "recipe": {}, "base": "done", "starts": [], "stages": [{"name": "a", "state": "odd"}]}',
            "unknown state 'odd'",
        ),
    ],
)
def test_a_damaged_state_is_one_clear_line(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "train.json").write_text(content)
    with pytest.raises(DataError, match=told):
        open_state(tmp_path / "train.json", RECIPE)
