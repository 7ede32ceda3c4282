"""What a file of families says reaches a run: a fact that nothing reads would be a promise that nobody keeps."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from command import call

from dtbench.harness.core.errors import DtbenchError
from dtbench.harness.core.schema import Prompt
from dtbench.models.backends import open_model
from dtbench.models.checkpoints.checkpoint import resolve_checkpoint
from dtbench.models.checkpoints.families import (
    Family,
    StyleFacts,
    built_in_families,
    family_of_architecture,
    load_families,
)

NEEDED = pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed: `make vllm`")
IN_A_RUN = {
    "hub_id": '"me/other"',
    "checkpoint": '"weights"',
    "chain": '["<reason>", "</reason>"]',
    "rate": "24000",
    "limit_seconds": "12.5",
    "sampling": "{ temperature = 0.5 }",
    "direct": "{ sampling = { top_k = 3 }, chat_template_kwargs = { a = 1 }, system = 'Direct.' }",
    "think": "{ sampling = { top_k = 4 }, chat_template_kwargs = { a = 2 }, system = 'Think.' }",
    "system": '"Listen."',
    "chat_template": '"{{ messages }}"',
    "chat_template_kwargs": "{ depth = 2 }",
    "stop": '["\\n"]',
    "stop_token_ids": "[7]",
    "extra": "{ ignore_eos = true }",
    "serve": '{ default_mm_loras = "{checkpoint}" }',
    "reasoning_parser": '"qwen3"',
    "audio_part": '"audio_url"',
    "backends": '["endpoint"]',
    "instead": '"serve it elsewhere"',
    "url": '"http://127.0.0.1:1/v1"',
    "model": '"its-name"',
    "forced": "false",
}
"""What changes the request, the command or the model itself: a field, and a value of it."""
SHOWN = {
    "title": '"A title of its own"',
    "thinking": '"by itself"',
    "licence": '"mit"',
    "made_for": '["mini"]',
    "traps": '["hums"]',
    "proven": '"once"',
    "source": '["https://example.org/page"]',
    "clips_per_prompt": "3",
    "stereo": "true",
    "thinking_budget": '"thinking_token_budget"',
    "seed": "false",
    "adapter": '"speech-lora"',
    "hub_ids": '["me/another"]',
}
"""What `dtbench models` shows. The last ones are read elsewhere: tests of theirs hold it."""


def fingerprint(file: Path) -> str:
    """Return what is run and sent for a family: the model, the command, and a request of each style, or why not."""
    said: list[Any] = []
    for style in ("direct", "think", "forced"):
        letters = ("A", "B") if style == "forced" else ()
        try:
            model: Any = open_model(str(file), {}, ask=False, style=style)
            seen = model.preview(Prompt("Who?", Path("clip.wav"), letters=letters), "clip.wav")
            said.append([dict(model.describe()), model.rate, model.forces, seen.body, list(seen.command)])
        except DtbenchError as error:
            said.append(str(error))
    return json.dumps(said, default=str)


@NEEDED
@pytest.mark.parametrize("name", IN_A_RUN)
def test_a_fact_changes_what_is_run_or_sent(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.chdir(tmp_path)
    Path("weights").mkdir()
    Path("weights", "config.json").write_text("{}")
    base = '[mine]\nhub_id = "me/mine"\n'
    if name == "instead":
        base += 'backends = ["endpoint"]\n'
    if name == "model":
        base += 'backends = ["endpoint"]\nurl = "http://127.0.0.1:1/v1"\n'
    Path("mine.toml").write_text(base)
    before = fingerprint(Path("mine.toml"))
    lines = base.replace('hub_id = "me/mine"\n', "") if name == "hub_id" else base
    Path("mine.toml").write_text(f"{lines}{name} = {IN_A_RUN[name]}\n")
    assert fingerprint(Path("mine.toml")) != before


@pytest.mark.parametrize("name", SHOWN)
def test_a_fact_is_shown(name: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[mine]\nhub_id = "me/mine"\n')
    before = call("models", file).out
    file.write_text(f'[mine]\nhub_id = "me/mine"\n{name} = {SHOWN[name]}\n')
    after = call("models", file)
    assert after.code == 0, after
    assert after.out != before
    assert name in json.loads(call("models", file, "--json").out)[0]


def test_every_field_of_a_family_is_read() -> None:
    fields = {field.name for field in dataclasses.fields(Family)} - {"name", "architectures"}
    prices = {field for field in fields if field.startswith("price")}  # the cost of a run is held where it is counted
    assert {*IN_A_RUN, *SHOWN} == fields - prices
    for field in dataclasses.fields(StyleFacts):
        assert field.name in IN_A_RUN["think"]


def test_a_chat_template_is_a_file_beside_the_families_or_a_text(tmp_path: Path) -> None:
    (tmp_path / "mine.jinja").write_text("{{ messages }}")
    (tmp_path / "mine.toml").write_text('[a]\nchat_template = "mine.jinja"\n[b]\nchat_template = "{{ text }}"\n')
    families = load_families(tmp_path / "mine.toml")
    assert families["a"].chat_template == str((tmp_path / "mine.jinja").resolve())
    assert families["b"].chat_template == "{{ text }}"
    (tmp_path / "mine.toml").write_text('[a]\nchat_template = "gone.jinja"\n')
    done = call("models", tmp_path / "mine.toml")
    assert done.err.endswith("[a]: chat_template = 'gone.jinja': there is no such file.\n")


@pytest.mark.parametrize(
    ("architecture", "called", "family"),
    [
        ("MossAudioModel", "/data/MOSS-Audio-4B-Thinking", "moss-audio-thinking"),
        ("MossAudioModel", "/data/step-100", "moss-audio"),
        ("GraniteSpeechForConditionalGeneration", "/data/granite-speech-4.1-2b-plus", "granite-speech-4"),
        ("GraniteSpeechForConditionalGeneration", "/data/granite-speech-3.3-2b", "granite-speech"),
        ("MusicFlamingoForConditionalGeneration", "/data/audio-flamingo-next-think-hf", "audio-flamingo-next-think"),
        ("MusicFlamingoForConditionalGeneration", "/data/tuned", "music-flamingo"),
        ("Qwen2_5OmniForConditionalGeneration", "/data/AudioMCQ-Mixed-To-Strong", "audiomcq"),
        ("Qwen3OmniMoeForConditionalGeneration", "/data/Qwen3-Omni-30B-A3B-Captioner", "qwen3-omni-captioner"),
    ],
)
def test_a_release_is_of_its_own_family(architecture: str, called: str, family: str) -> None:
    found = family_of_architecture(architecture, called)
    assert found is not None
    assert found.name == family


def test_every_hub_id_is_of_one_family_and_every_new_one_names_its_source() -> None:
    ids = [one.lower() for family in built_in_families().values() for one in family.known_ids]
    assert len(ids) == len(set(ids))
    assert resolve_checkpoint("stepfun-ai/Step-Audio-R1") is not None
    for name, family in built_in_families().items():
        assert family.source or family.proven or family.url or name in {"omni-r1", "step-audio-2-mini"}, name


@pytest.mark.parametrize("name", ["desta2.5", "lfm2.5-audio", "ming-omni", "salmonn", "baichuan-audio", "soundmind"])
def test_a_model_that_only_its_authors_code_runs_says_so(name: str) -> None:
    done = call("run", "--model", name, "--tasks", "mini", "--limit", "1", "--out", "none")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "not through dtbench: only its authors' code runs it" in done.err


def test_a_model_that_was_shut_down_names_its_successor() -> None:
    done = call("run", "--model", "gpt-4o-audio", "--tasks", "mini", "--limit", "1", "--out", "none")
    assert "shut gpt-4o-audio-preview down on 2026-05-07: take --model gpt-audio" in done.err
