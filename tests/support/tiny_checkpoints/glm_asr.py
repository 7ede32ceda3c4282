"""GLM-ASR: an encoder with rotary positions before a Llama."""

from __future__ import annotations

from pathlib import Path

from tiny_checkpoints import parts
from transformers import GlmAsrConfig, GlmAsrForConditionalGeneration, GlmAsrProcessor

AUDIO = "<|pad|>"
CLIP = "<|begin_of_audio|><|pad|><|end_of_audio|>"


def write(folder: Path) -> None:
    """Write the checkpoint."""
    tokenizer = parts.byte_tokenizer(AUDIO, "<|begin_of_audio|>", "<|end_of_audio|>")
    text = parts.text_sizes(tokenizer)
    config = GlmAsrConfig(
        # The projector takes four frames at once: it needs an inner layer of four times the width.
        audio_config={**parts.encoder_sizes(), "intermediate_size": 256},
        text_config={"model_type": "llama", **text, "head_dim": 32, "eos_token_id": [text["eos_token_id"]]},
        audio_token_id=tokenizer.convert_tokens_to_ids(AUDIO),
        tie_word_embeddings=False,
    )
    model = GlmAsrForConditionalGeneration(config).float()
    parts.randomise(model)
    processor = GlmAsrProcessor(parts.mel_features(), tokenizer, chat_template=parts.chat_template(CLIP))
    parts.save(model, processor, folder)
