"""How weights are quantised is told from what the tools in use write into a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dtbench.models.checkpoints.checkpoint import Checkpoint
from dtbench.models.checkpoints.quantization import quantization

W8A8 = {"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": {"num_bits": 8, "type": "int"}}}}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, None),
        ({"quantization_config": None}, None),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 128}}, "gptq 4-bit"),
        ({"quantization_config": {"quant_method": "awq", "bits": 4, "version": "gemm"}}, "awq 4-bit"),
        ({"quantization_config": {"quant_method": "fp8", "activation_scheme": "dynamic"}}, "fp8 8-bit"),
        ({"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}, "bitsandbytes 4-bit"),
        ({"quantization_config": {"quant_method": "mxfp4"}}, "mxfp4 4-bit"),
        ({"quantization_config": {"quant_method": "quark"}}, "quark"),
        ({"quantization_config": W8A8}, "compressed-tensors 8-bit"),
        ({"text_config": {"quantization_config": {"quant_method": "gptq", "bits": 8}}}, "gptq 8-bit"),
        ({"thinker_config": {"text_config": {"quantization_config": W8A8}}}, "compressed-tensors 8-bit"),
    ],
)
def test_config_json_says_it(tmp_path: Path, config: dict[str, Any], said: str | None) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert quantization(tmp_path) == said
    assert Checkpoint(str(tmp_path), None, None).describe().get("quantization") == said


@pytest.mark.parametrize(
    ("name", "about", "said"),
    [
        ("hf_quant_config.json", {"producer": {}, "quantization": {"quant_algo": "FP8"}}, "modelopt 8-bit"),
        ("quantize_config.json", {"bits": 4, "group_size": 128}, "gptq 4-bit"),
        ("quant_config.json", {"w_bit": 4, "zero_point": True}, "awq 4-bit"),
    ],
)
def test_a_file_of_a_tool_beside_it_says_it(tmp_path: Path, name: str, about: dict[str, Any], said: str) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / name).write_text(json.dumps(about))
    assert quantization(tmp_path) == said


def test_what_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("[]")
    assert quantization(tmp_path) is None
    assert quantization(tmp_path / "gone") is None
