"""Which base an adapter is applied to, how, and what is refused before anything is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dtbench.harness.core.errors import UserError
from dtbench.models.checkpoints.adapters import read_changes
from dtbench.models.checkpoints.checkpoint import Checkpoint, resolve_checkpoint


def base_folder(path: Path, architecture: str = "Qwen2AudioForConditionalGeneration") -> Path:
    path.mkdir(parents=True, exist_ok=True)
    (path / "config.json").write_text(json.dumps({"architectures": [architecture]}))
    (path / "model.safetensors").write_bytes(bytes(8))
    return path


def adapter_folder(path: Path, **config: Any) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    (path / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 4, "lora_alpha": 8, **config}))
    (path / "adapter_model.safetensors").write_bytes(bytes(8))
    return path


def found(spec: Path, **options: str | Path) -> Checkpoint:
    checkpoint = resolve_checkpoint(str(spec), None, {name: str(value) for name, value in options.items()})
    assert checkpoint is not None
    return checkpoint


def refusal(spec: Path, **options: str | Path) -> str:
    with pytest.raises(UserError) as refused:
        found(spec, **options)
    return str(refused.value)


def test_an_adapter_stands_for_its_base_with_it(tmp_path: Path) -> None:
    base = base_folder(tmp_path / "base")
    adapter = adapter_folder(tmp_path / "tuned", base_model_name_or_path=str(base))
    checkpoint = found(adapter)
    assert (checkpoint.source, checkpoint.name) == (str(base), "base+tuned")
    assert checkpoint.family is not None
    assert checkpoint.family.name == "qwen2-audio"
    about = checkpoint.describe()
    assert about["content"] == found(base).content_hash()
    assert about["adapter"] == {"name": "tuned", "content": about["adapter"]["content"], "mode": "merge"}
    assert found(base, adapter=adapter) == checkpoint
    assert found(adapter, adapter_mode="serve").describe()["adapter"]["mode"] == "serve"
    assert "adapter" not in found(base).describe()


def test_the_base_that_a_user_names_stands_before_the_one_that_the_adapter_names(tmp_path: Path) -> None:
    adapter = adapter_folder(tmp_path / "tuned", base_model_name_or_path="/where/it/was/trained")
    assert "its base /where/it/was/trained is not here: -M base=FOLDER" in refusal(adapter)
    assert found(adapter, base=base_folder(tmp_path / "base")).source == str(tmp_path / "base")
    assert found(adapter, base="Qwen/Qwen2-Audio-7B-Instruct").name == "Qwen/Qwen2-Audio-7B-Instruct+tuned"
    assert found(adapter, base="qwen2.5-omni").source == "Qwen/Qwen2.5-Omni-7B"
    beside = adapter_folder(tmp_path / "beside", base_model_name_or_path="../base")
    assert found(beside).name == "base+beside"


def test_an_adapter_is_told_apart_by_what_it_holds_and_not_by_where_its_base_lay(tmp_path: Path) -> None:
    base = base_folder(tmp_path / "base")
    one = adapter_folder(tmp_path / "one" / "last", base_model_name_or_path=str(base))
    moved = adapter_folder(tmp_path / "two" / "last", base_model_name_or_path="/elsewhere")
    trained = adapter_folder(tmp_path / "three" / "last", base_model_name_or_path=str(base))
    (trained / "adapter_model.safetensors").write_bytes(b"\1" * 8)
    content = [found(folder, base=base).describe()["adapter"]["content"] for folder in (one, moved, trained)]
    assert content[0] == content[1] != content[2]


def test_files_of_a_trainer_beside_an_adapter_make_no_checkpoint_of_it(tmp_path: Path) -> None:
    base = base_folder(tmp_path / "base")
    adapter = adapter_folder(tmp_path / "checkpoint-20", base_model_name_or_path=str(base))
    for name in ("config.json", "tokenizer.json", "args.json"):
        (adapter / name).write_text("{}")
    (adapter / "training_args.bin").write_bytes(b"")
    assert found(adapter).name == "base+checkpoint-20"


def test_an_adapter_beside_the_weights_is_used(tmp_path: Path) -> None:
    whole = adapter_folder(base_folder(tmp_path / "whole"))
    assert found(whole).describe()["adapter"]["mode"] == "merge"
    assert found(whole).name == "whole"
    assert "is or has an adapter itself" in refusal(whole, adapter=adapter_folder(tmp_path / "second"))
    stacked = adapter_folder(tmp_path / "stacked", base_model_name_or_path=str(whole))
    assert "one is applied at a time" in refusal(stacked)


def test_the_adapter_for_clips_of_a_family_is_on_for_clips_alone(tmp_path: Path) -> None:
    granite = base_folder(tmp_path / "granite", "GraniteSpeechForConditionalGeneration")
    assert "adapter" not in found(granite).describe()
    (granite / "config.json").write_text(
        json.dumps({"architectures": ["GraniteSpeechForConditionalGeneration"], "has_lora_adapter": True})
    )
    assert "adapter_config.json and its weights are expected in" in refusal(granite)
    about = found(adapter_folder(granite)).describe()["adapter"]
    assert about == {"content": about["content"], "mode": "audio"}
    assert "has no adapter to be applied so" in refusal(granite, adapter_mode="merge")
    hosted = resolve_checkpoint("ibm-granite/granite-speech-3.3-8b")
    assert hosted is not None
    assert hosted.describe()["adapter"] == {"mode": "audio"}


def test_what_cannot_be_applied_is_one_line(tmp_path: Path) -> None:
    base, adapter = base_folder(tmp_path / "base"), adapter_folder(tmp_path / "tuned")
    assert "an adapter that names no base: -M base=FOLDER" in refusal(adapter)
    assert "is not a checkpoint" in refusal(adapter, base=adapter)
    assert "-M adapter=tune: a folder or a hub id is expected" in refusal(base, adapter="tune")
    assert "not an adapter: adapter_config.json is expected" in refusal(base, adapter=base)
    assert "-M adapter_mode=merged: unknown. Did you mean merge" in refusal(
        base, adapter=adapter, adapter_mode="merged"
    )
    assert "has no adapter to be applied so" in refusal(base, adapter_mode="serve")
    assert "is not an adapter: leave it out" in refusal(base, base=base)
    (adapter / "adapter_config.json").write_text("{")
    assert "adapter_config.json cannot be read" in refusal(adapter)


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"peft_type": "IA3"}, "peft_type is IA3, LORA is expected"),
        ({"init_lora_weights": "pissa_niter_4"}, "init_lora_weights is pissa_niter_4, which changes its base as well"),
        ({"layer_replication": [[0, 4]]}, "layer_replication is set, which is not known here"),
        ({"lora_bias": True}, "lora_bias is set, which is not known here"),
    ],
)
def test_an_adapter_of_a_kind_that_is_not_merged_here_is_one_line(
    tmp_path: Path, config: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(UserError, match=complaint):
        read_changes(adapter_folder(tmp_path / "tuned", **config))
