"""The tokens that are one letter, in tokenizers of several kinds."""

from __future__ import annotations

from typing import Any

import pytest
from engines import need

from dtbench.harness.core.errors import MachineryError
from dtbench.models.local.weights import letter_tokens

pytestmark = pytest.mark.engine


def tokenizer(*words: str, marked: bool = False) -> Any:
    """Whole words as tokens; marked: with the sign that SentencePiece puts before a word."""
    need("transformers")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate(("<unk>", *words))}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    if marked:
        made.pre_tokenizer = pre_tokenizers.Metaspace()
        made.decoder = decoders.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>")


def test_a_letter_is_its_token() -> None:
    assert list(letter_tokens(tokenizer("A", "B", "AB"), "B")) == [2]


def test_a_letter_with_the_mark_of_a_new_word_and_without_is_the_same_letter() -> None:
    assert list(letter_tokens(tokenizer("A", "▁A", "▁B", marked=True), "A")) == [1, 2]


def test_a_tokenizer_without_the_letter_is_one_clear_error() -> None:
    with pytest.raises(MachineryError, match="--answer forced: this tokenizer has no token for the letter C"):
        letter_tokens(tokenizer("A", "B"), "C")
