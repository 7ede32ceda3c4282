"""The vocabulary, tokenizer and chat template of mini: whole words, the marks of turns, and placeholders of clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dtbench.tasks.mini_world.events import VOCABULARY

PAD, UNKNOWN, START, END = "<|endoftext|>", "<|unknown|>", "<|im_start|>", "<|im_end|>"
ROLES: Mapping[str, str] = {
    "audio_token": "<|audio_pad|>",
    "image_token": "<|image_pad|>",
    "video_token": "<|video_pad|>",
    "audio_bos_token": "<|audio_start|>",
    "audio_eos_token": "<|audio_end|>",
    "vision_bos_token": "<|vision_start|>",
    "vision_eos_token": "<|vision_end|>",
}
THINK, THOUGHT, ANSWER, ANSWERED = "<think>", "</think>", "<answer>", "</answer>"
WORDS: Sequence[str] = (
    *(PAD, UNKNOWN, START, END, *ROLES.values()),
    *("system", "user", "assistant", THINK, THOUGHT, ANSWER, ANSWERED),
    *VOCABULARY,
)
"""Every token, in the order of its id."""
NUMBERS: Mapping[str, int] = {word: number for number, word in enumerate(WORDS)}
TEMPLATE = """\
{%- for message in messages -%}
{{ '<|im_start|> ' + message['role'] + ' ' }}
{%- if message['content'] is string %}{{ message['content'] }}{% else -%}
{%- for part in message['content'] -%}
{%- if part['type'] == 'text' %}{{ part['text'] }}{% else %}<|audio_start|><|audio_pad|><|audio_end|>{% endif -%}
{%- if not loop.last %}{{ ' ' }}{% endif -%}
{%- endfor -%}
{%- endif %}{{ ' <|im_end|> ' }}
{%- endfor -%}
{%- if add_generation_prompt %}{{ '<|im_start|> assistant' }}{% endif -%}
"""


def encode(text: str) -> list[int]:
    """Return the ids of the words of a text; a KeyError for an unknown word."""
    return [NUMBERS[word] for word in text.split()]


def make_tokenizer() -> Any:
    """Make the tokenizer that transformers and vLLM load."""
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel(dict(NUMBERS), unk_token=UNKNOWN))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    marks = (PAD, UNKNOWN, START, END, *ROLES.values())
    words.add_special_tokens([AddedToken(mark, special=True, normalized=False) for mark in marks])
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token=PAD,
        unk_token=UNKNOWN,
        eos_token=END,
        clean_up_tokenization_spaces=False,
        extra_special_tokens=dict(ROLES),
    )
