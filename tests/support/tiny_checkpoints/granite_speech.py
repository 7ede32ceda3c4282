"""Granite Speech: a conformer and a Q-Former before a Granite."""

from __future__ import annotations

from pathlib import Path

from tiny_checkpoints import parts
from transformers import (
    GraniteSpeechConfig,
    GraniteSpeechFeatureExtractor,
    GraniteSpeechForConditionalGeneration,
    GraniteSpeechProcessor,
)

AUDIO = "<|audio|>"


def write(folder: Path) -> None:
    """Write the checkpoint."""
    tokenizer = parts.byte_tokenizer(AUDIO)
    config = GraniteSpeechConfig(
        encoder_config={"num_layers": 2, "hidden_dim": 64, "num_heads": 2, "dim_head": 32, "output_dim": 42},
        projector_config={
            "model_type": "blip_2_qformer",
            "hidden_size": 64,
            "encoder_hidden_size": 64,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 128,
            "cross_attention_frequency": 1,
            "use_qformer_text_input": False,
        },
        text_config={"model_type": "granite", **parts.text_sizes(tokenizer), "tie_word_embeddings": True},
        audio_token_index=tokenizer.convert_tokens_to_ids(AUDIO),
        has_lora_adapter=False,
    )
    model = GraniteSpeechForConditionalGeneration(config).float()
    parts.randomise(model)
    processor = GraniteSpeechProcessor(GraniteSpeechFeatureExtractor(), tokenizer, chat_template=parts.TEXT_TEMPLATE)
    parts.save(model, processor, folder)
