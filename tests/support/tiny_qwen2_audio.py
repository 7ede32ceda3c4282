"""Writes a Qwen2-Audio checkpoint of under 2 MB with random weights: `python tiny_qwen2_audio.py FOLDER`.

The architecture is the true one, so that transformers and vLLM load it as they load the released model.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2AudioConfig,
    Qwen2AudioForConditionalGeneration,
    Qwen2AudioProcessor,
    WhisperFeatureExtractor,
)

END, PAD, AUDIO = "<|im_end|>", "<|endoftext|>", "<|AUDIO|>"
SPECIAL = [PAD, "<|im_start|>", END, AUDIO, "<|audio_bos|>", "<|audio_eos|>"]
MEL_BINS = 128
CHAT_TEMPLATE = """\
{%- for message in messages -%}
<|im_start|>{{ message['role'] }}
{% if message['content'] is string %}{{ message['content'] }}{% else -%}
{%- for part in message['content'] -%}
{%- if part['type'] == 'text' %}{{ part['text'] }}{% else %}<|audio_bos|><|AUDIO|><|audio_eos|>{% endif -%}
{%- endfor -%}
{%- endif %}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif -%}
"""


def main() -> None:
    """Write the checkpoint into the folder that the command line names."""
    folder = Path(sys.argv[1])
    tokenizer = _byte_tokenizer()
    config = _config(tokenizer)
    model = Qwen2AudioForConditionalGeneration(config).float()
    _randomise(model)
    config.architectures = ["Qwen2AudioForConditionalGeneration"]
    config.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)
    # Not save_pretrained: transformers 5.19 doubles a prefix of this family's names, and vLLM refuses the file.
    weights = {_published_name(name): value.contiguous() for name, value in model.state_dict().items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    features = WhisperFeatureExtractor(feature_size=MEL_BINS, return_attention_mask=True)
    Qwen2AudioProcessor(features, tokenizer, chat_template=CHAT_TEMPLATE).save_pretrained(folder)


def _published_name(name: str) -> str:
    """The name that a weight has in the released checkpoints."""
    if name.startswith("lm_head."):
        return f"language_model.{name}"
    inner = name.removeprefix("model.")
    return inner.replace("language_model.", "language_model.model.", 1)


def _byte_tokenizer() -> Any:
    """A token for every byte, and the special ones of the released model."""
    vocabulary = {letter: i for i, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIAL)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=PAD)


def _config(tokenizer: Any) -> Any:
    vocabulary = 320  # 256 bytes and the special tokens, rounded up to a multiple of 64
    end, pad, audio = tokenizer.convert_tokens_to_ids([END, PAD, AUDIO])
    return Qwen2AudioConfig(
        audio_config={
            "d_model": 64,
            "encoder_layers": 2,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 128,
            "num_mel_bins": MEL_BINS,
        },
        text_config={
            "model_type": "qwen2",
            "vocab_size": vocabulary,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,  # heads of 32: the smallest that vLLM's attention on CPUs takes
            "num_key_value_heads": 1,
            "max_position_embeddings": 4096,
            "bos_token_id": pad,
            "eos_token_id": end,
            "pad_token_id": pad,
            "tie_word_embeddings": False,
        },
        audio_token_index=audio,
    )


def _randomise(model: Any) -> None:
    """Weights that carry a signal to the end, so that another clip gives another answer."""
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        if parameter.dim() >= 2:
            scale = parameter[0].numel() ** -0.5
            parameter.data = torch.randn(parameter.shape, generator=generator) * scale


if __name__ == "__main__":
    main()
