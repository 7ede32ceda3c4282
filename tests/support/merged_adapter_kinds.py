"""Kinds of adapters that merged_adapters writes: of which base, and with which settings of PEFT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KINDS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "qwen2-audio": ("qwen2-audio", {}),
    "qwen2.5-omni": ("qwen2.5-omni", {}),
    "qwen2.5-omni of the whole model": ("qwen2.5-omni", {"names": "release"}),
    "qwen3-omni": ("qwen3-omni", {}),
    "qwen3-omni with experts": ("qwen3-omni", {"experts": True}),
    "with towers": ("qwen2-audio", {"target_modules": ["q_proj", "fc1"]}),
    "dora": ("qwen2-audio", {"use_dora": True, "use_rslora": True, "modules_to_save": ["linear"]}),
    "biases": ("qwen2-audio", {"bias": "lora_only"}),
    "patterns": (
        "qwen2-audio",
        {"rank_pattern": {"layers.1.self_attn.q_proj": 2}, "alpha_pattern": {"v_proj": 3, "layers.0.*": 5}},
    ),
    "embeddings": ("qwen2-audio", {"target_modules": ["embed_tokens", "lm_head", "q_proj"]}),
}
