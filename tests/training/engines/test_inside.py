from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dtbench.training.data.rows import TrainingRow
from dtbench.training.engines.inside.swift_bridge import STOP_VARIABLE, RewardPlan, StoppedError
from dtbench.training.engines.inside.swift_placeholders import hide_placeholders
from dtbench.training.engines.inside.swift_rewards import RewardColumns
from dtbench.training.engines.inside.swift_templates import audio_token_count
from dtbench.training.engines.inside.swift_watch import is_deaf, parameter_group
from dtbench.training.rewards import Rewards, reward_settings

CHAIN = "i hear first loud long low tone , second soft short high beeps . so the answer is tone"
SAID = f"<reasoning> {CHAIN} </reasoning> tone"
ROW = TrainingRow("q1", Path("clip.wav"), "what is first ?", ("tone", "beeps"), "tone", CHAIN)
ROWS = {"q1": ROW, "q2": dataclasses.replace(ROW, id="q2")}
PLAIN = {"embedding": "ngrams", "consistency": "words", "guards": ["empty"]}


def scorer(tmp_path: Path, *names: str, **settings: object) -> RewardColumns:
    """Scores as it does within an engine."""
    path = tmp_path / "rewards.json"
    RewardPlan(names, reward_settings({**PLAIN, **settings}), ROWS, tmp_path / "rewards").write(path)
    plan = RewardPlan.read(path)
    return RewardColumns(plan, Rewards(plan.settings))


def test_each_reward_of_a_batch_is_what_it_has_earned_and_the_batch_is_scored_once(tmp_path: Path) -> None:
    found = scorer(tmp_path, "accuracy", "format", "embedding")
    ids, said = ["q1", "q1"], [SAID, "beeps"]
    assert found.values("accuracy", ids, said) == [1.0, 0.0]
    assert found.values("format", ids, said) == [1.0, 0.0]
    assert found.values("embedding", ids, said) == [1.0, 0.0]
    (line,) = (tmp_path / "rewards" / "rank-0.jsonl").read_text().splitlines()
    assert json.loads(line)["completions"] == 2
    assert found.values("accuracy", ["q1"], ["tone"]) == [1.0]
    assert len((tmp_path / "rewards" / "rank-0.jsonl").read_text().splitlines()) == 2


def test_an_evaluator_that_cannot_be_reached_stops_the_stage_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STOP_VARIABLE, str(tmp_path / "stopped.json"))
    gone = {"evaluator": "http://127.0.0.1:9/v1", "evaluator_model": "m", "attempts": 1, "retry_budget": 0.0}
    found = scorer(tmp_path, "evaluator", max_failed=0.0, **gone)
    with pytest.raises(StoppedError):
        found.values("evaluator", ["q1"], [SAID])
    why = json.loads((tmp_path / "stopped.json").read_text())["why"]
    assert why.startswith("no endpoint can be reached: http://127.0.0.1:9/v1")


@pytest.mark.parametrize(
    ("parameter", "group"),
    [
        ("thinker.audio_tower.layers.0.fc1.weight", "audio_tower"),
        ("thinker.audio_tower.proj1.weight", "audio_projector"),
        ("multi_modal_projector.linear.weight", "audio_projector"),
        ("thinker.visual.blocks.0.attn.qkv.weight", "vision"),
        ("thinker.model.layers.3.mlp.gate.weight", "language_model"),
        ("thinker.lm_head.weight", "language_model"),
    ],
)
def test_a_gradient_counts_for_the_part_that_it_is_of(parameter: str, group: str) -> None:
    assert parameter_group(parameter) == group


@pytest.mark.parametrize(
    ("norms", "heard", "learns", "deaf"),
    [
        ({"clipped": 1.0, "audio_tower": 0.1}, 0.2, True, False),
        ({"clipped": 1.0, "audio_tower": 0.1}, 0.0, True, True),
        ({"clipped": 1.0}, 0.2, True, True),  # what it gives reaches the loss, and the tower learns nothing
        ({"clipped": 1.0}, 0.2, False, False),
        ({"clipped": 1.0}, 0.0, False, True),
        ({"clipped": 0.0}, 0.0, True, False),  # all answers were alike
        ({"clipped": 3e-8}, 0.0, True, False),  # so were they under a constant reward: what is left is rounding
        ({"clipped": 1e-4}, 0.0, True, True),
        ({}, 0.0, True, False),  # the gradients are elsewhere, in pieces
    ],
)
def test_a_policy_is_deaf_where_something_is_learnt_and_nothing_of_it_from_the_clips(
    norms: dict[str, float], heard: float, learns: bool, deaf: bool
) -> None:
    assert is_deaf(norms, heard, tower_learns=learns) is deaf


@pytest.mark.parametrize("frames", [3, 4, 5, 6, 7, 397, 398, 399, 400, 2999, 3000])
def test_a_clip_has_as_many_pieces_as_the_tower_makes_of_it(frames: int) -> None:
    convolved = len(range(0, frames, 2))
    assert audio_token_count(frames) == len(range(0, convolved - 1, 2))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (([[5, 6, 2]], [], [[-1.0, -2.0, -3.0]]), ([[5, 6, 2]], [], [[-1.0, -2.0, -3.0]])),
        (([5, 90, 2], [], []), ([[5, 0, 2]], [[1, 0, 1]], [])),
        (([[90, 2]], [[1, 1]], [[-1.0, -2.0, -3.0]]), ([[0, 2]], [[0, 1]], [[-2.0, -3.0]])),  # one more for the end
        # A tool's turn, of which nothing is learnt, between two of the model's.
        (
            ([[5, 2], [90, 7], [91, 2]], [[1, 1], [0, 0], [1, 1]], [[-1.0, -2.0], [-3.0, -4.0]]),
            ([[5, 2], [0, 7], [0, 2]], [[1, 1], [0, 0], [0, 1]], [[-1.0, -2.0, -4.0]]),
        ),
        (([], [], []), ([], [], [])),
    ],
)
def test_a_placeholder_in_an_answer_is_padding_and_not_learnt(before: tuple[Any, ...], after: tuple[Any, ...]) -> None:
    names = ("response_token_ids", "response_loss_mask", "rollout_logprobs")
    sample = SimpleNamespace(**dict(zip(names, before, strict=True)))
    hide_placeholders(sample, {90, 91}, 0)
    assert tuple(getattr(sample, name) for name in names) == after
