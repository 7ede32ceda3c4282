"""A LoRA beside a tiny checkpoint, large enough to change every answer: `write_adapter(BASE, FOLDER)`.

PEFT writes it, of the class of transformers that answers. Two layouts of names are in use, and an engine that knows one
alone may drop the other without a word: `peft`, as PEFT writes them under transformers 5, and `release`, as adapters on
the hub have them, from before that version and from trainers that load the whole of an Omni model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
import transformers
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

RANK, ALPHA = 8, 8
_NOT_TOWERS = r"^(?!.*(?:audio_tower|encoder|projector|visual|talker|token2wav|code2wav)).*"
_ATTENTION = _NOT_TOWERS + r"\.(?:q|k|v|o)_proj$"
_DENSE = _NOT_TOWERS + r"\.(?:q|k|v|o|gate|up|down)_proj$"
_THINKERS = {
    "Qwen2_5OmniForConditionalGeneration": "Qwen2_5OmniThinkerForConditionalGeneration",
    "Qwen3OmniMoeForConditionalGeneration": "Qwen3OmniMoeThinkerForConditionalGeneration",
}
_PREFIXES = {
    "thinker": ("base_model.model.model.", "base_model.model.thinker.model."),
    "language_model": ("base_model.model.model.language_model.", "base_model.model.language_model.model."),
}
"""In front of the layers of the decoder: the name of PEFT under transformers 5, and that of releases."""


def write_adapter(
    base: Path, folder: Path, *, names: Literal["peft", "release"] = "peft", experts: bool = False, **settings: Any
) -> None:
    """Write an adapter of the decoder's attention and MLP, of these settings; with experts, of a mixture's as well."""
    named = json.loads((base / "config.json").read_text())["architectures"][0]
    model = load(base)
    adapted = get_peft_model(model, _config(model, experts, settings))
    _randomise(adapted)
    adapted.peft_config["default"].base_model_name_or_path = str(base)
    adapted.save_pretrained(folder)
    if names == "release":
        _rename(folder / "adapter_model.safetensors", *_PREFIXES["thinker" if named in _THINKERS else "language_model"])


def load(base: Path) -> Any:
    """Load the part of a model that answers."""
    named = json.loads((base / "config.json").read_text())["architectures"][0]
    return getattr(transformers, _THINKERS.get(named, named)).from_pretrained(base, dtype=torch.float32)


def _config(model: Any, experts: bool, settings: Mapping[str, Any]) -> LoraConfig:
    fused = [name for name, _ in model.named_parameters() if "experts." in name]
    attention = [name for name, _ in model.named_modules() if re.fullmatch(_ATTENTION, name)]
    usual = {
        "r": RANK,
        "lora_alpha": ALPHA,
        # PEFT makes leaves of an expression for a mixture of experts, and so it would find the towers as well.
        "target_modules": attention if fused else _DENSE,
        "target_parameters": fused if experts else None,
        "task_type": "CAUSAL_LM",
    }
    return LoraConfig(**{**usual, **settings})


def _randomise(adapted: Any) -> None:
    generator = torch.Generator().manual_seed(2)  # with 1 some write the mark of a clip, which engines read differently
    for name, parameter in adapted.named_parameters():
        if "lora_" in name and "magnitude" not in name:
            parameter.data = torch.randn(parameter.shape, generator=generator) * parameter.shape[-1] ** -0.5
        elif parameter.requires_grad:
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)


def _rename(path: Path, old: str, new: str) -> None:
    weights = load_file(path)
    assert all(name.startswith(old) for name in weights), sorted(weights)[0]
    save_file({new + name.removeprefix(old): weight for name, weight in weights.items()}, path, {"format": "pt"})
