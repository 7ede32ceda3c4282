"""One name for an endpoint in every command: `--base-url`, and `--model` as the name that it serves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from chat_server import chatting
from command import call

from dtbench.harness.run.request import RunRequest


def asked_for(folder: Path) -> dict[str, object]:
    """What run.json says that the run was asked for."""
    request: dict[str, object] = json.loads((folder / "run.json").read_text())["request"]
    return request


def without_scheme(url: str) -> str:
    return url.partition("://")[2]


def test_every_way_to_name_an_endpoint_is_the_same_run(tmp_path: Path) -> None:
    requests = []
    with chatting() as chat:
        host = without_scheme(chat.url)
        ways: Sequence[Sequence[str]] = (
            ("--model", chat.url, "-M", "model=tiny"),
            ("--model", host, "-M", "model=tiny"),
            ("--base-url", chat.url, "--model", "tiny"),
            ("--base-url", host, "--model", "tiny"),
        )
        for number, way in enumerate(ways):
            out = tmp_path / str(number)
            assert call("run", *way, "--tasks", "mini", "--limit", "2", "--out", out).code == 0
            requests.append(asked_for(out))
    assert requests == [requests[0]] * len(ways)
    assert requests[0]["model_options"] == {"model": "tiny"}


def test_an_endpoint_that_serves_one_model_needs_no_name(tmp_path: Path) -> None:
    with chatting() as chat:
        done = call("run", "--base-url", chat.url, "--tasks", "mini", "--limit", "2", "--out", tmp_path / "out")
    assert done.code == 0


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--base-url", "somewhere"), "--base-url somewhere: a URL is expected, such as http://127.0.0.1:8000/v1."),
        (
            ("--base-url", "localhost:1", "--model", "http://a/v1"),
            "--model http://a/v1, --base-url localhost:1: the endpoint is named twice; give --base-url alone.",
        ),
        (
            ("--base-url", "localhost:1", "--model", "a", "-M", "model=b"),
            "--model a, -M model=b: the model is named twice; give --model alone.",
        ),
        ((), "--model is missing: name one, such as --model first, or the URL of an endpoint."),
    ],
)
def test_an_endpoint_that_is_named_wrongly_is_one_line(options: Sequence[str], line: str) -> None:
    assert call("run", *options, "--tasks", "mini").refusal() == f"error: {line}"


def test_the_port_of_a_host_is_no_class_of_a_module() -> None:
    request = RunRequest(model="localhost:8000", tasks=["mini"])
    assert request.model == "http://localhost:8000"
    assert RunRequest(model="my_models:Greedy", tasks=["mini"]).model == "my_models:Greedy"
