"""Qwen2.5-Omni, whole as released: the thinker, which answers, and a talker and a vocoder as small as can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tiny_checkpoints import parts
from transformers import (
    Qwen2_5OmniConfig,
    Qwen2_5OmniForConditionalGeneration,
    Qwen2_5OmniProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
)

ROLES = {
    "audio_token": "<|AUDIO|>",
    "image_token": "<|IMAGE|>",
    "video_token": "<|VIDEO|>",
    "audio_bos_token": "<|audio_bos|>",
    "audio_eos_token": "<|audio_eos|>",
    "vision_bos_token": "<|vision_bos|>",
    "vision_eos_token": "<|vision_eos|>",
}
CLIP = "<|audio_bos|><|AUDIO|><|audio_eos|>"
ROPE = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [4, 6, 6]}


def write(folder: Path) -> None:
    """Write the checkpoint."""
    tokenizer = parts.byte_tokenizer(*ROLES.values(), extra_special_tokens=ROLES)
    tokens = _token_ids(tokenizer)
    config = Qwen2_5OmniConfig(
        thinker_config={**_thinker(tokenizer), **tokens},
        talker_config={**_talker(), **tokens},
        token2wav_config=_vocoder(),
        enable_audio_output=False,
    )
    model = Qwen2_5OmniForConditionalGeneration(config).float()
    parts.randomise(model)
    processor = Qwen2_5OmniProcessor(
        Qwen2VLImageProcessor(),
        Qwen2VLVideoProcessor(),
        parts.mel_features(),
        tokenizer,
        chat_template=parts.chat_template(CLIP),
    )
    parts.save(model, processor, folder)
    # The class of the whole model does not load without this file of voices.
    voice = {"cond": torch.zeros(1, 8), "ref_mel": torch.zeros(1, 4, 80), "bos_token": 1}
    torch.save({"Chelsie": voice}, folder / "spk_dict.pt")


def _token_ids(tokenizer: Any) -> dict[str, int]:
    audio, image, video, *edges = parts.ids(tokenizer, *ROLES.values())
    names = ("audio_start_token_id", "audio_end_token_id", "vision_start_token_id", "vision_end_token_id")
    of_kinds = {"audio_token_index": audio, "image_token_index": image, "video_token_index": video}
    return {**of_kinds, **dict(zip(names, edges, strict=True))}


def _thinker(tokenizer: Any) -> dict[str, Any]:
    return {
        "audio_config": {**parts.whisper_sizes(), "output_dim": 64},
        "vision_config": {
            "depth": 2,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_heads": 2,
            "out_hidden_size": 64,
            "fullatt_block_indexes": [1],
        },
        "text_config": {**parts.text_sizes(tokenizer), "rope_parameters": ROPE},
        "user_token_id": tokenizer.convert_tokens_to_ids("u"),
    }


def _talker() -> dict[str, Any]:
    codes = ("start", "end", "pad", "mask")
    return {
        "vocab_size": 64,
        "embedding_size": 64,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "num_key_value_heads": 1,
        "head_dim": 32,
        "rope_parameters": ROPE,
        **{f"tts_codec_{code}_token_id": number for number, code in enumerate(codes, 1)},
        **{f"tts_text_{code}_token_id": number for number, code in enumerate(codes[:3], 1)},
    }


def _vocoder() -> dict[str, Any]:
    return {
        "dit_config": {
            "hidden_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 1,
            "head_dim": 32,
            "emb_dim": 16,
            "num_embeds": 65,
            "enc_emb_dim": 16,
            "enc_dim": 16,
            "enc_channels": [16, 16, 16, 16, 48],
            "enc_attention_channels": 8,
            "enc_se_channels": 8,
            "look_ahead_layers": [0],
            "look_backward_layers": [0],
        },
        "bigvgan_config": {"upsample_initial_channel": 64},
    }
