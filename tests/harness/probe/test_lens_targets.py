"""Which tokens of a forced text the lens reads."""

from __future__ import annotations

import itertools
import re

import pytest

from dtbench.harness.extract.chain_tags import ChainTags
from dtbench.harness.probe.lens_targets import (
    LensTarget,
    OptionsAsked,
    TokenizedText,
    answer_target,
    chain_targets,
    part_text,
    with_others,
)

WORDS = ("up", "down", "tone", "chirp", "long", "short")
TEXT = "<think> i hear first long tone , second short chirp up . so the answer is up </think> Answer: up"
VOCABULARY: dict[str, int] = {}


def encode(text: str) -> list[int]:
    """Tokens that are words with the space before them, and single signs."""
    return [VOCABULARY.setdefault(piece, len(VOCABULARY)) for piece in re.findall(r" ?\w+| ?[^\w]", text)]


def written(text: str) -> TokenizedText:
    tokens = encode(text)
    names = {token: piece for piece, token in VOCABULARY.items()}
    return TokenizedText(tokens, [names[token] for token in tokens])


def pieces(text: TokenizedText, targets: list[LensTarget]) -> list[tuple[str, str]]:
    return [(target.kind, text.pieces[target.place]) for target in targets]


def test_the_tag_the_first_token_and_each_word_for_a_sound_are_read() -> None:
    text = written(TEXT)
    found = list(chain_targets(text, part_text(TEXT, None), WORDS))
    assert pieces(text, found) == [
        ("opening", "<"),
        ("first", " i"),
        *(("content", f" {word}") for word in ("long", "tone", "short", "chirp", "up", "up")),
    ]
    assert all(text.tokens[target.place] == target.token for target in found)


def test_tags_of_a_models_own_are_taken() -> None:
    text = TEXT.replace("think>", "reason>")
    parts = part_text(text, ChainTags("<reason>", "</reason>"))
    assert text[parts.chain : parts.chain_end].startswith(" i hear")
    assert parts.answer is not None
    assert text[parts.answer :] == " Answer: up"


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("i hear a long tone </think> up", ["first", "content", "content"]),  # the prompt has opened the chain
        ("<think> a long tone", ["opening", "first", "content", "content"]),  # cut off
        ("<think> </think> up", ["opening"]),
        ("up", []),
    ],
)
def test_chains_that_are_not_whole_have_the_targets_that_are_there(text: str, kinds: list[str]) -> None:
    assert [target.kind for target in chain_targets(written(text), part_text(text, None), WORDS)] == kinds


def answer(text: str, *choices: str, right: str) -> LensTarget | None:
    start = part_text(text, None).answer
    assert start is not None
    return answer_target("answer", written(text), start, OptionsAsked(choices, right), encode)


@pytest.mark.parametrize(("said", "choices"), [("up", ("up", "down")), ("second", ("first", "second", "third"))])
def test_an_answer_in_words_is_read_where_the_options_part(said: str, choices: tuple[str, ...]) -> None:
    found = answer(f"<think> a </think> the {said}", *choices, right=choices[0])
    assert found is not None
    assert found.options == tuple(encode(f" {choice}")[0] for choice in choices)
    assert found.token == encode(f" {said}")[0]
    assert found.right == 0


def test_an_answer_by_letter_has_the_letters_as_options() -> None:
    found = answer("<think> a </think> Answer: B", "up", "down", right="down")
    assert found is not None
    assert found.options == (encode(" A")[0], encode(" B")[0])
    assert found.right == 1


def test_options_that_begin_alike_are_read_at_the_token_in_which_they_part() -> None:
    found = answer("<think> a </think> loud long", "loud long", "loud short", right="loud short")
    assert found is not None
    assert found.options == (encode(" long")[0], encode(" short")[0])


def test_options_that_part_at_no_single_token_have_no_margin() -> None:
    found = answer("<think> a </think> soft long", "loud long", "loud short", "soft long", right="soft long")
    assert found is not None
    assert (found.options, found.token) == ((), encode(" soft")[0])


def test_a_text_that_names_no_option_has_no_answer_to_read() -> None:
    assert answer("<think> a </think> I cannot tell.", "up", "down", right="up") is None


def test_the_null_is_the_token_of_the_next_question_and_never_the_same_one() -> None:
    texts = [
        [LensTarget("opening", 0, 5), *(LensTarget("content", 1 + n, one) for n, one in enumerate(tokens))]
        for tokens in ([10, 11, 12], [20, 11], [30])
    ]
    found = with_others(texts)
    assert [[target.other for target in targets] for targets in found] == [
        [None, 20, None, 20],
        [None, 30, 30],
        [None, 10],
    ]
    assert [len(targets) for targets in found] == [len(targets) for targets in texts]
    assert all(one.other != one.token for one in itertools.chain(*found))
