"""Qwen3-ASR: the encoder of Qwen3-Omni before a dense Qwen3."""

from __future__ import annotations

from pathlib import Path

from tiny_checkpoints import parts
from transformers import (
    Qwen3ASRConfig,
    Qwen3ASRFeatureExtractor,
    Qwen3ASRForConditionalGeneration,
    Qwen3ASRProcessor,
)

AUDIO, TIME = "<|audio_pad|>", "<timestamp>"
CLIP = "<|audio_start|><|audio_pad|><|audio_end|>"


def write(folder: Path) -> None:
    """Write the checkpoint."""
    roles = {"audio_token": AUDIO, "audio_bos_token": "<|audio_start|>", "audio_eos_token": "<|audio_end|>"}
    tokenizer = parts.byte_tokenizer(*roles.values(), TIME, "<asr_text>", extra_special_tokens=roles)
    text = {**parts.text_sizes(tokenizer), "head_dim": 32, "tie_word_embeddings": True}
    config = Qwen3ASRConfig(
        audio_config={**parts.whisper_sizes(), "output_dim": 64, "downsample_hidden_size": 16},
        text_config={"model_type": "qwen3", **text},
        audio_token_id=tokenizer.convert_tokens_to_ids(AUDIO),
        timestamp_token_id=tokenizer.convert_tokens_to_ids(TIME),
        pad_token_id=text["pad_token_id"],
        eos_token_id=[text["eos_token_id"], text["pad_token_id"]],
    )
    model = Qwen3ASRForConditionalGeneration(config).float()
    parts.randomise(model)
    processor = Qwen3ASRProcessor(Qwen3ASRFeatureExtractor(), tokenizer, chat_template=parts.chat_template(CLIP))
    parts.save(model, processor, folder)
