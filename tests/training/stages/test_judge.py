"""The evaluator of a recipe has an address before anything starts, and its verdicts outlive it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from chains import GOOD, ROW, completion
from chat_server import Turn, chatting, nobody
from command import call

from dtbench.harness.core.errors import DtbenchError, UserError
from dtbench.training.engines.inside.swift_bridge import EVALUATOR_VARIABLE, RewardPlan
from dtbench.training.engines.inside.swift_rewards import rewards_of_plan
from dtbench.training.engines.judge_server import judge_command, needs_judge
from dtbench.training.recipe.recipe import RECIPES, check_recipe, load_recipe
from dtbench.training.recipe.settings import Recipe
from dtbench.training.stages.judge import check_evaluator, judge_url, plan_settings
from dtbench.training.stages.layout import Layout

MARKS = '{"path": 8, "steps": 8, "strategy": 8, "depth": 8}'


def recipe_with(url: str) -> Recipe:
    """A large recipe whose evaluator is an endpoint."""
    recipe = load_recipe("qwen2.5-omni-7b")
    return dataclasses.replace(recipe, rewards=dataclasses.replace(recipe.rewards, evaluator=url))


def test_the_judge_is_served_over_all_gpus_of_its_node() -> None:
    assert " ".join(judge_command(load_recipe("qwen3-omni-30b")).arguments) == (
        "vllm serve Qwen/Qwen3-235B-A22B-Instruct-2507 --served-model-name Qwen/Qwen3-235B-A22B-Instruct-2507 "
        "--tensor-parallel-size 8 --data-parallel-size 1 --max-model-len 16384 --host 0.0.0.0 --port 8100"
    )


@pytest.mark.parametrize("name", ["qwen3-omni-30b", "qwen2.5-omni-7b"])
def test_without_a_node_for_the_judge_a_training_is_refused_before_anything_starts(name: str, tmp_path: Path) -> None:
    told = call("train", name, "--out", tmp_path / "run").refusal()
    assert "rewards: evaluator = 'judge': nothing serves Qwen/Qwen3-235B-A22B-Instruct-2507 here: it takes 1 " in told
    assert "--judge-url http://HOST:PORT/v1" in told
    assert list(tmp_path.iterdir()) == []


def test_an_endpoint_that_nobody_serves_is_one_line_before_anything_starts(tmp_path: Path) -> None:
    url = nobody()
    told = call("train", "qwen2.5-omni-7b", "--out", tmp_path / "run", "--judge-url", url).refusal(3)
    assert f"rewards: evaluator = {url}: no endpoint can be reached" in told
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DtbenchError, match="no endpoint can be reached"):
        check_evaluator(recipe_with(url), None)


def test_an_evaluator_that_answers_is_no_reason_to_refuse() -> None:
    with chatting() as chat:
        check_evaluator(load_recipe("qwen2.5-omni-7b"), chat.url)
        check_evaluator(recipe_with(chat.url), None)
    check_evaluator(load_recipe("mini"), None)


def test_an_address_for_a_judge_that_nobody_asks_is_refused() -> None:
    with pytest.raises(UserError, match=r"--judge-url http://h:1/v1: the recipe names its evaluator itself"):
        judge_url(load_recipe("mini"), "http://h:1/v1")
    assert judge_url(load_recipe("qwen3-omni-30b"), "h:8100/v1") == "http://h:8100/v1"


def test_a_judge_that_no_table_describes_is_refused() -> None:
    recipe = dataclasses.replace(load_recipe("qwen3-omni-30b"), judge=None)
    with pytest.raises(UserError, match=r"own: rewards: evaluator = 'judge': the recipe has no table \[judge\]"):
        check_recipe(recipe, "own")


@pytest.mark.parametrize(("table", "field"), [("judge", "tensor = 8 "), ("evaluation", "tensor = 4 ")])
def test_copies_that_do_not_divide_their_gpus_are_refused(tmp_path: Path, table: str, field: str) -> None:
    text = (RECIPES / "qwen3-omni-30b.toml").read_text()
    before, heading, after = text.partition(f"[{table}]")
    own = tmp_path / "own.toml"
    own.write_text(before + heading + after.replace(field, "tensor = 3 ", 1))
    told = call("train", own, "--out", tmp_path / "run", "--dry-run").refusal()
    assert f"{table}: 3 GPUs for a model (tensor, at_once): a divisor of its 8 is expected." in told


def test_a_stage_whose_rewards_ask_no_model_needs_no_judge() -> None:
    recipe = load_recipe("qwen3-omni-30b")
    assert [needs_judge(recipe, stage) for stage in recipe.stage] == [True, True]
    assert not needs_judge(recipe, dataclasses.replace(recipe.stage[0], rewards={"accuracy": 1, "format": 1}))
    assert not needs_judge(recipe_with("http://h:1/v1"), recipe.stage[0])


def test_a_verdict_survives_a_judge_that_comes_back_at_another_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = load_recipe("qwen3-omni-30b")
    settings = dataclasses.replace(
        plan_settings(recipe, recipe.stage[0], Layout(tmp_path).stage("stage-1")), embedding="ngrams"
    )
    assert settings.cache == tmp_path / "verdicts"
    plan, text = RewardPlan(["evaluator"], settings, {ROW.id: ROW}, tmp_path / "counts"), completion(GOOD)
    asked = []
    for _ in range(2):
        with chatting(default=Turn(MARKS)) as chat:
            monkeypatch.setenv(EVALUATOR_VARIABLE, chat.url)
            with rewards_of_plan(plan) as rewards:
                assert rewards.score_batch(["evaluator"], [ROW], [text]).values["evaluator"] == [819 / 1024]
            asked.append(len(chat.asked))
    assert asked == [1, 0]


def test_a_recipe_that_asks_no_model_keeps_no_verdicts(tmp_path: Path) -> None:
    recipe = load_recipe("mini")
    assert plan_settings(recipe, recipe.stage[0], Layout(tmp_path).stage("stage-1")) == recipe.rewards
