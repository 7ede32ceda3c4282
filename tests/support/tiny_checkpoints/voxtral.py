"""Voxtral, in both layouts as released: transformers' own, and Mistral's, which vLLM reads."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from tiny_checkpoints import parts
from transformers import VoxtralConfig, VoxtralForConditionalGeneration, WhisperFeatureExtractor
from transformers.models.whisper.modeling_whisper import sinusoids

MARKS = """<unk> <s> </s> [INST] [/INST] [AVAILABLE_TOOLS] [/AVAILABLE_TOOLS] [TOOL_RESULTS] [/TOOL_RESULTS]
    [TOOL_CALLS] [IMG] <pad> [IMG_BREAK] [IMG_END] [PREFIX] [MIDDLE] [SUFFIX] [SYSTEM_PROMPT] [/SYSTEM_PROMPT]
    [TOOL_CONTENT] [CALL_ID] [ARGS] [THINK] [/THINK] [AUDIO] [BEGIN_AUDIO]""".split()
SPECIAL, TRANSCRIBE = 64, 34
VOCABULARY = SPECIAL + 256
START, END, PAD, AUDIO = (MARKS.index(mark) for mark in ("<s>", "</s>", "<pad>", "[AUDIO]"))
WIDTH, HIDDEN, HEADS, KEYS, HEAD = 64, 128, 2, 1, 32
WINDOWED = 4 * WIDTH
"""Four places of the encoder become one token, and its layers have to be as wide as that."""
PLACES, WINDOW, HOP = 1500, 400, 160
_EVERYWHERE = {r"\bself_attn\.": "attention.", r"\b([qkvo])_proj\b": r"w\1", "out_proj": "wo"}
_TEXT = {
    r"^language_model\.lm_head\.": "output.",
    r"^language_model\.model\.embed_tokens\.": "mm_whisper_embeddings.tok_embeddings.",
    r"^language_model\.model\.": "",
    "input_layernorm": "attention_norm",
    "post_attention_layernorm": "ffn_norm",
    r"mlp\.gate_proj": "feed_forward.w1",
    r"mlp\.down_proj": "feed_forward.w2",
    r"mlp\.up_proj": "feed_forward.w3",
    r"^multi_modal_projector\.linear_1\.": "mm_whisper_embeddings.audio_language_projection.0.",
    r"^multi_modal_projector\.linear_2\.": "mm_whisper_embeddings.audio_language_projection.2.",
}
_ENCODER = {
    r"^audio_tower\.": "mm_whisper_embeddings.whisper_encoder.",
    r"encoder\.conv1\.": "encoder.conv_layers.0.",
    r"encoder\.conv2\.": "encoder.conv_layers.1.",
    r"encoder\.layers\.": "encoder.transformer.layers.",
    r"encoder\.layer_norm\.": "encoder.transformer.norm.",
    "self_attn_layer_norm": "attention_norm",
    "final_layer_norm": "ffn_norm",
    r"\bfc1\b": "feed_forward.w1",
    r"\bfc2\b": "feed_forward.w2",
}


def write(folder: Path) -> None:
    """Write the checkpoint."""
    config = VoxtralConfig(
        audio_config={**parts.encoder_sizes(), "intermediate_size": WINDOWED},
        text_config={
            "model_type": "llama",
            "vocab_size": VOCABULARY,
            "hidden_size": WIDTH,
            "intermediate_size": HIDDEN,
            "num_hidden_layers": 2,
            "num_attention_heads": HEADS,
            "num_key_value_heads": KEYS,
            "head_dim": HEAD,
            "max_position_embeddings": 4096,
            "rope_theta": 1e6,
            "rms_norm_eps": 1e-5,
            "bos_token_id": START,
            "eos_token_id": END,
            "pad_token_id": PAD,
            "tie_word_embeddings": False,
        },
        audio_token_id=AUDIO,
    )
    model = VoxtralForConditionalGeneration(config).float()
    parts.randomise(model, seed=4)  # most others write the same whatever they hear
    # Mistral's layout has none of these weights: its encoder computes them.
    model.get_parameter("model.audio_tower.embed_positions.weight").data = sinusoids(PLACES, WIDTH)
    model.generation_config.eos_token_id, model.generation_config.pad_token_id = END, PAD
    model.save_pretrained(folder)
    parts.as_published(folder)
    WhisperFeatureExtractor(feature_size=parts.MEL_BINS).save_pretrained(folder)
    (folder / "tekken.json").write_text(json.dumps(_tekken()))
    (folder / "params.json").write_text(json.dumps(_params()))
    save_file(_consolidated(folder), folder / "consolidated.safetensors", metadata={"format": "pt"})


def _tekken() -> dict[str, Any]:
    """Mistral's tokenizer, with a token for every byte."""
    marks = {**dict(enumerate(MARKS)), TRANSCRIBE: "[TRANSCRIBE]"}
    named = [marks.get(rank, f"<SPECIAL_{rank}>") for rank in range(TRANSCRIBE + 1)]
    bytes_ = [bytes([number]) for number in range(256)]
    return {
        "config": {
            "pattern": r"\p{L}+|\p{N}|[^\p{L}\p{N}]",
            "num_vocab_tokens": 256,
            "default_vocab_size": VOCABULARY,
            "default_num_special_tokens": SPECIAL,
            "version": "v11",
        },
        "vocab": [
            {"rank": rank, "token_bytes": base64.b64encode(one).decode(), "token_str": one.decode("utf8", "replace")}
            for rank, one in enumerate(bytes_)
        ],
        "special_tokens": [{"rank": rank, "token_str": name, "is_control": True} for rank, name in enumerate(named)],
        "version": 1,
        "type": "Tekken",
        "audio": {
            "sampling_rate": 16000,
            "frame_rate": 12.5,
            "audio_encoding_config": {"num_mel_bins": parts.MEL_BINS, "hop_length": HOP, "window_size": WINDOW},
            "chunk_length_s": 30.0,
        },
    }


