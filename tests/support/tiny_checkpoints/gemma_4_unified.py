"""Gemma 4 Unified: samples of the clip go straight into the decoder, without an encoder."""

from __future__ import annotations

from pathlib import Path

from tiny_checkpoints import gemma_4, parts
from transformers import (
    Gemma4UnifiedAudioFeatureExtractor,
    Gemma4UnifiedConfig,
    Gemma4UnifiedForConditionalGeneration,
    Gemma4UnifiedImageProcessor,
    Gemma4UnifiedProcessor,
    Gemma4UnifiedVideoProcessor,
)

SAMPLES = 640
"""Of a token."""


def write(folder: Path) -> None:
    """Write the checkpoint."""
    tokenizer = gemma_4.tokenizer_of_bytes()
    config = Gemma4UnifiedConfig(
        text_config=gemma_4.text_sizes(tokenizer),
        audio_config={"audio_embed_dim": SAMPLES},
        vision_config={"mm_embed_dim": 64, "mm_posemb_size": 64, "output_proj_dims": 64, "num_soft_tokens": 280},
        **gemma_4.token_ids(tokenizer),
    )
    model = Gemma4UnifiedForConditionalGeneration(config).float()
    parts.randomise(model)
    processor = Gemma4UnifiedProcessor(
        Gemma4UnifiedAudioFeatureExtractor(),
        Gemma4UnifiedImageProcessor(),
        tokenizer,
        Gemma4UnifiedVideoProcessor(),
        chat_template=parts.chat_template(gemma_4.ROLES["audio_token"]),
    )
    parts.save(model, processor, folder)
