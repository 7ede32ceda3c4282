"""`-M help`: every key that `-M` takes, where it goes, what it does, and its default."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from command import call

from dtbench.models.checkpoints.checkpoint import OPTIONS
from dtbench.models.endpoint.settings import OF_A_HOST, EndpointSettings
from dtbench.models.local.settings import LocalSettings
from dtbench.models.settings_help import KINDS, SettingHelp
from dtbench.models.vllm.model import VllmSettings

FAMILY = {"family"}


def settings(*words: str) -> dict[str, SettingHelp]:
    """What `-M help` says of each key, for a command line."""
    done = call(*words, "-M", "help", "--json")
    assert (done.code, done.err) == (0, "")
    return {one["name"]: SettingHelp(**one) for one in json.loads(done.out)["settings"]}


def names(kind: type) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


@pytest.mark.parametrize("way", [("--model", "localhost:8000"), ("--base-url", "localhost:8000")])
def test_an_endpoint_has_the_settings_of_its_requests(way: tuple[str, str]) -> None:
    assert settings("run", *way).keys() - FAMILY == names(EndpointSettings)


def test_a_judge_has_the_settings_of_an_endpoint() -> None:
    assert settings("judge", "run", "--base-url", "localhost:8000").keys() == names(EndpointSettings)


def test_a_checkpoint_has_those_of_what_runs_it(tmp_path: Path) -> None:
    local = settings("run", "--model", "org/name", "--backend", "local")
    assert local.keys() - set(OPTIONS) == names(LocalSettings)
    vllm = settings("run", "--model", "org/name", "--backend", "vllm")
    assert names(VllmSettings) - {"model", *OF_A_HOST} < vllm.keys()
    assert not {*OF_A_HOST} & vllm.keys()
    assert vllm["tensor_parallel_size"].kind == "engine"


def test_without_a_model_there_is_what_all_have_in_common() -> None:
    common = settings("run")
    assert common.keys() - FAMILY == names(LocalSettings) & names(EndpointSettings)


def test_a_model_without_weights_has_the_arguments_of_its_class() -> None:
    assert settings("run", "--model", "random").keys() == {"seed"}
    assert settings("run", "--model", "replay")["file"].default == "required"
    assert settings("run", "--model", "first") == {}
    assert settings("run", "--model", "majority") == {}


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--model", "localhost:8000"),
        ("--model", "org/name", "--backend", "local"),
        ("--model", "org/name", "--backend", "vllm"),
        ("--model", "replay"),
        ("--model", "scripted"),
        ("--model", "random"),
    ],
    ids=" ".join,
)
def test_every_key_says_where_it_goes_what_it_does_and_what_it_is_by_default(words: tuple[str, ...]) -> None:
    for one in settings("run", *words).values():
        assert one.kind in KINDS
        assert one.help.endswith(".")
        assert one.value
        assert one.default, one


def test_the_default_is_that_of_the_models_family() -> None:
    qwen = settings("run", "--model", "qwen2.5-omni", "--backend", "vllm")
    assert qwen["limit_seconds"].default == "300"
    assert settings("run", "--model", "org/name", "-M", "family=qwen2.5-omni", "--backend", "vllm") == qwen


def test_a_page_groups_the_keys_in_80_columns() -> None:
    page = call("run", "--model", "org/name", "--backend", "vllm", "-M", "help").out
    assert max(map(len, page.splitlines())) <= 80
    headings = [line for line in page.splitlines() if line in {kind.capitalize() for kind in KINDS}]
    assert headings == ["Engine", "Generation", "Request", "Client"]
    assert "temperature=NUMBER" in page
    assert "(at least 0)" in page


def test_nothing_is_asked_and_no_task_is_needed(tmp_path: Path) -> None:
    done = call("run", "--model", "first", "--out", tmp_path / "out", "-M", "help")
    assert done.code == 0
    assert done.out == "Settings of the model first: none\n"
    assert not (tmp_path / "out").exists()


def test_an_unknown_model_is_refused_as_ever() -> None:
    assert "unknown model 'frist'. Did you mean first" in call("run", "--model", "frist", "-M", "help").refusal()
