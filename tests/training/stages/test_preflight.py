"""`dtbench train` refuses what it cannot carry out before anything is evaluated or trained."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import pytest
from command import call
from training_rows import rows_file

from dtbench.harness.core.errors import UserError
from dtbench.training.recipe.recipe import RECIPES, load_recipe, recipe_names
from dtbench.training.stages.judge import check_evaluator
from dtbench.training.stages.preflight import check_embedding, check_quantiser, check_rewards, check_trust

MINI = (RECIPES / "mini.toml").read_text()
NO_ENGINE = "#!/bin/sh\nexit 1\n"


def own(folder: Path, before: str, after: str) -> Path:
    """The recipe mini with some of its text replaced."""
    assert before in MINI
    path = folder / "own.toml"
    path.write_text(MINI.replace(before, after))
    return path


def engine(folder: Path, *modules: str) -> Path:
    """A folder that looks like the environment of an engine, with nothing but this Python and empty modules in it."""
    place = folder / "engine"
    (place / "bin").mkdir(parents=True)
    (place / "bin" / "swift").write_text(NO_ENGINE)
    (place / "bin" / "python").write_text(f'#!/bin/sh\nPYTHONPATH={place} exec {sys.executable} -S "$@"\n')
    for module in modules:
        (place / module).mkdir(parents=True)
        (place / module / "__init__.py").write_text("raise SystemExit('this is not to be run')")
    for program in (place / "bin").iterdir():
        program.chmod(0o755)
    return place


@pytest.mark.parametrize("name", recipe_names())
def test_the_rewards_of_each_recipe_have_what_they_need(name: str) -> None:
    check_rewards(load_recipe(name))


WRONG = {
    "a reward": ("hybrid = 1", "hybird = 1", "stage stage-1: unknown reward 'hybird'. Did you mean hybrid?"),
    "no evaluator": ('evaluator = "mini events"', 'evaluator = ""', "stage stage-1: reward 'hybrid': no evaluator is"),
    "a setting": ('consistency = "words"', 'consistancy = "words"', "rewards: unknown setting 'consistancy'."),
    "a task": ('task = "mini"', 'task = "minni"', "minni"),
    "an embedding": ('"ngrams"', '"n-grams"', "rewards: embedding = 'n-grams': unknown. Did you mean ngrams?"),
}


@pytest.mark.parametrize("dry", [True, False], ids=["dry run", "start"])
@pytest.mark.parametrize("name", WRONG)
def test_rewards_that_cannot_be_computed_are_one_line_before_anything_starts(
    tmp_path: Path, name: str, dry: bool
) -> None:
    before, after, told = WRONG[name]
    recipe = own(tmp_path, before, after)
    more = ("--dry-run",) if dry else ("--engine", engine(tmp_path))
    assert told in call("train", recipe, "--out", tmp_path / "run", *more).refusal()
    assert not (tmp_path / "run").exists()


def test_an_embedding_whose_package_the_engine_lacks_is_told_before_anything_starts(tmp_path: Path) -> None:
    recipe = own(tmp_path, 'embedding = "ngrams"', 'embedding = "BAAI/bge-m3"')
    place = engine(tmp_path)
    told = call("train", recipe, "--out", tmp_path / "run", "--engine", place).refusal()
    assert f"embedding = 'BAAI/bge-m3': sentence-transformers is not in {place}" in told
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("minilm/model", ()),
        ("minilm/model", ("minilm",)),
        ("", ()),
        ("minilm", ("minilm",)),
        ("minilm/../x", ("minilm",)),
    ],
)
def test_a_package_without_the_model_is_told_before_anything_starts(
    tmp_path: Path, name: str, there: tuple[str, ...]
) -> None:
    recipe = own(tmp_path, 'embedding = "ngrams"', f'embedding = "package:{name}"')
    place = engine(tmp_path, "sentence_transformers", *there)
    told = call("train", recipe, "--out", tmp_path / "run", "--engine", place).refusal()
    package, _, inside = name.partition("/")
    assert f"the model {package}/{inside} is not in {place}" in told
    assert not (tmp_path / "run").exists()


def test_a_model_that_is_in_its_package_is_no_reason_to_refuse(tmp_path: Path) -> None:
    recipe = load_recipe(str(own(tmp_path, 'embedding = "ngrams"', 'embedding = "package:minilm/model"')))
    place = engine(tmp_path, "sentence_transformers", "minilm")
    (place / "minilm" / "model").mkdir()
    (place / "minilm" / "model" / "config.json").write_text("{}")
    check_embedding(recipe, place)


@pytest.mark.parametrize("lost", ["file", "clip", "answer"])
def test_rows_that_cannot_be_trained_on_are_told_before_the_base_is_evaluated(tmp_path: Path, lost: str) -> None:
    rows = rows_file(tmp_path, 4)
    if lost == "file":
        rows.unlink()
    elif lost == "clip":
        (tmp_path / "clips" / "3.wav").unlink()
    else:
        lines = [json.loads(line) for line in rows.read_text().splitlines()]
        rows.write_text("".join(json.dumps({**line, "answer": "a horn"}) + "\n" for line in lines))
    recipe = own(tmp_path, 'data = ["mini-train-2"]', f'data = ["mini-train-2", "{rows}"]')
    recipe.write_text(recipe.read_text().replace("questions = 720", ""))  # all of them
    done = call("train", recipe, "--out", tmp_path / "run", "--engine", engine(tmp_path))
    told = {"file": "there is no such file", "clip": "row r3: there is no clip", "answer": "is none of the choices"}
    (line,) = done.err.splitlines()
    assert told[lost] in line
    assert str(rows) in line
    assert not (tmp_path / "run" / "train.json").exists()


def test_code_of_the_model_runs_in_a_training_by_the_recipe_alone(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"architectures": ["X"], "auto_map": {"AutoModel": "own_code.Model"}}')
    recipe = dataclasses.replace(load_recipe("mini"), model=str(tmp_path))
    with pytest.raises(UserError, match=r"run on this machine with your rights.*trust_remote_code = true") as refused:
        check_trust(recipe)
    assert "\n" not in str(refused.value)
    trusting = dataclasses.replace(recipe, trust_remote_code=True)
    check_trust(trusting)
    assert (trusting.plain()["trust_remote_code"], "trust_remote_code" in recipe.plain()) == (True, False)


def test_a_training_does_not_start_from_a_pickle(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"architectures": ["X"]}')
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(UserError, match=r"its weights are pickles \(pytorch_model.bin\)"):
        check_trust(dataclasses.replace(load_recipe("mini"), model=str(tmp_path)))


def test_a_base_of_four_bits_is_refused_where_nothing_quantises_it(tmp_path: Path) -> None:
    recipe = load_recipe("qwen2.5-omni-7b-lora-24gb")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to("/bin/false")
    with pytest.raises(UserError) as told:
        check_quantiser(recipe, tmp_path)
    assert str(told.value) == (
        f"adapter: base_bits = 4: bitsandbytes is not in {tmp_path}, which quantises the base: `pip install "
        "bitsandbytes` there, or leave base_bits out."
    )
    check_quantiser(load_recipe("qwen2.5-omni-7b-lora"), tmp_path)


def test_a_small_judge_is_told_how_to_run_beside_the_trainer() -> None:
    with pytest.raises(UserError) as told:
        check_evaluator(load_recipe("qwen2.5-omni-7b-lora"), None)
    assert str(told.value).endswith(
        "--judge-url http://HOST:PORT/v1. One so small can run beside the trainer, on a GPU of 80 GB: `vllm serve "
        "Qwen/Qwen3-4B-Instruct-2507 --port 8100 --max-model-len 16384 --gpu-memory-utilization 0.15`, and vLLM "
        "for CPUs serves it without that last flag."
    )
