"""Qwen2-Audio: Whisper's encoder before a Qwen2."""

from __future__ import annotations

from pathlib import Path

from tiny_checkpoints import parts
from transformers import Qwen2AudioConfig, Qwen2AudioForConditionalGeneration, Qwen2AudioProcessor

AUDIO = "<|AUDIO|>"
CLIP = "<|audio_bos|><|AUDIO|><|audio_eos|>"


def write(folder: Path) -> None:
    """Write the checkpoint."""
    tokenizer = parts.byte_tokenizer(AUDIO, "<|audio_bos|>", "<|audio_eos|>")
    config = Qwen2AudioConfig(
        audio_config=parts.whisper_sizes(),
        text_config={"model_type": "qwen2", **parts.text_sizes(tokenizer)},
        audio_token_index=tokenizer.convert_tokens_to_ids(AUDIO),
    )
    model = Qwen2AudioForConditionalGeneration(config).float()
    parts.randomise(model)
    processor = Qwen2AudioProcessor(parts.mel_features(), tokenizer, chat_template=parts.chat_template(CLIP))
    parts.save(model, processor, folder)
