from __future__ import annotations

import re
from pathlib import Path

import pytest

from dtbench.harness.core.errors import UserError
from dtbench.training.recipe.recipe import RECIPES, load_recipe, override, recipe_names
from dtbench.training.recipe.settings import Recipe
from dtbench.training.rewards.scoring import REWARDS

MINI = (RECIPES / "mini.toml").read_text()


def changed(tmp_path: Path, *pairs: tuple[str, str]) -> Path:
    """The recipe mini with some of its text replaced."""
    text = MINI
    for before, after in pairs:
        assert before in text
        text = text.replace(before, after)
    path = tmp_path / "own.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", recipe_names())
def test_each_recipe_can_be_read_and_its_rewards_are_known(name: str) -> None:
    recipe = load_recipe(name)
    assert [stage.name for stage in recipe.stage] == ["stage-1", "stage-2"][: 1 if name == "mini-lure" else 2]
    assert all(reward in REWARDS for stage in recipe.stage for reward in stage.rewards)


@pytest.mark.parametrize("name", recipe_names())
def test_each_figure_of_a_recipe_says_whether_it_is_the_papers_or_was_chosen(name: str) -> None:
    lines = (RECIPES / f"{name}.toml").read_text().splitlines()
    figures = [line for line in lines if re.match(r"\w+ = ", line) and not re.match(r"(title|name) = ", line)]
    texts = [line for line in figures if not line.endswith('"""')]
    assert len(texts) > 30
    assert [line for line in texts if not re.search(r"# (paper|digest|author's|chosen)\b", line)] == []


def test_the_large_recipe_holds_the_figures_of_the_paper() -> None:
    recipe = load_recipe("qwen3-omni-30b")
    training, machines = recipe.training, recipe.machines
    assert (training.advantages, training.beta, training.generations) == ("gdpo", 0.001, 8)
    assert (training.learning_rate, training.batch, training.micro_batch) == (1e-6, 224, 4)
    assert (training.max_new_tokens, training.max_prompt_tokens, training.warmup) == (1024, 4096, 0.01)
    assert (training.temperature, training.top_p, training.top_k) == (1.0, 0.99, 50)
    assert (machines.nodes, machines.processes, machines.rollouts) == (7, 8, "server")
    assert (machines.tensor, machines.expert, machines.pipeline) == (4, 4, 2)
    assert recipe.stage[0].rewards == {"accuracy": 1, "format": 1, "consistency": 1, "hybrid": 1}
    assert recipe.stage[1].rewards == {"accuracy": 1, "evaluator": 1}


@pytest.mark.parametrize("name", recipe_names())
def test_both_stages_of_a_recipe_have_the_same_figures_and_leave_the_ears_alone(name: str) -> None:
    recipe = load_recipe(name)
    assert [recipe.training_of(stage) for stage in recipe.stage] == [recipe.training] * len(recipe.stage)
    assert not recipe.training.train_audio_tower
    assert not recipe.training.train_projector


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("beta = 0.001", "betta = 0.001", "own.toml: training: unknown setting 'betta'. Did you mean beta?"),
        ("train_projector", "projector", "training: unknown setting 'projector'. It is called train_projector now."),
        ("audio_ablation", "deafened", "evaluation: unknown setting 'deafened'. It is called audio_ablation now."),
        ("beta = 0.001", 'beta = "small"', 'own.toml: training: beta = "small": a number is expected.'),
        ("generations = 8", "generations = 0", "own.toml: training: generations = 0: at least 1 is expected."),
        ("generations = 8", "generations = true", "generations = true: a whole number is expected."),
        ("beta = 0.001  ", "", "own.toml: training: beta is missing; add it."),
        ('engine = "swift"', 'engine = "swfit"', 'own.toml: engine = "swfit": unknown. Did you mean swift?'),
        ("batch = 80", "batch = 81", "batch = 81: a multiple of generations = 8."),
        ("batch = 80", "batch = 120", "batch = 120: a multiple of 80 is expected"),
        ("steps = 20", "steps = 20\nepochs = 1", "either steps or epochs is expected."),
        ("steps = 20", "steps = 0", "own.toml: stage: steps = 0: at least 1 is expected."),
        ('name = "stage-2"', 'name = "stage-1"', "stage 'stage-1': a name such as 'stage-1' is expected"),
        ('name = "stage-2"', 'name = "base"', "stage 'base': a name such as 'stage-1' is expected"),
        ('name = "stage-2"', 'name = "../x"', "stage '../x': a name such as 'stage-1' is expected"),
        ('prompt = "{question}\\n{options}', 'prompt = "{question}', "prompt: {options} is missing in it."),
        ('engine = "swift"', 'system = "{question}"\nengine = "swift"', "system: {question} is filled in the prompt"),
        ("[machines]", '[flags]\nsystem = "listen"\n[machines]', "flags: system: evaluations would not have it"),
        ('data = ["mini-train-1"]', "data = []", "own.toml: stage: data = []: at least one source is expected."),
        ('data = ["mini-train-1"]', 'data = "mini-train-1"', 'data = "mini-train-1": a list is expected.'),
        ('tasks = ["mini"]', 'tasks = ["mmar"]', "describe = true: mmar has no companion task that asks for "),
        ("[training]", "[training", "own.toml: not TOML ("),
    ],
)
def test_a_mistake_in_a_recipe_is_one_clear_line(tmp_path: Path, before: str, after: str, told: str) -> None:
    with pytest.raises(UserError) as caught:
        load_recipe(str(changed(tmp_path, (before, after))))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_stage_may_differ_in_how_it_is_trained(tmp_path: Path) -> None:
    path = changed(tmp_path, ("steps = 50  ", "steps = 50\ntraining = { learning_rate = 1e-5 }\n"))
    recipe = load_recipe(str(path))
    assert [recipe.training_of(stage).learning_rate for stage in recipe.stage] == [1e-4, 1e-5]