def _params() -> dict[str, Any]:
    """Mistral's configuration."""
    sizes = {"dim": WIDTH, "n_layers": 2, "head_dim": HEAD, "hidden_dim": HIDDEN, "n_heads": HEADS}
    hearing = {"sampling_rate": 16000, "num_mel_bins": parts.MEL_BINS, "window_size": WINDOW, "hop_length": HOP}
    encoder = {**sizes, "audio_encoding_args": hearing, "hidden_dim": WINDOWED, "max_source_positions": PLACES}
    return {
        **sizes,
        "n_kv_heads": KEYS,
        "rope_theta": 1e6,
        "norm_eps": 1e-5,
        "vocab_size": VOCABULARY,
        "max_position_embeddings": 4096,
        "tied_embeddings": False,
        "multimodal": {
            "whisper_model_args": {
                "encoder_args": {**encoder, "vocab_size": VOCABULARY},
                "downsample_args": {"downsample_factor": 4},
            },
        },
    }


def _consolidated(folder: Path) -> dict[str, Any]:
    """The weights under Mistral's names."""
    weights = load_file(folder / "model.safetensors")
    return {_renamed(name): _turned(name, weights[name]) for name in weights if "embed_positions" not in name}


def _renamed(name: str) -> str:
    for old, new in (
        {**_ENCODER, **_EVERYWHERE} if name.startswith("audio_tower") else {**_TEXT, **_EVERYWHERE}
    ).items():
        name = re.sub(old, new, name)
    return name


def _turned(name: str, weight: Any) -> Any:
    """Rotary pairs of the decoder stand side by side in Mistral's layout, half a head apart in transformers'."""
    if not name.startswith("language_model") or not re.search(r"self_attn\.[qk]_proj", name):
        return weight
    return weight.view(-1, 2, HEAD // 2, WIDTH).transpose(1, 2).reshape(weight.shape).contiguous()
