"""Audio Flamingo 3: Whisper's encoder, pooled, before a Qwen2."""

from __future__ import annotations

from pathlib import Path

from tiny_checkpoints import parts
from transformers import AudioFlamingo3Config, AudioFlamingo3ForConditionalGeneration, AudioFlamingo3Processor

AUDIO = "<sound>"


def write(folder: Path) -> None:
    """Write the checkpoint."""
    tokenizer = parts.byte_tokenizer(AUDIO)
    config = AudioFlamingo3Config(
        audio_config=parts.encoder_sizes(),
        text_config={"model_type": "qwen2", **parts.text_sizes(tokenizer)},
        audio_token_id=tokenizer.convert_tokens_to_ids(AUDIO),
    )
    model = AudioFlamingo3ForConditionalGeneration(config).float()
    parts.randomise(model)
    processor = AudioFlamingo3Processor(parts.mel_features(), tokenizer, chat_template=parts.chat_template(AUDIO))
    parts.save(model, processor, folder)
