"""The figures of a step about reward hacking, from what the rewards of several processes wrote."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from chains import GOOD, OTHER, ROW, completion

from dtbench.training.engines.inside.swift_bridge import RewardPlan
from dtbench.training.engines.inside.swift_rewards import RewardColumns
from dtbench.training.engines.metrics import MetricsFollower, read_steps
from dtbench.training.engines.ms_swift import SWIFT
from dtbench.training.engines.reward_figures import RewardFigures
from dtbench.training.recipe.monitors import ENGINE_FIGURES
from dtbench.training.rewards import Rewards, RewardSettings, TrainingRow

ROWS: dict[str, TrainingRow] = {name: dataclasses.replace(ROW, id=name) for name in ("a", "b", "dev")}
RIGHT, OTHERWISE, WRONG = completion(GOOD), completion(OTHER), completion(GOOD, "a car leaves")
BARE = "a person arrives"
"""A right answer without a chain, which a guard catches."""


class Process:
    """A process of the engine, whose rewards are called as it calls them."""

    def __init__(self, folder: Path, rank: int, patch: pytest.MonkeyPatch) -> None:
        settings = RewardSettings(embedding="ngrams", consistency="words")
        plan = RewardPlan(["accuracy", "format", "embedding"], settings, ROWS, folder / "rewards", ["dev"])
        patch.setenv("RANK", str(rank))
        self.columns = RewardColumns(plan, Rewards(settings))
        self.rank, self.patch = rank, patch

    def answer(self, ids: Sequence[str], texts: Sequence[str], done: int) -> list[float]:
        """Return what the last reward gives."""
        self.patch.setenv("RANK", str(self.rank))
        return self.columns.values("embedding", ids, texts, done)


def test_a_group_over_two_processes_counts_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (Process(tmp_path, rank, monkeypatch) for rank in (0, 1))
    marks = first.answer(["a", "a", "a"], [RIGHT, RIGHT, OTHERWISE], 0)
    marks += second.answer(["a", "b", "b"], [RIGHT, WRONG, BARE], 0)
    figures = RewardFigures(tmp_path / "rewards").of_step(1)
    of_a = marks[:4]
    mean = sum(of_a) / 4
    spread = (sum((mark - mean) ** 2 for mark in of_a) / 4) ** 0.5
    assert spread > 0.04
    assert figures["spread_all_right"] == pytest.approx(spread)
    assert figures["groups_alike"] == 0
    assert figures["guard_rate"] == figures["guard/empty"] == pytest.approx(1 / 6)
    low = [mark for mark in [*of_a, marks[5]] if mark < 0.5]
    assert figures["right_low_marks"] == pytest.approx(len(low) / 5)
    assert figures["length_wrong"] == len(GOOD.split())
    assert figures["length_right"] == pytest.approx((3 * len(GOOD.split()) + len(OTHER.split())) / 5)
    assert "evaluator_minus_embedding" not in figures


def test_equal_answers_are_a_group_that_is_alike_and_spread_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Process(tmp_path, 0, monkeypatch).answer(["a"] * 7, [RIGHT] * 7, 0)
    figures = RewardFigures(tmp_path / "rewards").of_step(1)
    assert (figures["groups_alike"], figures["spread_all_right"]) == (1, 0)


def test_dev_questions_are_in_no_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process = Process(tmp_path, 0, monkeypatch)
    process.answer(["a"], [RIGHT], 0)
    process.answer(["dev"], [BARE], 0)
    assert RewardFigures(tmp_path / "rewards").of_step(1)["guard_rate"] == 0
    for name, step in (("rank-0", 1), ("dev-rank-0", None)):
        (line,) = (tmp_path / "rewards" / f"{name}.jsonl").read_text().splitlines()
        assert json.loads(line).get("step") == step


def test_a_step_that_is_done_again_counts_by_its_last_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Process(tmp_path, 0, monkeypatch).answer(["a"], [BARE], 0)
    with (tmp_path / "rewards" / "rank-0.jsonl").open("a") as file:
        file.write('{"rank": 0, "st\n')  # what a killed process left
    again = Process(tmp_path, 0, monkeypatch)
    again.answer(["a"], [RIGHT], 0)
    again.answer(["b"], [RIGHT], 0)  # a second batch of the same step
    figures = RewardFigures(tmp_path / "rewards").of_step(1)
    assert (figures["guard_rate"], figures["length_right"]) == (0, len(GOOD.split()))


def test_steps_are_stored_with_the_figures_of_all_processes_and_the_engines_own_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, metrics = tmp_path / "logging.jsonl", tmp_path / "metrics.jsonl"
    follower = MetricsFollower(log, metrics, SWIFT, done=0, counts=tmp_path / "rewards")
    process = Process(tmp_path, 0, monkeypatch)
    for done in range(2):
        process.answer(["a", "a"], [RIGHT, BARE if done else WRONG], done)
        line = {"loss": 0.5, "frac_reward_zero_std": 0.25, "global_step/max_steps": f"{done + 1}/9"}
        with log.open("a") as file:
            file.write(json.dumps(line) + "\n")
    follower.new_steps()
    assert [(step["guard_rate"], step["groups_alike"]) for step in read_steps(metrics)] == [(0, 0.25), (0.5, 0.25)]
    # Killed before the second step was stored, and resumed from its checkpoint: its figures are not lost.
    metrics.write_text(metrics.read_text().splitlines()[0] + "\n")
    MetricsFollower(log, metrics, SWIFT, done=2, counts=tmp_path / "rewards")
    assert [step["guard_rate"] for step in read_steps(metrics)] == [0, 0.5]


def test_a_training_of_an_earlier_dtbench_has_no_such_figures_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = RewardSettings(embedding="ngrams", consistency="words")
    (tmp_path / "rewards.jsonl").write_text('{"rank": 0, "completions": 8}\n')
    old = RewardPlan(["embedding"], settings, ROWS, tmp_path / "rewards.jsonl")
    monkeypatch.setenv("RANK", "3")
    RewardColumns(old, Rewards(settings)).values("embedding", ["a"], [RIGHT], 4)
    figures = RewardFigures(tmp_path / "rewards")
    assert figures.of_step(4) == {}
    assert figures.of_step(5)["length_right"] == len(GOOD.split())


def test_the_figures_that_rules_may_name_are_those_of_the_engine() -> None:
    from dtbench.training.engines import ms_swift

    assert {*ms_swift._NAMES.values()} == {*ENGINE_FIGURES, "groups_alike"}
