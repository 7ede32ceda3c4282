"""The thinker of Qwen3-Omni at the size of a laptop, with the rest of the released model as small as it can be.

vLLM and ms-swift load the whole model, though only the thinker answers; so talker, vocoder and vision are there as
stubs that no answer depends on.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dtbench.training.mini.language import END, NUMBERS, PAD, ROLES, START, TEMPLATE, WORDS, make_tokenizer

MEL_BINS = 64
FRAMES_A_CHUNK = 100
"""Frames of the audio tower in a chunk: a second, which becomes 13 tokens."""
TOKENS_A_CHUNK = 13
_ROPE = {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [6, 5, 5], "interleaved": True}
_STUB = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "num_key_value_heads": 1,
    "head_dim": 32,
}
_PATCH = 16
_AUDIO: Mapping[str, Any] = {
    "d_model": 128,
    "encoder_layers": 3,
    "encoder_attention_heads": 4,
    "encoder_ffn_dim": 256,
    "num_mel_bins": MEL_BINS,
    "downsample_hidden_size": 32,
    "output_dim": 128,
}
_TEXT: Mapping[str, Any] = {
    "vocab_size": (len(WORDS) + 63) // 64 * 64,
    "hidden_size": 128,
    "intermediate_size": 384,
    "moe_intermediate_size": 192,
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "head_dim": 32,
    "max_position_embeddings": 2048,
    "rope_parameters": {**_ROPE, "mrope_interleaved": True},
    "bos_token_id": NUMBERS[PAD],
    "eos_token_id": NUMBERS[END],
    "pad_token_id": NUMBERS[PAD],
    "tie_word_embeddings": False,  # vLLM ties them where nothing is said
}
_VISION: Mapping[str, Any] = {
    "depth": 1,
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_heads": 1,
    "out_hidden_size": 128,
    "num_position_embeddings": 16,
    "deepstack_visual_indexes": [0],
    # vLLM reads both; transformers has no default for them.
    "image_size": 64,
    "apply_vit_abs_pos_embed": True,
}
_TALKER: Mapping[str, Any] = {
    "accept_hidden_layer": 1,
    "thinker_hidden_size": 128,
    "num_code_groups": 4,
    "text_config": {
        **_STUB,
        "moe_intermediate_size": 16,
        "num_experts": 2,
        "num_experts_per_tok": 1,
        "shared_expert_intermediate_size": 16,
        "rope_parameters": _ROPE,
    },
    "code_predictor_config": {**_STUB, "num_code_groups": 4},
}


def model_config() -> Any:
    """Return the configuration of the whole model."""
    from transformers import Qwen3OmniMoeConfig

    names = ("audio", "image", "video", "audio_start", "audio_end", "vision_start", "vision_end")
    numbers = {f"{name}_token_id": NUMBERS[mark] for name, mark in zip(names, ROLES.values(), strict=True)}
    return Qwen3OmniMoeConfig(
        thinker_config={"audio_config": {**_AUDIO}, "vision_config": {**_VISION}, "text_config": {**_TEXT}, **numbers},
        talker_config={**_TALKER, **numbers},
        code2wav_config={**_STUB, "codebook_size": 64, "num_quantizers": 4, "decoder_dim": 32},
        enable_audio_output=False,
        im_start_token_id=NUMBERS[START],
        im_end_token_id=NUMBERS[END],
    )


def make_processor() -> Any:
    """Make the processor, which turns messages and clips into tokens and features."""
    from transformers import (
        Qwen2VLImageProcessor,
        Qwen2VLVideoProcessor,
        Qwen3OmniMoeProcessor,
        WhisperFeatureExtractor,
    )

    return Qwen3OmniMoeProcessor(
        Qwen2VLImageProcessor(patch_size=_PATCH),
        Qwen2VLVideoProcessor(patch_size=_PATCH),
        WhisperFeatureExtractor(feature_size=MEL_BINS, return_attention_mask=True),
        make_tokenizer(),
        chat_template=TEMPLATE,
    )


def build_model(seed: int) -> Any:
    """Build the whole model with weights drawn from a seed."""
    import torch
    from transformers import Qwen3OmniMoeForConditionalGeneration

    torch.manual_seed(seed)
    model = Qwen3OmniMoeForConditionalGeneration(model_config()).float()
    for layer in model.thinker.model.layers:
        torch.nn.init.normal_(layer.mlp.gate.weight, std=0.02)
    return model


def save_model(model: Any, folder: Path) -> None:
    """Save the model and its processor, for transformers and vLLM."""
    from safetensors.torch import load_file, save_file

    folder.mkdir(parents=True, exist_ok=True)
    model.generation_config.eos_token_id = NUMBERS[END]
    model.generation_config.pad_token_id = NUMBERS[PAD]
    model.save_pretrained(folder)
    path = folder / "model.safetensors"
    weights = load_file(path)
    # Undo what transformers 5.19 does to some names: it doubles a prefix, and vLLM refuses the file.
    renamed = {name.replace("language_model.model.model.", "language_model.model."): weights[name] for name in weights}
    save_file(renamed, path, metadata={"format": "pt"})
    make_processor().save_pretrained(folder)
