"""Gemma 4, as its small sizes are released: a conformer beside a vision encoder, and a decoder with shared layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiny_checkpoints import parts
from transformers import (
    Gemma4AudioFeatureExtractor,
    Gemma4Config,
    Gemma4ForConditionalGeneration,
    Gemma4ImageProcessor,
    Gemma4Processor,
    Gemma4VideoProcessor,
)

ROLES = {
    "boi_token": "<|image>",
    "eoi_token": "<image|>",
    "image_token": "<|image|>",
    "boa_token": "<|audio>",
    "eoa_token": "<audio|>",
    "audio_token": "<|audio|>",
}
VIDEO = "<|video|>"
LAYERS = ["sliding_attention", "full_attention"] * 2


def write(folder: Path) -> None:
    """Write the checkpoint."""
    tokenizer = tokenizer_of_bytes()
    config = Gemma4Config(
        text_config={
            **text_sizes(tokenizer),
            "num_kv_shared_layers": 2,
            "vocab_size_per_layer_input": text_sizes(tokenizer)["vocab_size"],
            "hidden_size_per_layer_input": 16,
        },
        audio_config={
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "subsampling_conv_channels": [parts.MEL_BINS, 8],  # the layer after them counts on it
            "output_proj_dims": 64,
        },
        vision_config={
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 32,
            "default_output_length": 280,  # vLLM reads it; transformers has no default for it
        },
        **token_ids(tokenizer),
    )
    model = Gemma4ForConditionalGeneration(config).float()
    parts.randomise(model)
    processor = Gemma4Processor(
        Gemma4AudioFeatureExtractor(),
        Gemma4ImageProcessor(),
        tokenizer,
        Gemma4VideoProcessor(),
        chat_template=parts.chat_template(ROLES["audio_token"]),
    )
    parts.save(model, processor, folder)


def tokenizer_of_bytes() -> Any:
    """Bytes, and the marks of all Gemma 4 models."""
    return parts.byte_tokenizer(*ROLES.values(), VIDEO, extra_special_tokens=ROLES)


def token_ids(tokenizer: Any) -> dict[str, int]:
    """The marks, as configurations call them."""
    numbers = zip(ROLES, parts.ids(tokenizer, *ROLES.values()), strict=True)
    named = {f"{name}_index" if name == "eoa_token" else f"{name}_id": number for name, number in numbers}
    return {**named, "video_token_id": tokenizer.convert_tokens_to_ids(VIDEO)}


def text_sizes(tokenizer: Any) -> dict[str, Any]:
    """The decoder of all Gemma 4 models."""
    return {
        **parts.text_sizes(tokenizer),
        "num_hidden_layers": len(LAYERS),
        "layer_types": LAYERS,
        "pad_token_id": 0,  # as released: what stands for a clip has its inputs by layer, to vLLM always those of 0
        "head_dim": 32,
        "global_head_dim": 64,
        "tie_word_embeddings": True,
    }
