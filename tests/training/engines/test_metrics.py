from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dtbench.training.engines.metrics import MetricsFollower, read_steps, violated_guard
from dtbench.training.engines.ms_swift import ENGINES, SWIFT
from dtbench.training.recipe.settings import StopGuards


def line(step: int, **more: Any) -> str:
    """A line as ms-swift 4.6 logs it."""
    told = {
        "loss": 0.5,
        "grad_norm": 2.0,
        "reward": 1.5,
        "rewards/accuracy/mean": 0.25,
        "rewards/accuracy/std": 0.4,
        "completions/mean_length": 30.0,
        "entropy/mean": 0.7,
        "grad_norm/clipped": 1.0,
        "grad_norm/audio_tower": 0.1,
        "rollout_correction/k3_kl": 0.002,
        "global_step/max_steps": f"{step}/9",
    }
    return json.dumps({**told, **more}) + "\n"


def test_figures_of_a_step_have_our_names_and_modules_their_gradient_before_clipping() -> None:
    found = SWIFT.metrics(json.loads(line(3)))
    assert found == {
        "step": 3,
        "loss": 0.5,
        "reward": 1.5,
        "reward/accuracy": 0.25,
        "completion_length": 30.0,
        "entropy": 0.7,
        "grad_norm": 2.0,
        "grad_norm/audio_tower": 0.2,
        "divergence": 0.002,
    }


def test_megatron_counts_its_steps_under_another_name() -> None:
    told = json.loads(line(3))
    told["iteration"] = told.pop("global_step/max_steps")
    found = ENGINES["megatron"].metrics(told)
    assert found is not None
    assert found["step"] == 3


def test_the_line_at_the_end_of_a_training_is_no_step() -> None:
    assert SWIFT.metrics({"train_runtime": 5.0, "train_loss": 0.1, "global_step/max_steps": "9/9"}) is None
    assert SWIFT.metrics({"model_parameter_info": "2 M", "log_history": []}) is None


def test_a_growing_log_is_followed_and_half_a_line_waits_for_its_end(tmp_path: Path) -> None:
    log, metrics = tmp_path / "logging.jsonl", tmp_path / "stage" / "metrics.jsonl"
    follower = MetricsFollower(log, metrics, SWIFT, done=0)
    assert follower.new_steps() == []
    whole, begun = line(1), line(2)
    log.write_text(whole + begun[:20])
    assert [one["step"] for one in follower.new_steps()] == [1]
    log.write_text(whole + begun)
    assert [one["step"] for one in follower.new_steps()] == [2]
    assert [one["step"] for one in read_steps(metrics)] == [1, 2]


def test_a_step_that_nobody_read_before_the_kill_is_kept_from_the_engines_log(tmp_path: Path) -> None:
    log, metrics = tmp_path / "logging.jsonl", tmp_path / "metrics.jsonl"
    first = MetricsFollower(log, metrics, SWIFT, done=0)
    log.write_text(line(1, reward=1.0))
    first.new_steps()
    log.write_text("".join(line(step, reward=1.0) for step in (1, 2, 3)) + line(4)[:30])
    second = MetricsFollower(log, metrics, SWIFT, done=2)
    assert [one["step"] for one in read_steps(metrics)] == [1, 2]
    with log.open("a") as file:
        file.write(line(3, reward=2.0))
    assert [one["step"] for one in second.new_steps()] == [3]
    assert [(one["step"], one["reward"]) for one in read_steps(metrics)] == [(1, 1.0), (2, 1.0), (3, 2.0)]


def test_after_a_kill_each_step_is_there_once_with_the_figures_that_count(tmp_path: Path) -> None:
    log, metrics = tmp_path / "logging.jsonl", tmp_path / "metrics.jsonl"
    log.write_text("")
    first = MetricsFollower(log, metrics, SWIFT, done=0)
    log.write_text("".join(line(step, reward=1.0) for step in (1, 2, 3)) + '{"loss": 0.')
    first.new_steps()
    second = MetricsFollower(log, metrics, SWIFT, done=2)  # the last whole checkpoint
    with log.open("a") as file:
        file.write("\n" + line(3, reward=9.0) + line(4, reward=9.0))
    second.new_steps()
    assert [(one["step"], one["reward"]) for one in read_steps(metrics)] == [(1, 1.0), (2, 1.0), (3, 9.0), (4, 9.0)]


def test_a_figure_that_is_no_number_is_null_in_the_file(tmp_path: Path) -> None:
    log, metrics = tmp_path / "logging.jsonl", tmp_path / "metrics.jsonl"
    follower = MetricsFollower(log, metrics, SWIFT, done=0)
    log.write_text(line(1).replace("0.5", "NaN"))
    (found,) = follower.new_steps()
    assert violated_guard(found, StopGuards(), first=True) is not None
    assert json.loads(metrics.read_text())["loss"] is None


@pytest.mark.parametrize(
    ("figures", "first", "told"),
    [
        ({"divergence": 0.011}, True, "the model that answers differs from the one being trained (divergence 0.011"),
        ({"kl": 0.02}, True, "the model being trained differs from the start of the stage (kl 0.02"),
        ({"loss": float("nan")}, False, "loss is not finite"),
        ({"grad_norm": float("inf")}, False, "grad_norm is not finite"),
        ({"grad_norm": 1.0, "grad_norm/audio_features": 0.0}, False, "the policy is deaf"),
    ],
)
def test_what_a_stage_must_not_go_on_with_stops_it(figures: dict[str, float], first: bool, told: str) -> None:
    assert told in str(violated_guard({"step": 1, **figures}, StopGuards(), first=first))


@pytest.mark.parametrize(
    ("figures", "first"),
    [
        ({"divergence": 0.009}, True),
        ({"divergence": 0.5, "kl": 0.5}, False),  # answers of several steps ago are allowed to differ
        ({"grad_norm": 0.0, "grad_norm/audio_features": 0.0}, False),  # all answers were alike: nothing was learnt
        ({"grad_norm": 5.1e-6, "grad_norm/audio_features": 0.0}, False),  # the clips' part of it is below 5e-9
        ({"grad_norm": 1.0}, False),
    ],
)
def test_what_is_usual_stops_nothing(figures: dict[str, float], first: bool) -> None:
    assert violated_guard({"step": 2, **figures}, StopGuards(), first=first) is None
