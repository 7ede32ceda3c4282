"""What the tiny checkpoints share: a tokenizer of bytes, a chat template, sizes, random weights, and the saving."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, WhisperFeatureExtractor

PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
MEL_BINS = 128
_TEMPLATE = """\
{%- for message in messages -%}
<|im_start|>{{ message['role'] }}
{% if message['content'] is string %}{{ message['content'] }}{% else -%}
{%- for part in message['content'] -%}
{%- if part['type'] == 'text' %}{{ part['text'] }}{% else %}CLIP{% endif -%}
{%- endfor -%}
{%- endif %}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif -%}
"""

TEXT_TEMPLATE = """\
{%- for message in messages -%}
{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}
{%- endfor -%}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif -%}
"""
"""Of models whose messages are text alone, with a mark where a clip stands."""


def byte_tokenizer(*special: str, **named: Any) -> Any:
    """A token for every byte, the marks of turns, and the special tokens of a released model."""
    vocabulary = {letter: i for i, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([PAD, START, END, *special])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=PAD, **named)


def ids(tokenizer: Any, *tokens: str) -> Sequence[int]:
    """The numbers of these tokens."""
    return [int(tokenizer.convert_tokens_to_ids(token)) for token in tokens]


def chat_template(clip: str) -> str:
    """Turns between <|im_start|> and <|im_end|>, with this text where a clip stands."""
    return _TEMPLATE.replace("CLIP", clip)


def text_sizes(tokenizer: Any) -> dict[str, Any]:
    """A decoder of two layers. Its heads of 32 are the smallest that vLLM's attention on CPUs takes."""
    pad, end = ids(tokenizer, PAD, END)
    return {
        "vocab_size": (len(tokenizer) + 63) // 64 * 64,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 4096,
        "bos_token_id": pad,
        "eos_token_id": end,
        "pad_token_id": pad,
        "tie_word_embeddings": False,  # vLLM ties them where nothing is said
    }


def whisper_sizes() -> dict[str, Any]:
    """An encoder of two layers, by the names of Whisper's configuration."""
    return {
        "d_model": 64,
        "encoder_layers": 2,
        "encoder_attention_heads": 2,
        "encoder_ffn_dim": 128,
        "num_mel_bins": MEL_BINS,
    }


def encoder_sizes() -> dict[str, Any]:
    """The same encoder, by the names of newer configurations."""
    return {
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 128,
        "num_mel_bins": MEL_BINS,
    }


def mel_features(bins: int = MEL_BINS) -> Any:
    """The front end of Whisper: 30 s at 16 kHz, which vLLM's encoders take as given."""
    return WhisperFeatureExtractor(feature_size=bins, return_attention_mask=True)


def randomise(model: Any, seed: int = 0) -> None:
    """Weights that carry a signal to the end: another clip gives another answer; no bias and no norm is plain."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.dim() < 2:
            parameter.data += 0.1 * noise
        else:
            inputs = parameter.shape[-1] if "experts" in name else parameter[0].numel()
            parameter.data = noise * inputs**-0.5


def save(model: Any, processor: Any, folder: Path) -> None:
    """Weights under the names of the released checkpoints, configuration, and everything of the processor."""
    model.generation_config.eos_token_id, model.generation_config.pad_token_id = ids(processor.tokenizer, END, PAD)
    model.save_pretrained(folder)
    as_published(folder)
    processor.save_pretrained(folder)


def keep_part(folder: Path, kind: str) -> None:
    """Leave of a checkpoint what this class of transformers loads, under the names that the class saves."""
    model = getattr(transformers, kind).from_pretrained(folder, dtype=torch.float32)
    for whole in (folder / "model.safetensors", folder / "spk_dict.pt"):
        whole.unlink(missing_ok=True)
    model.save_pretrained(folder)


def as_published(folder: Path) -> None:
    """Undo what transformers 5.19 does to some names: it doubles a prefix, and vLLM refuses the file."""
    path = folder / "model.safetensors"
    weights = load_file(path)
    renamed = {name.replace("language_model.model.model.", "language_model.model."): weights[name] for name in weights}
    save_file(renamed, path, metadata={"format": "pt"})


def add_code(folder: Path, module: ModuleType, **classes: type) -> None:
    """Put a module beside the weights as the checkpoint's own code, and name the auto class of each class in it."""
    assert module.__file__
    name = Path(module.__file__)
    shutil.copy(name, folder / f"code_of_{name.name}")
    found = {auto: f"code_of_{name.stem}.{kind.__name__}" for auto, kind in classes.items()}
    for file in ("config.json", "processor_config.json"):
        if (folder / file).exists():
            told = json.loads((folder / file).read_text())
            (folder / file).write_text(json.dumps(told | {"auto_map": found}, indent=2))
