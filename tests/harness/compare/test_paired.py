"""Which settings of two runs make their difference something else: how the backends tell the same sampling."""

from __future__ import annotations

import copy
import importlib.util
from typing import Any, cast

import pytest
from chat_server import chatting
from run_records import ABOUT, SETTINGS, TASK

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


def with_other(part: str, value: dict[str, Any]) -> RunInfo:
    """A run that is like the others but in one part: of its task, its model or the whole."""
    info: Any = copy.deepcopy(SETTINGS)
    (info if part == "run" else info[part] if part == "model" else info["tasks"][TASK]).update(value)
    return cast("RunInfo", info)


OTHER_DATA = {"version": "v1", "sha256": "fedcba9876543210", "source": "toy.jsonl"}


@pytest.mark.parametrize(
    ("part", "value", "expected"),
    [
        ("task", {"data": OTHER_DATA}, ("data", "v1 (0123456789ab)", "v1 (fedcba987654)")),
        ("task", {"data": {**OTHER_DATA, "version": "v2"}}, ("data", "v1 (0123456789ab)", "v2 (fedcba987654)")),
        ("task", {"prompt_hash": "ffff"}, ("prompt", "a1b2c3d4e5f6", "ffff")),
        ("task", {"answer": "think"}, ("answer", "direct", "think")),
        ("task", {"audio": "silence"}, ("audio", "clip", "silence")),
        ("task", {"permute": 1}, ("permute", "0", "1")),
        ("task", {"samples": 4}, ("samples", "1", "4")),
        ("task", {"scorer": "2025"}, ("scorer", "none", "2025")),
        ("task", {"min_evidence": "stated"}, ("min-evidence", "inferred", "stated")),
        ("run", {"long_clips": "fail"}, ("long-clips", "cut", "fail")),
        ("model", {"sampling": {"temperature": 0.7}}, ("sampling", "none", "{'temperature': 0.7}")),
        ("model", {"limit_seconds": 30}, ("clip-limit", "none", "30")),
        ("model", {"quantization": "gptq"}, ("quantization", "none", "gptq")),
    ],
)
def test_each_setting_that_makes_a_difference_something_else_is_told(
    part: str, value: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    assert unfair(cast("RunInfo", SETTINGS), with_other(part, value)) == [Confounder(*expected)]


def test_where_a_copy_of_the_data_was_read_and_which_checkpoint_answered_are_no_confounders() -> None:
    elsewhere = {**ABOUT["data"], "source": "/elsewhere/toy.jsonl", "version": "copy"}  # type: ignore[dict-item]
    assert unfair(cast("RunInfo", SETTINGS), with_other("task", {"data": elsewhere})) == []
    assert unfair(cast("RunInfo", SETTINGS), with_other("model", {"content": None, "model": "other"})) == []
