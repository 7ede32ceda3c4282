"""A chain is found where the model wrote it, and an answer can be begun again with another chain in its place."""

from __future__ import annotations

import pytest

from dtbench.harness.extract.chain_tags import ChainTags
from dtbench.harness.faithful.chain_layout import ChainLayout, find_chain

OWN = ChainTags("<reason>", "</reason>")


def found(text: str, own: ChainTags | None = None) -> ChainLayout:
    layout = find_chain(text, own)
    assert layout is not None
    return layout


@pytest.mark.parametrize(
    "text",
    [
        "<think> it rings . </think> a bell",
        "<think>\nIt rings.\n</think>\n\nAnswer: B",
        "Well. <thinking>It rings.</thinking>(B)",
    ],
)
def test_the_whole_chain_handed_back_is_what_the_model_wrote_up_to_its_answer(text: str) -> None:
    layout = found(text)
    begun = layout.closed_with(layout.chain)
    assert text.startswith(begun)
    assert text[len(begun) :].strip() in {"a bell", "Answer: B", "(B)"}


def test_an_open_chain_ends_with_the_words_that_are_given() -> None:
    layout = found("<think> it rings . </think> a bell")
    assert layout.open_with("it barks") == "<think> it barks"


def test_an_empty_chain_keeps_its_tags() -> None:
    assert found("<think> it rings . </think> a bell").closed_with("") == "<think> </think>"
    assert found("<think>\nIt rings.\n</think>\nB").closed_with("") == "<think>\n</think>"


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.0, ""), (0.25, "one"), (0.5, "one two,"), (0.75, "one two,\nthree"), (1.0, "one two,\nthree  four")],
)
def test_a_chain_is_cut_between_words(share: float, words: str) -> None:
    assert found("<think>one two,\nthree  four</think>B").cut_at(share) == words


def test_a_filler_has_as_many_dots_as_the_chain_has_words() -> None:
    assert found("<think>one two,\nthree  four</think>B").filler() == ". . . ."


def test_a_chain_whose_opening_tag_was_the_prompts_gets_it() -> None:
    assert found("It rings.\n</think>\nB").open_with("It barks.") == "<think>\nIt barks."


def test_a_chain_that_came_apart_is_given_back_in_the_models_own_tags() -> None:
    layout = found("<think>It rings.</think>B", OWN)
    assert layout.closed_with("It barks.") == "<reason>It barks.</reason>"


def test_the_models_own_tags_stay() -> None:
    assert found("<reason> It rings. </reason> B", OWN).closed_with("Hm.") == "<reason> Hm. </reason>"


@pytest.mark.parametrize("text", ["a bell", "<think>it rings", "<think></think>a bell", "<think>it rings</think> ", ""])
def test_without_a_whole_chain_or_an_answer_behind_it_there_is_nothing_to_change(text: str) -> None:
    assert find_chain(text, None) is None


def test_a_chain_that_is_the_name_of_its_tag_is_found_behind_it() -> None:
    assert found("<think> think </think> 2").closed_with("yes") == "<think> yes </think>"
