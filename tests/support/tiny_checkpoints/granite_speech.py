"""Granite Speech: a conformer and a Q-Former before a Granite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiny_checkpoints import parts
from transformers import (
    GraniteSpeechConfig,
    GraniteSpeechFeatureExtractor,
    GraniteSpeechForConditionalGeneration,
    GraniteSpeechProcessor,
)

AUDIO = "<|audio|>"
WIDTH = 64


def write(folder: Path) -> None:
    """Write the checkpoint."""
    tokenizer = parts.byte_tokenizer(AUDIO)
    save(GraniteSpeechForConditionalGeneration(GraniteSpeechConfig(**sizes(tokenizer))), tokenizer, folder)


def sizes(tokenizer: Any) -> dict[str, Any]:
    """The configuration, with nothing heard between the encoder's layers."""
    return {
        "encoder_config": {"num_layers": 2, "hidden_dim": WIDTH, "num_heads": 2, "dim_head": 32, "output_dim": 42},
        "projector_config": {
            "model_type": "blip_2_qformer",
            "hidden_size": WIDTH,
            "encoder_hidden_size": WIDTH,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 128,
            "cross_attention_frequency": 1,
            "use_qformer_text_input": False,
        },
        "text_config": {"model_type": "granite", **parts.text_sizes(tokenizer), "tie_word_embeddings": True},
        "audio_token_index": tokenizer.convert_tokens_to_ids(AUDIO),
        "has_lora_adapter": False,
    }


def save(model: Any, tokenizer: Any, folder: Path) -> None:
    """Save it with random weights and the processor of all Granite Speech models."""
    model = model.float()
    parts.randomise(model)
    template = parts.TEXT_TEMPLATE
    processor = GraniteSpeechProcessor(GraniteSpeechFeatureExtractor(), tokenizer, chat_template=template)
    parts.save(model, processor, folder)
