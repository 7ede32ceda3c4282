"""Granite Speech as 3.3 is released: a LoRA for what it hears lies beside the weights, and without it nothing works.

The weights have an index, as sharded ones do: without one vLLM takes the adapter for weights, and refuses the folder.
"""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import safe_open
from tiny_checkpoints import granite_speech
from tiny_checkpoints.lora import write_adapter

SHARD = "model-00001-of-00001.safetensors"


def write(folder: Path) -> None:
    """Write the checkpoint, with its adapter under the names of the release."""
    granite_speech.write(folder)
    write_adapter(folder, folder, names="release")
    weights = (folder / "model.safetensors").rename(folder / SHARD)
    with safe_open(weights, framework="pt") as opened:
        index = {"metadata": {"total_size": weights.stat().st_size}, "weight_map": dict.fromkeys(opened.keys(), SHARD)}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    config = folder / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"has_lora_adapter": True}, indent=2))
