"""Qwen3-Omni, whole as released: the thinker with four experts, and a talker and a vocoder as small as can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiny_checkpoints import parts
from transformers import (
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
    Qwen3OmniMoeConfig,
    Qwen3OmniMoeForConditionalGeneration,
    Qwen3OmniMoeProcessor,
)

ROLES = {
    "audio_token": "<|audio_pad|>",
    "image_token": "<|image_pad|>",
    "video_token": "<|video_pad|>",
    "audio_bos_token": "<|audio_start|>",
    "audio_eos_token": "<|audio_end|>",
    "vision_bos_token": "<|vision_start|>",
    "vision_eos_token": "<|vision_end|>",
}
CLIP = "<|audio_start|><|audio_pad|><|audio_end|>"
ROPE = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [6, 5, 5], "interleaved": True}
SMALL = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "num_key_value_heads": 1,
    "head_dim": 32,
}
PATCH = 16


def write(folder: Path) -> None:
    """Write the checkpoint."""
    tokenizer = parts.byte_tokenizer(*ROLES.values(), extra_special_tokens=ROLES)
    start, end = parts.ids(tokenizer, parts.START, parts.END)
    tokens = _token_ids(tokenizer)
    config = Qwen3OmniMoeConfig(
        thinker_config={**_thinker(tokenizer), **tokens},
        talker_config={**_talker(), **tokens},
        code2wav_config={**SMALL, "codebook_size": 64, "num_quantizers": 4, "decoder_dim": 32},
        enable_audio_output=False,
        im_start_token_id=start,
        im_end_token_id=end,
    )
    model = Qwen3OmniMoeForConditionalGeneration(config).float()
    parts.randomise(model)
    processor = Qwen3OmniMoeProcessor(
        Qwen2VLImageProcessor(patch_size=PATCH),
        Qwen2VLVideoProcessor(patch_size=PATCH),
        parts.mel_features(),
        tokenizer,
        chat_template=parts.chat_template(CLIP),
    )
    parts.save(model, processor, folder)


def _token_ids(tokenizer: Any) -> dict[str, int]:
    names = ("audio", "image", "video", "audio_start", "audio_end", "vision_start", "vision_end")
    numbers = parts.ids(tokenizer, *ROLES.values())
    return {f"{name}_token_id": number for name, number in zip(names, numbers, strict=True)}


def _thinker(tokenizer: Any) -> dict[str, Any]:
    return {
        "audio_config": {**parts.whisper_sizes(), "output_dim": 64, "downsample_hidden_size": 16},
        "vision_config": {
            "depth": 2,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_heads": 2,
            "out_hidden_size": 64,
            "num_position_embeddings": 256,
            "deepstack_visual_indexes": [0, 1],
            # vLLM reads both; transformers has no default for them.
            "image_size": 256,
            "apply_vit_abs_pos_embed": True,
        },
        "text_config": {
            **parts.text_sizes(tokenizer),
            "head_dim": 32,
            "moe_intermediate_size": 32,
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "rope_parameters": {**ROPE, "mrope_interleaved": True},
        },
    }


def _talker() -> dict[str, Any]:
    return {
        "accept_hidden_layer": 1,
        "thinker_hidden_size": 64,
        "num_code_groups": 4,
        "text_config": {
            **SMALL,
            "moe_intermediate_size": 16,
            "num_experts": 2,
            "num_experts_per_tok": 1,
            "shared_expert_intermediate_size": 16,
            "rope_parameters": ROPE,
        },
        "code_predictor_config": {**SMALL, "num_code_groups": 4},
    }
