from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from dtbench.harness.core.errors import UserError
from dtbench.training.recipe.claims import Claim, ClaimNoise, ClaimSide, claim_sides, claim_task
from dtbench.training.recipe.recipe import RECIPES, load_claims, load_recipe

SETTINGS: Mapping[str, str] = {
    "name": '"better"',
    "text": '"One is better."',
    "between": '["hybrid", "accuracy-only"]',
    "at_least": "0.02",
    "seeds": "5",
    "questions": "600",
}


def with_claim(tmp_path: Path, also: str = "", **changed: str) -> str:
    """The recipe mini with one claim in place of its own."""
    own = (RECIPES / "mini.toml").read_text().partition("[[claim]]")[0]
    path = tmp_path / "own.toml"
    lines = [f"{name} = {value}" for name, value in {**SETTINGS, **changed}.items() if value]
    path.write_text("\n".join([own + also, "[[claim]]", *lines]))
    return str(path)


def test_a_claim_takes_the_only_task_and_the_measure_accuracy(tmp_path: Path) -> None:
    found = load_claims(with_claim(tmp_path, noise="{ seed = 0.02 }", group='"difficulty: easy"', primary="true"))
    (claim,) = found.claims
    assert claim == Claim(
        name="better",
        text="One is better.",
        between=("hybrid", "accuracy-only"),
        measure="accuracy",
        group="difficulty: easy",
        at_least=0.02,
        seeds=5,
        questions=600,
        primary=True,
        noise=ClaimNoise(seed=0.02),
    )
    assert claim_task(claim, found.recipes) == "mini"


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("hybrid", ClaimSide("hybrid", "stage-1")),
        ("long-stage-1", ClaimSide("long-stage-1", "more-of-stage-1")),
        ("long-stage-1/stage-1", ClaimSide("long-stage-1", "stage-1")),
        ("recipe", ClaimSide(None, "stage-2")),
        ("recipe/stage-1", ClaimSide(None, "stage-1")),
        ("base", ClaimSide()),
        ("base best", ClaimSide(prompt="best")),
        ("base as-trained", ClaimSide(prompt="as-trained")),
        ("base how", ClaimSide(prompt="how")),
    ],
)
def test_a_side_is_a_stage_of_an_arm_or_of_the_recipe_or_the_base(tmp_path: Path, name: str, side: ClaimSide) -> None:
    (claim,), recipes = (
        (found := load_claims(with_claim(tmp_path, between=f'["{name}", "format-accuracy"]'))).claims,
        found.recipes,
    )
    assert claim_sides(claim, recipes, "here") == (side, ClaimSide("format-accuracy", "stage-1"))


@pytest.mark.parametrize(
    ("setting", "value", "complaint"),
    [
        ("at_least", "", "own.toml: claim better: at_least is missing; add it."),
        ("at_least", "0", "own.toml: claim better: at_least = 0: above 0 is expected."),
        ("seeds", "1", "own.toml: claim better: seeds = 1: at least 2 is expected."),
        (
            "measure",
            '"accurcy"',
            'own.toml: claim better: measure = "accurcy": unknown. Did you mean accuracy or shuffled',
        ),
        ("task", '"mmau"', "own.toml: claim better: task = 'mmau': not evaluated."),
        ("group", '"easy"', "own.toml: claim better: group = 'easy': a heading and a value such as 'depth: 3'"),
        ("between", '["hybrid"]', 'own.toml: claim better: between = ["hybrid"]: a list of two names is expected.'),
        ("between", '["hybrid", "acuracy-only"]', "between: 'acuracy-only': the recipe has no such arm."),
        ("between", '["hybrid/stage-2", "base"]', "between: 'hybrid/stage-2': hybrid has no such stage."),
        ("between", '["hybrid", "base hoow"]', "between: 'base hoow': the base has no such prompt."),
        ("between", '["hybrid", "hybrid/stage-1"]', "two models, one of them trained, are expected."),
        ("between", '["base", "base best"]', "two models, one of them trained, are expected."),
        ("reads", '"x"', "own.toml: claim better: unknown setting 'reads'."),
    ],
)
def test_a_claim_that_cannot_be_computed_is_refused_before_anything_is_trained(
    tmp_path: Path, setting: str, value: str, complaint: str
) -> None:
    path = with_claim(tmp_path, **{setting: value})
    with pytest.raises(UserError) as refused:
        load_recipe(path)
    assert complaint in str(refused.value)


def test_a_measure_needs_what_the_evaluation_asks(tmp_path: Path) -> None:
    path = Path(with_claim(tmp_path, measure='"described"'))
    path.write_text(path.read_text().replace("describe = true", "describe = false"))
    with pytest.raises(UserError, match=r"measure = 'described': \[evaluation\] needs describe = true"):
        load_claims(str(path))
    with pytest.raises(UserError, match=r"measure = 'follow_rate': \[evaluation\] needs faithful = 300"):
        load_claims(with_claim(tmp_path, measure='"follow_rate"'))
    fewer = Path(with_claim(tmp_path))
    fewer.write_text(fewer.read_text().replace("concurrency = 64", "concurrency = 64\nlimit = 100"))
    with pytest.raises(UserError, match=r"questions = 600: \[evaluation\] asks limit = 100"):
        load_claims(str(fewer))


def test_no_arm_bears_a_name_that_between_has_for_something_else(tmp_path: Path) -> None:
    for name in ("base", "recipe"):
        arm = f'[[arm]]\nname = "{name}"\n[[arm.stage]]\nextends = "stage-1"\n'
        with pytest.raises(UserError, match=f"arm '{name}': a name such as"):
            load_claims(with_claim(tmp_path, arm))


def test_a_training_is_the_same_whatever_its_recipe_claims(tmp_path: Path) -> None:
    assert load_recipe(with_claim(tmp_path)) == load_recipe("mini")
