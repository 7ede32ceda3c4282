"""Forced choice against a real vLLM: every option has a probability, and the answer is the likeliest."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from called_birds import CHOICES, TASK, calls, write_birds
from command import process
from runs import records
from vllm_process import Server

pytestmark = pytest.mark.engine

COUNT = 12


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("birds")
    write_birds(folder, calls(COUNT))
    return folder


def run(server: Server, birds: Path, out: Path, *options: str) -> Mapping[str, Any]:
    """The records of a forced run by question."""
    asked = ("--model", server.url, "--task-file", TASK, "--data-dir", birds, "--out", out, "--answer", "forced")
    done = process("run", *asked, *options)
    assert done.code == 0, done.err
    return {record["id"]: record for record in records(folder(out, *options), "birds")}


def folder(out: Path, *options: str) -> Path:
    return out / f"permute-{options[1]}" if "--permute" in options else out


def shares(record: Mapping[str, Any]) -> list[float]:
    return [math.exp(logprob) for logprob in record["response"]["option_logprobs"]]


def told(path: Path) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((path / "summary.json").read_text())["tasks"][0]
    return summary


@pytest.fixture(scope="module")
def forced(vllm_server: Server, birds: Path) -> Mapping[str, Any]:
    return run(vllm_server, birds, birds / "out")


def test_every_option_has_a_probability_and_they_sum_up_to_one(forced: Mapping[str, Any]) -> None:
    assert len(forced) == COUNT
    for record in forced.values():
        assert len(shares(record)) == len(CHOICES)
        assert all(share > 0 for share in shares(record))
        assert math.fsum(shares(record)) == pytest.approx(1, abs=1e-4)


def test_the_answer_is_the_letter_of_the_likeliest_option(birds: Path, forced: Mapping[str, Any]) -> None:
    for record in forced.values():
        likeliest = shares(record).index(max(shares(record)))
        assert record["response"]["text"] == "ABCD"[likeliest]
        assert record["extraction"]["choice"] == CHOICES[likeliest]
        assert record["response"]["usage"]["completion_tokens"] == 1
    summary = told(birds / "out")["forced"]
    assert (summary["no_letter"], summary["not_argmax"], summary["scored"]) == (0, 0, COUNT)
    assert summary["letter_mass"] == pytest.approx(1, abs=1e-4)


def test_a_second_run_says_the_same_with_the_same_odds(
    vllm_server: Server, birds: Path, forced: Mapping[str, Any], tmp_path: Path
) -> None:
    again = run(vllm_server, birds, tmp_path / "out", "--concurrency", "3")
    for id_, record in forced.items():
        assert again[id_]["response"]["text"] == record["response"]["text"]
        assert shares(again[id_]) == pytest.approx(shares(record), abs=2e-4)


def test_transformers_in_this_process_says_the_same_with_the_same_odds(
    tiny_qwen2_audio: Path, birds: Path, forced: Mapping[str, Any], tmp_path: Path
) -> None:
    asked = ("--model", tiny_qwen2_audio, "--backend", "local", "--task-file", TASK, "--data-dir", birds)
    done = process("run", *asked, "--out", tmp_path / "out", "--answer", "forced")
    assert done.code == 0, done.err
    found = {record["id"]: record for record in records(folder(tmp_path / "out"), "birds")}
    for id_, record in forced.items():
        ours = shares(found[id_])
        assert found[id_]["response"]["text"] == record["response"]["text"]
        assert [share / math.fsum(ours) for share in ours] == pytest.approx(shares(record), abs=2e-4)
    assert 0 < told(tmp_path / "out")["forced"]["letter_mass"] < 1


def test_a_liking_for_a_letter_averages_out_over_all_orders(
    vllm_server: Server, birds: Path, forced: Mapping[str, Any]
) -> None:
    for places in ("1", "2", "3"):
        run(vllm_server, birds, birds / "out", "--permute", places)
    averaged = told(birds / "out" / "permute-3")["order_averaged"]
    assert (averaged["orders"], averaged["n"], averaged["unmatched"]) == (4, COUNT, 0)
    alone = told(birds / "out")["forced"]["calibration"]["confidence"]
    assert averaged["calibration"]["confidence"] < alone  # random weights know letters, and no birds
