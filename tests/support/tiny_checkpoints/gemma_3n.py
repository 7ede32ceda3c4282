"""Gemma 3n: a conformer beside MobileNet, and a decoder of alternating updates with inputs by layer; it takes timm."""

from __future__ import annotations

from pathlib import Path

from tiny_checkpoints import parts
from transformers import (
    Gemma3nAudioFeatureExtractor,
    Gemma3nConfig,
    Gemma3nForConditionalGeneration,
    Gemma3nProcessor,
    SiglipImageProcessor,
)

ROLES = {
    "image_token": "<image_soft_token>",
    "boi_token": "<start_of_image>",
    "eoi_token": "<end_of_image>",
    "audio_token": "<audio_soft_token>",
    "boa_token": "<start_of_audio>",
    "eoa_token": "<end_of_audio>",
}
SEEN = HEARD = 128
"""Tokens of the two towers, after those of text."""
LAYERS = ["sliding_attention", "full_attention"] * 2


def write(folder: Path) -> None:
    """Write the checkpoint."""
    tokenizer = parts.byte_tokenizer(*ROLES.values(), extra_special_tokens=ROLES)
    tokenizer.add_tokens(["\n" * count for count in range(1, 5)])  # vLLM looks them up
    text = parts.text_sizes(tokenizer)
    words = text["vocab_size"]
    config = Gemma3nConfig(
        text_config={
            **text,
            "vocab_size": words + SEEN + HEARD,
            "vocab_size_per_layer_input": words,
            "hidden_size_per_layer_input": 32,
            "num_hidden_layers": len(LAYERS),
            "layer_types": LAYERS,
            "num_kv_shared_layers": 2,
            "head_dim": 32,
            "laurel_rank": 8,
            "activation_sparsity_pattern": [0.5, 0.0, 0.0, 0.0],
            "tie_word_embeddings": True,
            "pad_token_id": 0,  # as released
        },
        audio_config={
            "vocab_size": HEARD,
            "vocab_offset": words + SEEN,
            "hidden_size": 64,
            "conf_num_attention_heads": 2,
            "conf_num_hidden_layers": 2,
            "sscp_conv_channel_size": [16, 8],
        },
        vision_config={
            "hidden_size": 256,
            "vocab_size": SEEN,
            "vocab_offset": words,
            "architecture": "test_efficientnet",
            "model_args": {},
        },
        audio_soft_tokens_per_image=188,
        **{f"{name}_id": number for name, number in zip(ROLES, parts.ids(tokenizer, *ROLES.values()), strict=True)},
    )
    model = Gemma3nForConditionalGeneration(config).float()
    parts.randomise(model)
    # No answer has a token of the towers: transformers would hear a written one again, and vLLM would not.
    model.get_input_embeddings().weight.data[words:] = 0
    processor = Gemma3nProcessor(
        Gemma3nAudioFeatureExtractor(),
        SiglipImageProcessor(),
        tokenizer,
        chat_template=parts.chat_template(ROLES["audio_token"]),
    )
    parts.save(model, processor, folder)
