"""The evaluator of rewards with a real vLLM server, held to the form of its marks by structured output."""

from __future__ import annotations

from pathlib import Path

import pytest
from chains import GOOD, OTHER, ROW, completion
from vllm_process import Server

from dtbench.training.rewards import Rewards, RewardSettings

pytestmark = pytest.mark.engine

MARKS = r'\{"path": [0-9], "steps": [0-9], "strategy": [0-9], "depth": [0-9]\}'
TEXTS = [completion(GOOD), completion(OTHER), completion(GOOD, "a car leaves")]


def test_a_real_server_gives_four_marks_to_each_right_answer(vllm_server: Server, tmp_path: Path) -> None:
    settings = RewardSettings(
        evaluator=f"{vllm_server.url}/v1",
        evaluator_options={"max_tokens": 200, "extra": {"structured_outputs": {"regex": MARKS}}},
        embedding="ngrams",
        cache=tmp_path,
    )
    with Rewards(settings) as rewards:
        first = rewards.score_batch(["evaluator", "hybrid"], [ROW] * 3, TEXTS)
    counts = first.report.counts
    assert (counts["evaluator_calls"], counts["evaluator_failed"], counts["marked"]) == (2, 0, 2)
    assert counts["evaluator_prompt_tokens"] > 2 * 100
    assert first.values["evaluator"][2] == 0
    assert all(0 <= value <= 0.9 for value in first.values["evaluator"])
    with Rewards(settings) as rewards:
        again = rewards.score_batch(["evaluator", "hybrid"], [ROW] * 3, TEXTS)
    assert (again.values, again.report.counts["evaluator_calls"]) == (first.values, 0)


def test_a_real_server_that_talks_nonsense_costs_the_evaluators_part_alone(vllm_server: Server) -> None:
    settings = RewardSettings(
        evaluator=f"{vllm_server.url}/v1",
        evaluator_options={"max_tokens": 16},
        embedding="ngrams",
        attempts=2,
        max_failed=1.0,
    )
    with Rewards(settings) as rewards:
        scores = rewards.score_batch(["evaluator", "embedding"], [ROW], TEXTS[:1])
    assert scores.values["evaluator"] == scores.values["embedding"]
    assert scores.report.counts["evaluator_failed"] == 1
    assert scores.report.counts["evaluator_unreadable"] == 2
