"""A run against each host as people use it: by its profile, and as an endpoint that nobody knows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from chat_server import Chat, chatting
from command import Done, call
from host_fakes import FakeHost, dashscope, gemini, mistral, openai, openrouter
from runs import audible_data, records
from server_fakes import litellm, sglang, vllm

from dtbench.harness.store.run_folder import StoredRun
from dtbench.models.endpoint.finder import MOST_FORMS

COUNT = 20
KEY = "zq7Kp-very-secret-key-of-mine"


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DTBENCH", "OPENAI", "GEMINI", "GOOGLE", "DASHSCOPE", "MISTRAL", "OPENROUTER", "AZURE_OPENAI"):
        monkeypatch.delenv(f"{name}_API_KEY", raising=False)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    audible_data(folder, COUNT)
    return folder


def serving(host: FakeHost, **settings: Any) -> Any:
    return chatting(choose=host.choose, models=host.models, version=host.version, chooses_tried=True, **settings)


def run(chat: Chat, data: Path, out: Path, *more: str, path: str = "") -> Done:
    url = chat.url.replace("/v1", path) if path else chat.url
    return call("run", "--model", url, "--tasks", "mmar", "--data-dir", data, "--out", out, *more)


def found(out: Path) -> Mapping[str, Any]:
    return StoredRun.open(out).info["starts"][-1]["preflight"]


def assert_all_right(out: Path, done: Done) -> None:
    """Every question has one answer, the right one, and no failure stands in the folder."""
    assert done.code == 0, done
    lines = (out / "mmar.jsonl").read_text().splitlines()
    assert len(lines) == COUNT
    assert all(record["score"]["correct"] for record in records(out))


HOSTS: Mapping[str, tuple[FakeHost, str, tuple[str, ...]]] = {
    "openai": (openai(), "gpt-audio-1.5", ()),
    "openai, a reasoning model": (openai(reasoning=True, names=("gpt-5",)), "gpt-5", ("-M", "temperature=0")),
    "openai, asked to speak": (openai(speaks=True), "gpt-audio-1.5", ("-M", 'modalities=["text","audio"]')),
    "gemini": (gemini(), "gemini-2.5-pro", ()),
    "gemini, by the id of its list": (gemini(), "models/gemini-2.5-pro", ()),
    "dashscope": (dashscope(), "qwen3-omni-flash", ()),
    "dashscope, in one piece": (dashscope(stream_only=False), "qwen3.8-omni-flash", ("-M", "stream=false")),
    "mistral": (mistral(), "voxtral-small-latest", ()),
    "openrouter": (openrouter(), "openai/gpt-audio", ()),
    "vllm": (vllm(), "tiny", ()),
    "vllm, with a choice that sounds": (vllm(speaks=True), "tiny", ()),
    "sglang": (sglang(), "tiny", ()),
    "a proxy": (litellm(), "audio", ()),
    "a proxy that drops": (litellm(drops=True), "audio", ()),
}
NAMED = {"openai", "gemini", "dashscope", "mistral", "openrouter"}


@pytest.mark.parametrize("answer", ["direct", "forced"])
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("name", HOSTS)
def test_a_run_ends_well(name: str, known: bool, answer: str, data: Path, tmp_path: Path) -> None:
    host, model, more = HOSTS[name]
    own = name.partition(",")[0]
    if known and own in NAMED:
        more = (*more, "-M", f"host={own}")
    if answer == "forced" and name == "openai, asked to speak":
        more = ()
    with serving(host) as chat:
        done = run(chat, data, tmp_path / "out", "-M", f"model={model}", "--answer", answer, *more)
        tried, asked = len(chat.tried), len(chat.asked)
    assert_all_right(tmp_path / "out", done)
    assert asked == COUNT
    assert tried <= MOST_FORMS
    if known and own in NAMED and answer == "direct" and "reasoning" not in name:
        assert tried == 1


@pytest.mark.parametrize("concurrency", ["16", "64"])
@pytest.mark.parametrize("name", [name for name in HOSTS if "speak" not in name])
def test_no_forced_answer_is_lost_while_the_form_is_found(
    name: str, concurrency: str, data: Path, tmp_path: Path
) -> None:
    host, model, _ = HOSTS[name]
    options = ("--answer", "forced", "--concurrency", concurrency)
    with serving(host) as chat:
        done = run(chat, data, tmp_path / "out", "-M", f"model={model}", *options)
    assert_all_right(tmp_path / "out", done)