def test_what_a_stage_differs_in_is_read_as_strictly(tmp_path: Path) -> None:
    path = changed(tmp_path, ("steps = 50  ", "steps = 50\ntraining = { rate = 1e-5 }\n"))
    with pytest.raises(UserError, match="stage stage-2: unknown setting 'rate'"):
        load_recipe(str(path))


def test_an_unknown_recipe_is_told_with_those_that_there_are() -> None:
    with pytest.raises(UserError, match=r"recipe minni: unknown\. Did you mean mini"):
        load_recipe("minni")


def test_a_folder_is_named_by_its_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ckpt").mkdir()
    (tmp_path / "ckpt" / "config.json").write_text('{"architectures": ["Qwen3OmniMoeForConditionalGeneration"]}')
    monkeypatch.chdir(tmp_path)
    recipe: Recipe = override(load_recipe("qwen3-omni-30b"), model="./ckpt", seed=5)
    assert (recipe.model, recipe.seed) == (str(tmp_path / "ckpt"), 5)


def test_an_adapter_is_no_checkpoint_to_start_from(tmp_path: Path) -> None:
    """Its base alone would be trained, under its name."""
    base, adapter = tmp_path / "ckpt", tmp_path / "tuned"
    for folder in (base, adapter):
        folder.mkdir()
    (base / "config.json").write_text('{"architectures": ["Qwen3OmniMoeForConditionalGeneration"]}')
    (adapter / "adapter_config.json").write_text('{"base_model_name_or_path": "../ckpt"}')
    with pytest.raises(UserError, match=r"has the adapter tuned: `dtbench run --model .+` merges it"):
        override(load_recipe("qwen3-omni-30b"), model=str(adapter), seed=None)


LARGE = (RECIPES / "qwen3-omni-30b.toml").read_text()


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("batch = 224 ", "batch = 112 ", "batch = 112: megatron wants a multiple of 224: generations = 8 for each of"),
        (
            "epochs = 1 ",
            "epochs = 0.5 ",
            "epochs = 0.5: megatron counts whole ones: give steps instead.",
        ),
        ("save_every = 50 ", "keep = 1\nsave_every = 50 ", "keep = 1: megatron keeps 2 checkpoints at least."),
        ("tensor = 4 ", "tensor = 3 ", "machines: 56 processes: a multiple of tensor * pipeline = 6 is expected."),
        ("expert = 4 ", "expert = 5 ", "machines: 56 processes: a multiple of expert * pipeline = 10 is expected."),
    ],
)
def test_what_megatron_would_refuse_after_hours_is_refused_at_once(
    tmp_path: Path, before: str, after: str, told: str
) -> None:
    assert before in LARGE
    path = tmp_path / "own.toml"
    path.write_text(LARGE.replace(before, after, 1))
    with pytest.raises(UserError) as caught:
        load_recipe(str(path))
    assert told in str(caught.value)
