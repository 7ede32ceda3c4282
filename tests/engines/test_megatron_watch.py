"""Megatron's watch on a model that hears, with optimizers that have the shape of Megatron's."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from dtbench.training.engines.inside.megatron_watch import group_squares, megatron_watch, register_megatron_watch
from dtbench.training.engines.inside.swift_bridge import STOP_VARIABLE, StoppedError
from dtbench.training.engines.ms_swift import step_metrics

pytestmark = pytest.mark.engine


class Callback:
    """What ms-swift's callbacks begin with."""

    def __init__(self, trainer: Any) -> None:
        self.trainer, self.args = trainer, trainer.args


class Model(nn.Module):  # type: ignore[misc]
    """A tower whose output a language model reads, or not."""

    def __init__(self) -> None:
        super().__init__()
        self.visual = nn.ModuleDict({"audio_tower": nn.Linear(2, 2)}).requires_grad_(False)
        self.language_model = nn.Linear(2, 1)
        self.deaf = False

    def forward(self, clip: torch.Tensor) -> torch.Tensor:
        features = self.visual["audio_tower"](clip)
        heard: torch.Tensor = self.language_model(torch.ones(1, 2) if self.deaf else features)
        return heard.sum()


def trainer_of(model: Model) -> Any:
    """A trainer with a distributed optimizer of two groups, as Megatron chains them."""
    parameters = list(model.language_model.parameters())
    shards = [nn.Parameter(parameter.detach().clone()) for parameter in parameters]
    dense = types.SimpleNamespace(model_float16_groups=[parameters[:1]], shard_fp32_from_float16_groups=[shards[:1]])
    experts = types.SimpleNamespace(model_fp32_groups=[parameters[1:]], shard_fp32_groups=[[*shards[1:]]])
    optimizer = types.SimpleNamespace(chained_optimizers=[dense, experts], parameters=parameters, shards=shards)
    return types.SimpleNamespace(
        args=types.SimpleNamespace(tensor_model_parallel_size=1), unwrapped_models=[model], optimizer=optimizer
    )


@pytest.fixture(autouse=True)
def megatron(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The one function of Megatron's that the watch asks."""
    parallel: Any = types.ModuleType("megatron.core.tensor_parallel")
    parallel.param_is_not_tensor_parallel_duplicate = lambda parameter: not getattr(parameter, "copy", False)
    for name in ("megatron", "megatron.core"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "megatron.core.tensor_parallel", parallel)
    monkeypatch.setenv(STOP_VARIABLE, str(tmp_path / "stopped.json"))


def stepped(model: Model) -> Any:
    """The watch after one step of it."""
    trainer = trainer_of(model)
    watch = megatron_watch(Callback)(trainer)
    watch.on_train_begin()
    watch.on_step_begin()
    model(torch.ones(1, 2)).backward()
    for parameter, shard in zip(trainer.optimizer.parameters, trainer.optimizer.shards, strict=True):
        shard.grad = parameter.grad * 0.5  # clipped to a half
    watch.on_step_end()
    return watch


def test_a_step_gets_norms_by_module_the_gradient_at_the_tower_and_its_own_seconds() -> None:
    model = Model()
    watch = stepped(model)
    squares = sum(float(p.grad.pow(2).sum()) for p in model.language_model.parameters() if p.grad is not None)
    logs: dict[str, Any] = {"loss": 0.1, "grad_norm": squares**0.5, "iteration": "3/9", "train_speed(s/it)": 99.0}
    watch.on_log(logs)
    found = step_metrics(logs)
    assert found is not None
    assert found["grad_norm/language_model"] == pytest.approx(squares**0.5)  # before clipping
    assert found["grad_norm/audio_features"] > 0
    assert found["seconds"] < 99
    assert "grad_norm/vision" not in found


def test_an_evaluations_line_stays_as_it_is() -> None:
    logs: dict[str, Any] = {"eval_reward": 0.5}
    stepped(Model()).on_log(logs)
    assert logs == {"eval_reward": 0.5}


def test_a_deaf_policy_is_stopped_and_the_reason_is_told(tmp_path: Path) -> None:
    model = Model()
    model.deaf = True
    with pytest.raises(StoppedError, match="the policy is deaf"):
        stepped(model)
    assert "deaf" in json.loads((tmp_path / "stopped.json").read_text())["why"]


def test_a_model_without_a_tower_is_stopped_before_its_first_step() -> None:
    model = Model()
    model.visual = nn.ModuleDict({"ears": nn.Linear(2, 2)})
    with pytest.raises(StoppedError, match="no module named audio_tower"):
        megatron_watch(Callback)(trainer_of(model)).on_train_begin()


def test_a_parameter_that_another_process_holds_too_counts_once() -> None:
    model = Model()
    trainer = trainer_of(model)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for shard in trainer.optimizer.shards:
        shard.grad = torch.ones_like(shard)
    assert group_squares(trainer.optimizer, names, lambda parameter: True)["language_model"] == 3
    weight = model.language_model.weight
    assert group_squares(trainer.optimizer, names, lambda parameter: parameter is not weight)["language_model"] == 1


def test_where_megatron_does_not_run_nothing_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "megatron.core")
    register_megatron_watch()
    assert "swift.megatron.callbacks" not in sys.modules
