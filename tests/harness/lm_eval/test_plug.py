from __future__ import annotations

import importlib
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from command import call

from dtbench.harness.core.installed import install_command
from dtbench.harness.lm_eval.plug import FOLDER, MODEL, TARGET
from dtbench.tasks import registry as task_registry

ROOT = Path(__file__).resolve().parents[3]


def test_the_folder_is_printed_and_holds_a_task_for_every_class_with_public_answers_but_those_for_training() -> None:
    assert call("tasks", "--lm-eval").out == f"{FOLDER}\n"
    told = {path.stem: yaml.safe_load(path.read_text()) for path in FOLDER.glob("*.yaml")}
    assert all(name == one["task"] for name, one in told.items())
    asked = {one["dataset_kwargs"]["benchmark"] for one in told.values()}
    classes = [name for name, target in task_registry.TASKS.items() if not target.endswith(task_registry.TOML)]
    public = {name for name in classes if task_registry.get_task(name).answers_public}
    assert asked == {name for name in public if "train" not in name}


def test_the_files_of_some_benchmarks_are_printed_as_lm_eval_takes_them() -> None:
    files = call("tasks", "mmau-mini,dtbench_mini", "--lm-eval").out.strip().split(",")
    assert files == [str(FOLDER / "dtbench_mmau_mini.yaml"), str(FOLDER / "dtbench_mini.yaml")]
    assert (
        "nosuch: no task of it for lm-eval. Known: mini, mini_hop, mini_lure, mmar"
        in call("tasks", "nosuch", "--lm-eval").refusal()
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("lm-eval", "--tasks", "dtbench_mini"),
        ("run", "--model", "first", "--tasks", "lm_eval:gsm8k"),
        ("run", "--model", "first", "--task-file", "mine.yaml"),
    ],
    ids=" ".join,
)
def test_without_lm_eval_the_refusal_says_what_to_install(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lm_eval", None)  # what Python itself takes for not installed
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("task: mine\n")
    assert f"lm-eval is not installed here: `{install_command('lm-eval')}`" in call(*arguments).refusal()


def test_the_entry_point_names_the_model_that_is_registered() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["lm_eval.models"]
    assert told == {MODEL: TARGET}
    module, _, name = TARGET.partition(":")
    pytest.importorskip("lm_eval", reason="lm-eval, of the extra lm-eval, is not installed")
    assert getattr(importlib.import_module(module), name).MULTIMODAL is True
