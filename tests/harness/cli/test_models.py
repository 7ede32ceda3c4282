"""`dtbench models` as a user runs it, and the families that it lists."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import call, process

from dtbench.models.checkpoints import families

ASKED_FOR = """qwen2-audio qwen2.5-omni qwen3-omni qwen3-omni-thinking audio-flamingo-3 kimi-audio step-audio-2-mini
    mimo-audio phi-4-multimodal voxtral ultravox gemma-3n minicpm-o granite-speech midashenglm r1-aqa omni-r1
    audio-reasoner gpt-4o-audio gpt-audio gemini moss-audio moss-audio-thinking audio-flamingo-next
    nemotron-3-nano-omni step-audio-r1 step-audio-2-mini-think audiomcq qwen3-omni-captioner granite-speech-4 mimo-v2.5
    fun-audio-chat dots3-note qwen3.5-omni""".split()


@pytest.mark.parametrize("columns", ["60", "80", "200"])
def test_every_family_is_shown_whole_at_any_width(columns: str) -> None:
    done = process("models", COLUMNS=columns)
    assert (done.code, done.err) == (0, "")
    assert "…" not in done.out
    names = "".join(line.split("│")[1].strip() for line in done.out.splitlines() if line.startswith("│"))
    assert names == "".join(families.built_in_families())
    assert set(ASKED_FOR) <= families.built_in_families().keys()


def test_one_family_is_told_with_its_traps() -> None:
    said = call("models", "qwen2-audio").out
    assert "Qwen/Qwen2-Audio-7B-Instruct" in said
    assert said.count("trap") == len(families.built_in_families()["qwen2-audio"].traps)
    (facts,) = json.loads(call("models", "qwen2-audio", "--json").out)
    assert (facts["limit_seconds"], facts["architectures"]) == (30.0, ["Qwen2AudioForConditionalGeneration"])


def test_who_runs_nowhere_here_says_what_remains() -> None:
    for family in families.built_in_families().values():
        assert family.url or set(family.backends) & {"vllm", "local"} or family.instead


def test_an_unknown_family_is_one_line() -> None:
    done = call("models", "qwen2-audoi")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: unknown family 'qwen2-audoi'. Did you mean qwen2-audio")


def test_a_file_of_families_is_read_as_the_built_in_one(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[mine]\nhub_id = "me/mine"\nserve = { trust_remote_code = true }\nchain = ["<r>", "</r>"]\n')
    (facts,) = json.loads(call("models", str(file), "--json").out)
    assert facts["serve"] == {"trust_remote_code": True}
    assert (facts["name"], facts["title"], facts["chain"]) == ("mine", "mine", ["<r>", "</r>"])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[mine]\nhubid = 'x'", "mine.toml: [mine]: unknown setting 'hubid'. Did you mean hub_id"),
        ("[mine]\nrate = 'fast'", 'mine.toml: [mine]: rate = "fast": a whole number is expected.'),
        ("[mine]\nbackends = ['gpu']", 'backends = "gpu": unknown. Known: vllm, local, endpoint.'),
        ("[mine]\nrate = 400", "rate = 400: 4000 to 192000 is expected."),
        ("[mine]\nbackends = []", "backends = []: one or more of vllm, local, endpoint is expected."),
        ("[mine]\nlimit_seconds = 0", "limit_seconds = 0: above 0 is expected."),
        (
            "[mine]\nchain = ['<t>']",
            'chain = ["<t>"]: a pair of different tags, such as <reason>,</reason>, is',
        ),
        ("title = 'x'", "mine.toml: title is outside any table: a family begins with a line such as [my-model]."),
        ("[mine", "mine.toml: not TOML ("),
    ],
)
def test_what_is_wrong_in_a_file_of_families_is_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "mine.toml").write_text(text)
    done = call("models", str(tmp_path / "mine.toml"))
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert complaint in done.err
