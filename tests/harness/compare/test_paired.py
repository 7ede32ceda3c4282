"""Which settings of two runs make their difference something else: how the backends tell the same sampling."""

from __future__ import annotations

import importlib.util
from typing import Any, cast

import pytest
from chat_server import chatting
from run_records import SETTINGS, TASK

from dtbench.harness.compare.paired import Confounder, confounders
from dtbench.harness.store.types import RunInfo
from dtbench.models.backends import open_model

ENGINES = all(importlib.util.find_spec(name) for name in ("vllm", "transformers"))
NEEDED = pytest.mark.skipif(not ENGINES, reason="vLLM and transformers are not installed: `make vllm`")


def told(spec: str, backend: str | None, **options: str) -> RunInfo:
    """The run.json of a run of a model."""
    model = open_model(spec, options, backend=backend)
    assert model is not None
    info: Any = {**SETTINGS, "model": dict(model.describe())}
    return cast("RunInfo", info)


def unfair(local: RunInfo, other: RunInfo) -> list[Confounder]:
    there = confounders(local, other, TASK)
    back = confounders(other, local, TASK)
    assert back == [Confounder(one.name, one.after, one.before) for one in there]
    return there


@NEEDED
@pytest.mark.parametrize("options", [{}, {"temperature": "0.7", "top_p": "0.9", "top_k": "20", "min_p": "0.1"}])
@pytest.mark.parametrize(
    "idle", [{}, {"repetition_penalty": "1"}, {"presence_penalty": "0", "frequency_penalty": "0.0", "n": "1"}]
)
def test_the_same_sampling_in_two_backends_is_no_difference(options: dict[str, str], idle: dict[str, str]) -> None:
    assert unfair(told("mini", "local", **options), told("mini", "vllm", **{**options, **idle})) == []


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"quantization": "gptq 4-bit"}, "gptq 4-bit"),
        ({"name": "local", "load_in_4bit": True}, "load_in_4bit when loaded"),
        ({"name": "vllm", "flags": {"quantization": "fp8"}}, "fp8"),
    ],
)
def test_weights_that_are_quantised_in_one_of_them_are_told(model: dict[str, object], said: str) -> None:
    plain, quantised = (cast("RunInfo", {**SETTINGS, "model": one}) for one in ({}, model))
    assert Confounder("quantization", "none", said) in unfair(plain, quantised)


@NEEDED
@pytest.mark.parametrize("idle", [{"top_p": "1"}, {"top_k": "0"}, {"top_k": "-1"}, {"min_p": "0"}])
def test_a_value_that_changes_nothing_is_as_good_as_none(idle: dict[str, str]) -> None:
    plain = told("mini", "vllm", temperature="0.7")
    assert unfair(told("mini", "local", temperature="0.7"), told("mini", "vllm", temperature="0.7", **idle)) == []
    assert unfair(plain, told("mini", "vllm", temperature="0.7", **idle)) == []


@NEEDED
@pytest.mark.parametrize(
    ("name", "value", "usual"),
    [
        ("temperature", "0.7", {"temperature": 0.0}),
        ("top_p", "0.9", {"top_p": 1.0}),
        ("top_k", "20", {"top_k": 0}),
        ("min_p", "0.1", None),
        ("repetition_penalty", "1.1", {"repetition_penalty": 1.0}),
        ("max_tokens", "100", {"max_tokens": 256}),
    ],
)
@pytest.mark.parametrize("backend", ["vllm", "local"])
def test_what_a_backend_samples_otherwise_is_told(name: str, value: str, usual: object, backend: str) -> None:
    one, other = told("mini", "local"), told("mini", backend, **{name: value})
    number = {name: int(value) if name in {"top_k", "max_tokens"} else float(value)}
    assert unfair(one, other) == [Confounder("sampling", str(usual or "none"), str(number))]


@NEEDED
def test_where_an_engine_may_sample_as_it_likes_nothing_is_taken_for_granted() -> None:
    local = told("mini", "local", temperature="0")
    open_ = "{'top_p': 1.0, 'top_k': 0, 'repetition_penalty': 1.0}"
    whole = {"temperature": "0", "max_tokens": "256", "limit_seconds": "30"}
    with chatting() as chat:
        assert unfair(local, told(chat.url, None, **whole)) == [Confounder("sampling", open_, "none")]
        said = told(chat.url, None, **whole, top_p="1", top_k="-1", repetition_penalty="1")
    assert unfair(local, said) == []
    hub = told("someone/a-checkpoint-not-fetched", "vllm", **whole)
    assert unfair(local, hub) == [Confounder("sampling", open_, "none")]
