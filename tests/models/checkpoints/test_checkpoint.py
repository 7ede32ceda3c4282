"""What a name for weights stands for: a folder, an id of the hub, a family; and which family the weights are of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dtbench.harness.core.errors import UserError
from dtbench.models.checkpoints.checkpoint import Checkpoint, bundled_name, refuse_no_weights, resolve_checkpoint
from dtbench.models.checkpoints.families import built_in_families, get_family


def folder(path: Path, architecture: str | None = "Qwen2AudioForConditionalGeneration") -> Path:
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps({"architectures": [architecture]} if architecture else {}))
    (path / "model.safetensors").write_bytes(bytes(5 << 20))
    return path


def found(spec: str | Path, family: str | None = None) -> Checkpoint:
    checkpoint = resolve_checkpoint(str(spec), get_family(family) if family else None)
    assert checkpoint is not None
    return checkpoint


@pytest.mark.parametrize(
    ("name", "architecture", "family"),
    [
        ("step-400", "Qwen2AudioForConditionalGeneration", "qwen2-audio"),
        ("my-r1-aqa-v2", "Qwen2AudioForConditionalGeneration", "r1-aqa"),
        ("Qwen3-Omni-30B-A3B-Thinking", "Qwen3OmniMoeForConditionalGeneration", "qwen3-omni-thinking"),
        ("Qwen3-Omni-30B-A3B-Instruct", "Qwen3OmniMoeForConditionalGeneration", "qwen3-omni"),
        ("step-400", "Qwen2_5OmniForConditionalGeneration", "qwen2.5-omni"),
        ("omni-r1-step-400", "Qwen2_5OmniThinkerForConditionalGeneration", "omni-r1"),
        ("step-400", "Qwen3OmniMoeThinkerForConditionalGeneration", "qwen3-omni"),
        ("step-400", "HumBirdForConditionalGeneration", None),
        ("step-400", None, None),
    ],
)
def test_a_folder_is_of_the_family_of_its_class_and_name(
    tmp_path: Path, name: str, architecture: str | None, family: str | None
) -> None:
    checkpoint = found(folder(tmp_path / name, architecture))
    assert (checkpoint.name, checkpoint.architecture, checkpoint.is_local) == (name, architecture, True)
    assert checkpoint.family == (None if family is None else built_in_families()[family])


def test_the_family_that_a_user_names_stands_before_what_the_folder_says(tmp_path: Path) -> None:
    checkpoint = found(folder(tmp_path / "r1-aqa"), "audio-reasoner")
    assert checkpoint.family is built_in_families()["audio-reasoner"]


def test_a_short_name_stands_for_its_hub_id() -> None:
    checkpoint = found("qwen2-audio")
    assert (checkpoint.source, checkpoint.is_local) == ("Qwen/Qwen2-Audio-7B-Instruct", False)
    assert checkpoint.content_hash() is None


def test_a_hub_id_is_known_by_its_name_or_by_what_was_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert found("mispeech/r1-aqa").family is built_in_families()["r1-aqa"]
    assert found("me/tuned").family is None
    folder(tmp_path / "models--me--tuned" / "snapshots" / "1a2b")
    assert found("me/tuned").family is built_in_families()["qwen2-audio"]


def test_of_a_hub_id_the_commit_is_told_where_it_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert "commit" not in found("me/tuned").describe()
    home = tmp_path / "models--me--tuned"
    for commit in ("1a2b", "ff00"):
        folder(home / "snapshots" / commit)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("1a2b")
    (home / "refs" / "v2").write_text("ff00")
    assert found("me/tuned").describe()["commit"] == "1a2b"
    assert [found("me/tuned").commit(name) for name in ("v2", "ff00", "v3")] == ["ff00", "ff00", None]


def test_what_is_no_name_for_weights_is_left_to_others() -> None:
    assert resolve_checkpoint("first") is None
    assert resolve_checkpoint("a:b") is None


@pytest.mark.parametrize("spec", ["./gone", "../gone", "~/gone", "/gone/model", "a/b/c", "runs/step-400"])
def test_a_path_without_a_folder_is_no_hub_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    with pytest.raises(UserError, match=f"^--model {spec}: there is no such folder"):
        resolve_checkpoint(spec)


def test_a_family_of_ones_own_may_name_a_folder(tmp_path: Path) -> None:
    weights = folder(tmp_path / "weights")
    mine = tmp_path / "mine.toml"
    mine.write_text(f'[mine]\ncheckpoint = "{weights}"\nlimit_seconds = 12\n')
    checkpoint = found(mine)
    assert (checkpoint.source, checkpoint.family and checkpoint.family.limit_seconds) == (str(weights), 12)
    mine.write_text('[mine]\ncheckpoint = "gone"\n')
    with pytest.raises(UserError, match="checkpoint = 'gone': there is no such folder"):
        resolve_checkpoint(str(mine))


def test_the_weights_in_the_box_go_by_their_name_wherever_they_lie() -> None:
    checkpoint = found("mini")
    assert (checkpoint.name, checkpoint.is_local) == ("mini", True)
    assert Path(checkpoint.source).parent.name == "mini"
    assert found(checkpoint.source, "mini").name == "mini"


def test_the_weights_in_the_box_have_a_name_in_every_copy_of_dtbench(tmp_path: Path) -> None:
    source = found("mini").source
    copy = tmp_path / "models" / "mini" / "checkpoint"
    assert [bundled_name(str(path)) for path in (source, Path(source).resolve(), copy)] == ["mini"] * 3
    assert [bundled_name(name) for name in ("mini", "org/mini", str(tmp_path), "/mini/checkpoint")] == [None] * 4
    assert bundled_name(str(folder(copy))) is None


def test_a_folder_stands_before_the_weights_in_the_box_where_it_holds_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mini" / "audio").mkdir(parents=True)  # as `dtbench data pull mini --data-dir .` makes it
    assert found("mini").source == built_in_families()["mini"].checkpoint
    (tmp_path / "mini" / "config.json").write_text("{}")
    assert found("mini").source == "mini"


def test_other_weights_have_another_content_wherever_they_differ(tmp_path: Path) -> None:
    checkpoint = found(folder(tmp_path / "a"))
    same = found(folder(tmp_path / "b"))
    assert checkpoint.content_hash() == same.content_hash()
    for place in (0, 1 << 20, (5 << 20) - 1):
        with (tmp_path / "b" / "model.safetensors").open("r+b") as weights:
            weights.seek(place // (1 << 16) * (1 << 16))
            weights.write(bytes([place % 251 + 1]) * (1 << 16))
        changed = same.content_hash()
        assert changed != checkpoint.content_hash()
        assert changed == same.content_hash()
    (tmp_path / "a" / "generation_config.json").write_text("{}")
    assert found(tmp_path / "a").content_hash() not in {same.content_hash(), changed}


def test_what_is_no_checkpoint_is_one_line(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UserError, match=r"not a checkpoint: config\.json is expected in it, found nothing"):
        resolve_checkpoint(str(empty))
    broken = folder(tmp_path / "broken")
    (broken / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"config\.json: not a model configuration"):
        resolve_checkpoint(str(broken))


def test_a_folder_without_weights_or_a_model_s_name_is_refused_before_an_engine_starts(tmp_path: Path) -> None:
    weightless = folder(tmp_path / "weightless")
    refuse_no_weights(weightless)
    (weightless / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"no weights are in it: \*\.safetensors is expected .* found config\.json\."):
        refuse_no_weights(weightless)
    nameless = folder(tmp_path / "nameless", None)
    for content, told in (("{}", "names no model: model_type is"), ("[]", "names no model"), ("{", "not a model conf")):
        (nameless / "config.json").write_text(content)
        with pytest.raises(UserError, match=told):
            refuse_no_weights(nameless)
