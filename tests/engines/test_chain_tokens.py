"""Chains between special tokens: kept where answers are decoded here, and asked for where vLLM decodes them."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from engines import need

from dtbench import extract
from dtbench.harness.extract.chain_tags import ChainTags
from dtbench.models.checkpoints.checkpoint import checkpoint_of_family
from dtbench.models.checkpoints.families import get_family
from dtbench.models.local.weights import decode_tokens

pytestmark = pytest.mark.engine

TAGS = ChainTags("<|channel>", "<channel|>")
WORDS = ("thought", "An", "owl", "(B)", "perhaps", "(A)")


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """Whole words as tokens, and the special ones of Gemma 4."""
    need("transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.WordLevel({word: place for place, word in enumerate(("<unk>", *WORDS))}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.add_special_tokens([*TAGS, "<turn|>", "<pad>"])
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", pad_token="<pad>")


def test_the_tags_of_a_chain_are_kept_and_other_special_tokens_are_not(tokenizer: Any) -> None:
    row = tokenizer.encode("<pad> <|channel> thought An owl (B) perhaps <channel|> (A) <turn|>")
    assert decode_tokens(tokenizer, row, TAGS) == "<|channel>thought An owl (B) perhaps<channel|>(A)"
    read = extract(decode_tokens(tokenizer, row, TAGS), ["Jay", "Owl"], TAGS)
    assert (read.thinking, read.choice) == ("An owl (B) perhaps", "Jay")


@pytest.mark.parametrize(
    "text", ["<channel|> (A)", "<|channel> thought An owl", "(A)", "", "<|channel> <channel|> (A)"]
)
def test_a_part_of_a_chain_keeps_what_it_has(tokenizer: Any, text: str) -> None:
    assert decode_tokens(tokenizer, tokenizer.encode(text), TAGS).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize("chain", [None, ChainTags("<think>", "</think>")])
def test_without_special_tags_decoding_is_as_ever(tokenizer: Any, chain: ChainTags | None) -> None:
    row = tokenizer.encode("<|channel> thought An owl <channel|> (A) <turn|>")
    assert decode_tokens(tokenizer, row, chain) == tokenizer.decode(row, skip_special_tokens=True)


@pytest.mark.parametrize(
    ("chain", "options", "asked"),
    [
        (TAGS, {}, {"skip_special_tokens": False}),
        (TAGS, {"extra": '{"top_a": 1}'}, {"skip_special_tokens": False, "top_a": 1}),
        (TAGS, {"extra": '{"skip_special_tokens": true}'}, {"skip_special_tokens": True}),
        (ChainTags("<think>", "</think>"), {}, {}),
        (None, {}, {}),
        (None, {"chain": "<|notes|>,<|end|>"}, {"skip_special_tokens": False}),
    ],
)
def test_vllm_is_asked_for_special_tokens_where_they_are_tags(
    chain: ChainTags | None, options: dict[str, str], asked: dict[str, Any]
) -> None:
    need("vllm")
    from dtbench.models.vllm.model import Vllm

    family = dataclasses.replace(get_family("gemma-4"), chain=chain)
    model = Vllm.from_checkpoint(checkpoint_of_family(family, "gemma-4"), options)
    assert model.describe()["sampling"] == {"temperature": 0.0, **asked}


def test_gemma_4_has_its_tags() -> None:
    assert get_family("gemma-4").chain == get_family("gemma-4-unified").chain == TAGS
