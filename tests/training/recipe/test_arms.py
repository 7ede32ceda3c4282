from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from command import call

from dtbench.harness.core.errors import UserError
from dtbench.training.recipe.recipe import RECIPES, load_recipe, recipe_names, stored_recipe
from dtbench.training.stages import state

ARMS = ("long-stage-1", "hybrid", "accuracy-only", "format-accuracy")
TINY = """
[[arm]]
name = "tiny"
[[arm.stage]]
extends = "stage-1"
steps = 2
"""


def with_arms(tmp_path: Path, text: str) -> str:
    """The recipe mini with these arms in place of its own."""
    own = (RECIPES / "mini.toml").read_text().partition("[[arm]]")[0]
    path = tmp_path / "own.toml"
    path.write_text(own + text)
    return str(path)


def test_an_arm_replaces_the_stages_and_nothing_else() -> None:
    plain = load_recipe("mini")
    for arm in ARMS:
        found = load_recipe("mini", arm)
        assert found.arm == arm
        assert dataclasses.replace(found, arm=None, stage=plain.stage) == plain


def test_the_long_first_stage_takes_as_many_steps_as_both_on_the_first_data_alone() -> None:
    plain, long = load_recipe("mini"), load_recipe("mini", "long-stage-1")
    assert [stage.steps for stage in long.stage] == [stage.steps for stage in plain.stage]
    assert [(stage.data, stage.rewards) for stage in long.stage] == [(plain.stage[0].data, plain.stage[0].rewards)] * 2
    assert long.stage[1].seed_offset


def test_ablations_differ_from_the_first_stage_in_their_rewards_alone() -> None:
    first = load_recipe("mini").stage[0]
    stages = [stage for arm in ARMS[1:] for stage in load_recipe("mini", arm).stage]
    assert [stage.rewards for stage in stages] == [first.rewards, {"accuracy": 1}, {"accuracy": 1, "format": 1}]
    assert [dataclasses.replace(stage, rewards=first.rewards) for stage in stages] == [first] * 3


def test_what_an_arm_does_not_say_is_as_in_the_stage_it_is_like(tmp_path: Path) -> None:
    text = TINY.replace("steps = 2", 'epochs = 0.5\ntraining = { beta = 0.5 }\nname = "short"')
    (stage,) = load_recipe(with_arms(tmp_path, text), "tiny").stage
    first = load_recipe("mini").stage[0]
    assert stage == dataclasses.replace(first, name="short", steps=None, epochs=0.5, training={"beta": 0.5})


def test_a_stage_in_another_order_is_drawn_with_another_seed(tmp_path: Path) -> None:
    told = [
        call("train", "mini", "--arm", arm, "--out", tmp_path / "run", "--dry-run", "--seed", "3") for arm in ARMS[:2]
    ]
    seeds = [[line.split()[1] for line in done.out.splitlines() if "--seed " in line] for done in told]
    assert seeds == [["3", "1003"], ["3"]]
    assert f"--output_dir {tmp_path}/run/more-of-stage-1/engine" in told[0].out


def test_an_unknown_arm_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    told = call("train", "mini", "--arm", "acuracy", "--out", tmp_path / "run").refusal()
    assert (
        "--arm acuracy: the recipe mini has no such arm. Did you mean accuracy-only or format-accuracy? Known: " in told
    )
    none = call("train", "qwen2.5-omni-7b", "--arm", "hybrid", "--out", tmp_path / "run").refusal()
    assert "the recipe qwen2.5-omni-7b has no such arm. It has none: leave --arm out." in none
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (
            'extends = "stage-1"',
            'extends = "stage1"',
            "arm tiny: extends = 'stage1': the recipe has no such stage. Did you mean stage-1",
        ),
        ('extends = "stage-1"', "", "own.toml: arm tiny: stage: name is missing; add it."),
        ("extends", "like", "arm tiny: stage: unknown setting 'like'. It is called extends now."),
        ("steps = 2", "stepz = 2", "own.toml: arm tiny: stage: unknown setting 'stepz'. Did you mean steps"),
        ("steps = 2", "steps = 2\nepochs = 1", "arm tiny: stage stage-1: either steps or epochs is expected."),
        ('name = "tiny"', 'name = "../x"', "own.toml: arm '../x': a name such as 'accuracy-only' is expected."),
        ('name = "tiny"', "", "own.toml: arm None: a name such as 'accuracy-only' is expected"),
        ('name = "tiny"', 'name = "tiny"\nbeta = 1', "own.toml: arm tiny: unknown setting 'beta'."),
        (
            '[[arm.stage]]\nextends = "stage-1"\nsteps = 2',
            "",
            "own.toml: arm tiny: at least one [[arm.stage]] is expected.",
        ),
        ("steps = 2", f"steps = 2\n{TINY}", "own.toml: arm 'tiny': a name such as 'accuracy-only' is expected"),
        (TINY, '\n[arm]\nname = "tiny"', "own.toml: arm: tables are expected, each with a name: [[arm]]."),
    ],
)
def test_a_mistake_in_an_arm_is_one_clear_line_whichever_arm_is_asked_for(
    tmp_path: Path, before: str, after: str, told: str
) -> None:
    assert before in TINY
    with pytest.raises(UserError) as caught:
        load_recipe(with_arms(tmp_path, TINY.replace(before, after)))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_notes_its_arm_and_is_not_gone_on_with_by_another(tmp_path: Path) -> None:
    path = tmp_path / "train.json"
    state.open_state(path, load_recipe("mini", "accuracy-only")).write()
    assert json.loads(path.read_text())["recipe"]["arm"] == "accuracy-only"
    assert len(state.open_state(path, load_recipe("mini", "accuracy-only")).starts) == 2
    for arm in (None, "hybrid"):
        with pytest.raises(UserError, match="holds a training with another recipe: arm, "):
            state.open_state(path, load_recipe("mini", arm))


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_is_read_back_from_what_a_run_keeps_of_it(name: str) -> None:
    for arm in (None, *(ARMS if name == "mini" else ())):
        found = load_recipe(name, arm)
        assert stored_recipe(json.loads(json.dumps(found.plain()))) == found
