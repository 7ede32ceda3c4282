"""The settings of a run whose user names none: of a folder, a hub id and a short name, and of a style of answer."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from hub_server import serving_hub

from dtbench.harness.core.schema import Prompt
from dtbench.models.backends import open_model
from dtbench.models.checkpoints.checkpoint import Checkpoint, resolve_checkpoint
from dtbench.models.checkpoints.defaults import checkpoint_defaults, endpoint_defaults
from dtbench.models.checkpoints.families import built_in_families
from dtbench.models.vllm.model import Vllm

NEEDED = pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed: `make vllm`")
CONFIG = {"architectures": ["Qwen2AudioForConditionalGeneration"]}
SAMPLES = {"do_sample": True, "temperature": 0.7, "top_k": 20, "repetition_penalty": 1.1}
GREEDY = {"do_sample": False, "temperature": 0.7, "repetition_penalty": 1.1}


def write(folder: Path, generation: dict[str, Any] | None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "model.safetensors").write_bytes(b"")
    if generation is not None:
        (folder / "generation_config.json").write_text(json.dumps(generation))
    return folder


def cached(cache: Path, hub_id: str, generation: dict[str, Any] | None) -> None:
    """Put a checkpoint into a cache of the hub."""
    home = cache / f"models--{hub_id.replace('/', '--')}"
    write(home / "snapshots" / "1a2b", generation)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("1a2b")


def found(spec: str | Path) -> Checkpoint:
    checkpoint = resolve_checkpoint(str(spec))
    assert checkpoint is not None
    return checkpoint


def requests(spec: str | Path, style: str) -> list[Any]:
    """Return what is sent for twenty questions."""
    model = open_model(str(spec), {}, style=style)
    assert isinstance(model, Vllm)
    prompts = [Prompt(f"Question {number}?", Path("clip.wav"), seed=number) for number in range(20)]
    return [model.preview(prompt, "clip.wav").body for prompt in prompts]


@NEEDED
@pytest.mark.parametrize("style", ["direct", "think", "forced"])
@pytest.mark.parametrize("generation", [SAMPLES, GREEDY, None])
def test_a_folder_a_hub_id_and_a_short_name_are_asked_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, generation: dict[str, Any] | None, style: str
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    for hub_id in ("me/tuned", "Qwen/Qwen2-Audio-7B-Instruct"):
        cached(tmp_path / "cache", hub_id, generation)
    expected = requests(write(tmp_path / "folder", generation), style)
    equal = [requests(spec, style) == expected for spec in ("me/tuned", "qwen2-audio")]
    assert equal == [True, True]
    temperatures = {body["temperature"] for body in expected}
    assert temperatures == ({0.7} if generation is SAMPLES else {0.0})


def test_what_the_cache_lacks_is_fetched_and_a_hub_without_the_file_means_greedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with serving_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        hub.files["/me/tuned/resolve/main/generation_config.json"] = json.dumps(SAMPLES).encode()
        hub.files["/me/tuned/resolve/v2/generation_config.json"] = json.dumps(GREEDY).encode()
        settings, source, problem = checkpoint_defaults(Checkpoint("me/tuned", None, None), "direct")
        assert (settings["temperature"], settings["top_k"]) == (0.7, 20)
        assert (source, problem) == ("generation_config.json", "")
        other = checkpoint_defaults(Checkpoint("me/tuned", None, None), "direct", revision="v2")
        assert other.settings["temperature"] == 0.0
        bare = checkpoint_defaults(Checkpoint("me/bare", None, None), "direct")
        assert (bare.settings["temperature"], bare.problem) == (0.0, "")
        assert bare.sampling_source == "greedy, as it has no generation_config.json"


def test_a_hub_that_cannot_be_reached_is_one_line_that_says_what_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    settings, source, problem = checkpoint_defaults(Checkpoint("me/tuned", None, None), "direct")
    assert settings["temperature"] == 0.0
    assert problem.startswith("me/tuned: its generation_config.json cannot be read (")
    assert problem.endswith("): temperature 0 is sent")
    assert source == "greedy, as its generation_config.json could not be read"
    own = built_in_families()["audio-reasoner"]
    family = checkpoint_defaults(Checkpoint("me/tuned", own, None), "direct")
    assert family.sampling_source.startswith("its family's, else greedy")
    nothing = checkpoint_defaults(Checkpoint("me/tuned", None, None), "direct", fetch=False)
    assert "temperature" not in nothing.settings


def test_a_file_that_is_broken_is_no_silence(tmp_path: Path) -> None:
    folder = write(tmp_path / "tuned", None)
    (folder / "generation_config.json").write_text("{")
    settings, _, problem = checkpoint_defaults(found(folder), "direct")
    assert settings["temperature"] == 0.0
    assert "generation_config.json cannot be read" in problem


def test_the_longest_answer_is_that_of_the_style_unless_the_family_says_otherwise() -> None:
    def longest(name: str | None, style: str | None) -> object:
        family = None if name is None else built_in_families()[name]
        return endpoint_defaults(family, style).settings.get("max_tokens")

    assert [longest(None, style) for style in ("direct", "think", None)] == [2048, 8192, None]
    assert [longest("qwen3-omni-thinking", style) for style in ("direct", "think")] == [8192, 8192]
    assert [longest("gemma-4", style) for style in ("direct", "think")] == [2048, 8192]
    assert [longest("nemotron-3-nano-omni", style) for style in ("direct", "think")] == [1024, 20480]
    assert longest("mini", "think") == 256


def test_thinking_is_switched_by_the_style_where_there_is_a_switch() -> None:
    def switched(name: str) -> list[object]:
        family = built_in_families()[name]
        return [family.settings(style).get("chat_template_kwargs") for style in ("direct", "forced", "think")]

    off, on = {"enable_thinking": False}, {"enable_thinking": True}
    assert switched("nemotron-3-nano-omni") == [off, off, on]
    assert switched("gemma-4") == switched("gemma-4-unified") == [None, None, on]
    assert switched("qwen3-omni") == [None, None, None]
