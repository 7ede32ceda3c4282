"""Granite Speech Plus: Granite Speech whose Q-Former hears inner layers of the encoder as well."""

from __future__ import annotations

from pathlib import Path

from tiny_checkpoints import granite_speech, parts
from transformers import GraniteSpeechPlusConfig, GraniteSpeechPlusForConditionalGeneration


def write(folder: Path) -> None:
    """Write the checkpoint."""
    tokenizer = parts.byte_tokenizer(granite_speech.AUDIO)
    sizes = granite_speech.sizes(tokenizer)
    sizes["encoder_config"]["cat_hidden_layers"] = [1]
    sizes["projector_config"]["encoder_hidden_size"] = 2 * granite_speech.WIDTH
    model = GraniteSpeechPlusForConditionalGeneration(GraniteSpeechPlusConfig(**sizes))
    granite_speech.save(model, tokenizer, folder)
