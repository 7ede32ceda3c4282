"""Ultravox: Whisper's encoder and a projector before a Llama, with code of its own as the released one has.

vLLM has its class and takes the processor from the checkpoint; transformers takes both.
"""

from __future__ import annotations

from pathlib import Path

from tiny_checkpoints import parts
from tiny_checkpoints.remote import ultravox
from transformers import LlamaConfig, WhisperConfig, WhisperFeatureExtractor

AUDIO = "<|audio|>"
BINS = 80


def write(folder: Path) -> None:
    """Write the checkpoint."""
    tokenizer = parts.byte_tokenizer(AUDIO)
    text = {**parts.text_sizes(tokenizer), "head_dim": 32, "architectures": ["LlamaForCausalLM"]}
    special = dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id"), 0)
    config = ultravox.UltravoxConfig(
        audio_config=WhisperConfig(**{**parts.whisper_sizes(), "num_mel_bins": BINS}, vocab_size=64, **special),
        text_config=LlamaConfig(**text),
        audio_token_index=tokenizer.convert_tokens_to_ids(AUDIO),
        hidden_size=128,
        vocab_size=text["vocab_size"],
        projector_act="swiglu",
        projector_ln_mid=True,  # as since version 0.5
    )
    model = ultravox.UltravoxModel(config).float()
    parts.randomise(model)
    processor = ultravox.UltravoxProcessor(
        WhisperFeatureExtractor(feature_size=BINS), tokenizer, chat_template=parts.chat_template(AUDIO)
    )
    parts.save(model, processor, folder)
    parts.add_code(
        folder,
        ultravox,
        AutoConfig=ultravox.UltravoxConfig,
        AutoModel=ultravox.UltravoxModel,
        AutoProcessor=ultravox.UltravoxProcessor,
    )
