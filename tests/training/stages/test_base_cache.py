"""What the base answers is kept for the next training, and taken only where it would answer the same."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
from trainer import model_in_the_box
from trainings import Skill, ask

from dtbench.training.recipe.settings import Evaluation
from dtbench.training.stages import base_cache
from dtbench.training.stages.base_cache import cache_folder, evaluation_key, keep, take_kept
from dtbench.training.stages.evaluate import EvalRun, is_evaluated

EVALUATION = Evaluation(tasks=("mini",), backend="local", limit=8)
PROMPT = "{question}\n{options}\nwrite how ."


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which evaluations are kept, by a dtbench without uncommitted changes."""
    monkeypatch.setenv("DTBENCH_EVALUATIONS", str(tmp_path / "kept"))
    monkeypatch.setattr(base_cache, "checkout", lambda source: {"commit": "c0ffee", "dirty": False})
    return tmp_path / "kept"


def evaluation_of(folder: Path, model: Path | None = None, prompt: str | None = None) -> EvalRun:
    return EvalRun(str(model or model_in_the_box()), folder / "eval", folder / "data", prompt)


def test_an_evaluation_of_the_same_base_is_taken_and_not_run(kept: Path, tmp_path: Path) -> None:
    first, second = evaluation_of(tmp_path / "a"), evaluation_of(tmp_path / "b")
    ask(first.out, Skill(0.5))
    keep([first], EVALUATION)
    assert take_kept([second], EVALUATION) == [second]
    assert is_evaluated(second)
    assert (second.out / "mini.jsonl").read_bytes() == (first.out / "mini.jsonl").read_bytes()
    assert take_kept([second], EVALUATION) == []  # it is there


def test_other_weights_prompts_and_settings_are_evaluated_anew(kept: Path, tmp_path: Path) -> None:
    first = evaluation_of(tmp_path / "a")
    ask(first.out, Skill(0.5))
    keep([first], EVALUATION)
    other = shutil.copytree(model_in_the_box(), tmp_path / "other")
    (other / "generation_config.json").write_text('{"temperature": 0.5}')
    assert take_kept([evaluation_of(tmp_path / "b", other)], EVALUATION) == []
    assert take_kept([evaluation_of(tmp_path / "c", prompt=PROMPT)], EVALUATION) == []
    assert take_kept([evaluation_of(tmp_path / "s")._replace(system="listen .")], EVALUATION) == []
    assert take_kept([evaluation_of(tmp_path / "d")], dataclasses.replace(EVALUATION, limit=7)) == []
    more = dataclasses.replace(EVALUATION, concurrency=3, base_prompts={"how": PROMPT})
    assert len(take_kept([evaluation_of(tmp_path / "e")], more)) == 1


def test_a_changed_dtbench_and_off_keep_nothing(kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = evaluation_of(tmp_path / "a")
    ask(first.out, Skill(0.5))
    monkeypatch.setattr(base_cache, "checkout", lambda source: {"commit": "c0ffee", "dirty": True})
    keep([first], EVALUATION)
    assert evaluation_key(first, EVALUATION) is None
    assert not kept.exists()
    monkeypatch.setenv("DTBENCH_EVALUATIONS", "off")
    assert cache_folder() is None
