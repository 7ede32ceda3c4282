"""A stage may change how its rewards are computed, so that an arm can have a grader of its own."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from dtbench.harness.core.errors import UserError
from dtbench.training.engines.inside.swift_bridge import RewardPlan
from dtbench.training.engines.inside.swift_rewards import rewards_of_plan
from dtbench.training.engines.judge_server import needs_judge
from dtbench.training.recipe.recipe import RECIPES, load_recipe, override, stored_recipe
from dtbench.training.recipe.settings import Recipe
from dtbench.training.stages.judge import judge_url, plan_settings
from dtbench.training.stages.layout import Layout
from dtbench.training.stages.preflight import check_rewards

ARMS = """
[[arm]]
name = "noisy"
[[arm.stage]]
extends = "stage-1"
reward_settings = { grader_noise = 0.2 }
[[arm]]
name = "hackable"
[[arm.stage]]
extends = "stage-2"
reward_settings = { evaluator = "word count", embedding_weight = 0.25 }
[[arm]]
name = "random"
[[arm.stage]]
extends = "stage-1"
rewards = { random = 1 }
[[arm]]
name = "constant"
[[arm.stage]]
extends = "stage-1"
rewards = { constant = 1 }
"""


def recipe_of(tmp_path: Path, arm: str, arms: str = ARMS) -> Recipe:
    """An arm of mini with these arms in place of its own."""
    path = tmp_path / "own.toml"
    text = (RECIPES / "mini.toml").read_text().partition("[[arm]]")[0]
    path.write_text(text.replace('mine = { from = "stage-1"', 'mine = { from = "base"') + arms)
    return load_recipe(str(path), arm)


def test_an_arm_has_a_grader_of_its_own_and_all_else_as_the_recipe_has_it(tmp_path: Path) -> None:
    noisy, hackable = recipe_of(tmp_path, "noisy"), recipe_of(tmp_path, "hackable")
    plain = load_recipe("mini").rewards
    assert noisy.rewards == hackable.rewards == plain
    assert noisy.rewards_of(noisy.stage[0]) == dataclasses.replace(plain, grader_noise=0.2)
    changed = dataclasses.replace(plain, evaluator="word count", embedding_weight=0.25)
    assert hackable.rewards_of(hackable.stage[0]) == changed
    for found in (noisy, hackable, recipe_of(tmp_path, "random"), recipe_of(tmp_path, "constant")):
        check_rewards(found)
        assert stored_recipe(json.loads(json.dumps(found.plain()))) == found


def test_a_training_that_was_begun_before_stages_could_do_so_goes_on() -> None:
    found = load_recipe("mini")
    plain = json.loads(json.dumps(found.plain()))
    del plain["rewards"]["grader_noise"]
    for stage in plain["stage"]:
        del stage["reward_settings"]
    assert stored_recipe(plain) == found


def test_the_engine_gets_the_settings_of_the_stage_and_the_seed_of_the_training(tmp_path: Path) -> None:
    noisy = override(recipe_of(tmp_path, "noisy"), model=None, seed=5)
    stage, layout = noisy.stage[0], Layout(tmp_path).stage("stage-1")
    RewardPlan(
        list(stage.rewards), plan_settings(noisy, stage, layout), {}, layout.reward_counts, (), noisy.seed
    ).write(tmp_path / "plan.json")
    with rewards_of_plan(RewardPlan.read(tmp_path / "plan.json")) as rewards:
        assert (rewards.settings, rewards.seed) == (noisy.rewards_of(stage), 5)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{ grader_nose = 0.2 }", "reward_settings: unknown setting 'grader_nose'. Did you mean grader_noise"),
        ('{ task = "mini" }', "own.toml: arm noisy: stage stage-1: reward_settings: unknown setting 'task'."),
        ("{ grader_noise = 2 }", "reward_settings: grader_noise = 2: 0 to 1 is expected."),
        ('{ evaluator = "gpt" }', "stage stage-1: reward_settings: rewards: evaluator = 'gpt': a URL, 'judge', "),
        ('{ evaluator = "judge" }', "evaluator = 'judge': the recipe has no table [judge]"),
        (
            '{ evaluator = "word count" }\nrewards = { accuracy = 1, format = 1 }',
            "stage stage-1: reward_settings: evaluator = 'word count': no reward of the stage asks the evaluator",
        ),
        (
            "{ grader_noise = 0.2 }\nrewards = { accuracy = 1, consistency = 1 }",
            "reward_settings: grader_noise = 0.2: no reward of the stage asks the evaluator: leave it out",
        ),
    ],
)
def test_a_mistake_in_what_a_stage_changes_is_one_line(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        recipe_of(tmp_path, "noisy", ARMS.replace("{ grader_noise = 0.2 }", line))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_judge_is_needed_by_the_stages_that_ask_it_and_by_no_others() -> None:
    recipe = load_recipe("qwen3-omni-30b")
    own = dataclasses.replace(recipe.stage[0], reward_settings={"evaluator": "http://h:1/v1"})
    mixed = dataclasses.replace(recipe, stage=(own, *recipe.stage[1:]))
    assert [needs_judge(mixed, stage) for stage in mixed.stage] == [False, True]
    plain = dataclasses.replace(mixed, rewards=dataclasses.replace(mixed.rewards, evaluator="http://h:1/v1"))
    with pytest.raises(UserError, match="names its evaluator itself"):
        judge_url(plain, "http://h:2/v1")
    judged = dataclasses.replace(plain.stage[0], reward_settings={"evaluator": "judge"})
    assert judge_url(dataclasses.replace(plain, stage=(judged,)), "h:8100/v1") == "http://h:8100/v1"
