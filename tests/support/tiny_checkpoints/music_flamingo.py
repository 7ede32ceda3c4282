"""Music Flamingo: Audio Flamingo 3 with rotary times in what was heard."""

from __future__ import annotations

from pathlib import Path

from tiny_checkpoints import parts
from transformers import MusicFlamingoConfig, MusicFlamingoForConditionalGeneration, MusicFlamingoProcessor

AUDIO, START, END = "<sound>", "<|sound_bos|>", "<|sound_eos|>"


def write(folder: Path) -> None:
    """Write the checkpoint."""
    tokenizer = parts.byte_tokenizer(AUDIO, START, END)
    audio, start, end = parts.ids(tokenizer, AUDIO, START, END)
    config = MusicFlamingoConfig(
        audio_config={"model_type": "audioflamingo3_encoder", **parts.encoder_sizes()},
        text_config={"model_type": "qwen2", **parts.text_sizes(tokenizer)},
        audio_token_id=audio,
        audio_bos_token_id=start,
        audio_eos_token_id=end,
    )
    model = MusicFlamingoForConditionalGeneration(config).float()
    parts.randomise(model)
    processor = MusicFlamingoProcessor(parts.mel_features(), tokenizer, chat_template=parts.chat_template(AUDIO))
    parts.save(model, processor, folder)
