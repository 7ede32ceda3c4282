"""No policy is deaf: in every architecture that is trained, what a clip says reaches the loss, and its loss is noticed.

A start of the engine for each, of two steps: a whole one that is looked into, and one whose clips are lost on the way.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from trainer import answer_in_letters, begun, ended, engine_place, short_recipe, train

from dtbench.training.engines.metrics import read_steps
from dtbench.training.engines.ms_swift import PLUGIN
from dtbench.training.recipe.recipe import load_recipe, recipe_names

pytestmark = pytest.mark.engine
MODEL_TYPES = {"qwen2-audio": "qwen2_audio", "qwen2.5-omni": "qwen2_5_omni", "qwen3-omni": "qwen3_omni_moe"}
"""Tiny checkpoint -> what the engine calls its architecture."""
LOOK = Path(__file__).parents[1] / "support" / "inside_swift" / "hearing.py"
FLAGS = f"[flags]\nexternal_plugins = ['{PLUGIN}', '{LOOK}']\nreward_funcs = ['letters']\nreward_weights = [1]\n"
SMALL = {
    "[training]": f"{FLAGS}[training]",
    "processes = 2": "processes = 1",
    "batch = 16": "batch = 8",
    "steps = 6": "steps = 2",
    "questions = 40": "questions = 4",
    "max_prompt_tokens = 256": "max_prompt_tokens = 1024",  # a token is a byte here
    "max_new_tokens = 48": "max_new_tokens = 8",
    "checkpointing = false": "checkpointing = true",  # as in the recipes for GPUs
}


class Course(NamedTuple):
    """A run that was stopped in its second step."""

    code: int
    err: str
    steps: Sequence[Mapping[str, float]]
    told: Mapping[str, Any]
    """What the plug-in of the tests found in the first step."""


@pytest.fixture(scope="module")
def checkpoints(tiny_checkpoints: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """A folder of random weights for each architecture; they answer with letters alone."""
    engine_place()
    top = tmp_path_factory.mktemp("policies")
    folders = {name: shutil.copytree(tiny_checkpoints[name], top / name) for name in MODEL_TYPES}
    for folder in folders.values():
        answer_in_letters(folder)
    return folders


SIBLING = "qwen2.5-omni"
"""Of those that are tried always it is like Qwen3-Omni, so it is left to `make whole`."""


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=[pytest.mark.whole] if name == SIBLING else []) for name in MODEL_TYPES],
)
def course(
    request: pytest.FixtureRequest, checkpoints: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Course:
    """Two steps of one architecture."""
    name: str = request.param
    folder = tmp_path_factory.mktemp(name)
    model = ("qwen3_omni_moe", MODEL_TYPES[name])
    recipe = short_recipe(folder, model, *SMALL.items(), model=checkpoints[name])
    told = folder / "told.json"
    layout = begun(recipe, folder / "run")
    code, _, err = ended(train(recipe, layout.root, DTBENCH_TEST_HEARING=str(told)))
    assert told.exists(), f"{err}\n{layout.stage('stage-1').log.read_text()[-3000:]}"
    return Course(code, err, read_steps(layout.stage("stage-1").metrics), json.loads(told.read_text()))


def apart(one: Sequence[Sequence[float]], other: Sequence[Sequence[float]]) -> list[float]:
    """How far the log-probabilities of each answer are apart, at the token where they are most."""
    pairs = [zip(*rows, strict=True) for rows in zip(one, other, strict=True)]
    return [max(abs(before - after) for before, after in pair) for pair in pairs]


def test_every_architecture_of_a_recipe_is_tried() -> None:
    assert {load_recipe(name).model_type for name in recipe_names()} <= set(MODEL_TYPES.values())


def test_the_gradient_reaches_the_tower_and_its_projector(course: Course) -> None:
    assert [one["step"] for one in course.steps] == [1]
    for part in ("audio_features", "audio_tower", "audio_projector", "language_model"):
        assert course.steps[0][f"grad_norm/{part}"] > 1e-3


def test_what_is_heard_is_watched_where_the_tower_does_not_learn(course: Course) -> None:
    assert course.told["heard_by_a_still_tower"] > 1e-3


def test_the_same_answers_are_as_likely_after_the_same_clip_and_not_after_another(course: Course) -> None:
    assert len(set(course.told["clips"])) == 2
    assert max(apart(course.told["as_learnt"], course.told["again"])) < 1e-5
    changes = apart(course.told["as_learnt"], course.told["exchanged"])
    assert len(changes) == 8
    assert min(changes) > 1e-2


def test_the_model_that_answers_is_the_one_that_learns(course: Course) -> None:
    assert course.steps[0]["divergence"] < 1e-4
    assert course.steps[0]["kl"] < 1e-4


def test_a_policy_that_loses_its_clips_later_on_is_stopped_in_one_line(course: Course) -> None:
    assert course.code == 3
    line = "error: stage-1: the policy is deaf: the loss does not depend on what the audio tower gives."
    assert course.err.splitlines() == [line]
