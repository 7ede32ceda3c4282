"""Chains of thought: every marker that models use, in every state; and prose that only looks like one."""

from __future__ import annotations

import pytest

from dtbench import extract
from dtbench.harness.extract.chain_tags import ChainTags
from dtbench.harness.extract.tidy import split_text, with_think_tags

CHOICES = ["A dog", "A cat", "A train", "A bell"]
THOUGHT = "It could be a cat, so perhaps (B), but it barks."
OWN = ("<reason>", "</reason>")
MARKERS = {
    "think": ("<think>", "</think>"),
    "think on lines of its own": ("<think>\n", "\n</think>\n\n"),
    "upper case": ("<THINK>", "</THINK>"),
    "thinking": ("<thinking>", "</thinking>"),
    "thought": ("<thought>", "</thought>"),
    "reasoning": ("<reasoning>", "</reasoning>"),
    "reason": ("<reason>", "</reason>"),
    "reflection": ("<reflection>", "</reflection>"),
    "Seed": ("<seed:think>", "</seed:think>"),
    "MiniMax M3": ("<mm:think>", "</mm:think>"),
    "K2": ("<ifm|think_fast>", "</ifm|think_fast>"),
    "Hunyuan": ("<think:abc123>", "</think:abc123>"),
    "Magistral": ("[THINK]", "[/THINK]"),
    "Kimi": ("◁think▷", "◁/think▷"),
    "Kimi K3": ("<|open|>think<|sep|>", "<|close|>think<|sep|><|open|>response<|sep|>"),
    "OpenThinker": ("<|begin_of_thought|>\n\n", "\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\n"),
    "Command A": ("<|START_THINKING|>", "<|END_THINKING|><|START_RESPONSE|>"),
    "Gemma 4": ("<|channel>thought\n", "<channel|>"),
    "MedGemma": ("<unused94>thought\n", "<unused95>"),
    "harmony": ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    "Granite": ("Here is my thought process:\n", "\nHere is my response:\n"),
    "harmony, stripped": ("analysis", "assistantfinal"),
    "own": ("<my-notes>", "</my-notes>"),
    "own, without brackets": ("### Notes", "### End of notes"),
    "own, of special tokens": ("<|notes|>", "<|/notes|>"),
    "own, one begins as the other": ("@@", "@@@"),
}
OPENED_BY_TEXT = {"Granite", "harmony, stripped", "harmony"}
"""Where a closing mark alone says something else, or nothing."""
OPENS_THE_ANSWER = {"OpenThinker", "Command A", "Kimi K3"}
"""Where a mark of the answer's own follows the closing one."""


def own_tags(name: str) -> tuple[str, str] | None:
    return MARKERS[name] if name.startswith("own") else None


def chain_and_choice(text: str, name: str) -> tuple[str, str | None]:
    read = extract(text, CHOICES, chain=own_tags(name))
    return read.thinking, read.choice


@pytest.mark.parametrize("name", MARKERS)
def test_a_closed_chain_is_kept_apart_from_the_answer(name: str) -> None:
    opening, closing = MARKERS[name]
    assert chain_and_choice(f"{opening}{THOUGHT}{closing}(A)", name) == (THOUGHT, "A dog")


@pytest.mark.parametrize("name", MARKERS)
def test_a_statement_inside_a_chain_loses_to_the_answer(name: str) -> None:
    opening, closing = MARKERS[name]
    assert chain_and_choice(f"{opening}The answer is (B).{closing}The answer is (C).", name)[1] == "A train"


@pytest.mark.parametrize("name", MARKERS)
def test_a_chain_that_never_ends_has_no_answer(name: str) -> None:
    assert chain_and_choice(f"{MARKERS[name][0]}{THOUGHT} Then a bell", name) == (f"{THOUGHT} Then a bell", None)
    assert split_text(f"{MARKERS[name][0]}{THOUGHT}", own_tags(name)).open_chain


@pytest.mark.parametrize("name", sorted(MARKERS.keys() - OPENED_BY_TEXT))
def test_a_closing_tag_alone_ends_a_chain_that_the_prompt_opened(name: str) -> None:
    assert chain_and_choice(f"{THOUGHT}{MARKERS[name][1]}(A)", name) == (THOUGHT, "A dog")


@pytest.mark.parametrize("name", sorted(MARKERS.keys() - {"Granite"}))
def test_several_chains_are_joined(name: str) -> None:
    opening, closing = MARKERS[name]
    again = f"<|start|>assistant{opening}" if name == "harmony" else opening
    if name == "harmony, stripped":
        again, closing = "assistantanalysis", ""
        text = f"{opening}One.{again}Two.assistantfinal(A)"
    else:
        text = f"{opening}One.{closing}{again}Two.{closing}(A)"
    assert chain_and_choice(text, name) == ("One.\nTwo.", "A dog")


@pytest.mark.parametrize("name", sorted(MARKERS.keys() - {"own, one begins as the other"}))
def test_an_empty_chain_is_none(name: str) -> None:
    opening, closing = MARKERS[name]
    assert chain_and_choice(f"{opening}{closing}(A)", name) == ("", "A dog")


@pytest.mark.parametrize("name", sorted(MARKERS.keys() - {"harmony", "harmony, stripped"}))
def test_a_chain_closed_with_nothing_after_it_has_no_answer(name: str) -> None:
    opening, closing = MARKERS[name]
    parts = split_text(f"{opening}{THOUGHT}{closing}", own_tags(name))
    assert (parts.thinking, parts.answer.strip(), parts.open_chain) == (THOUGHT, "", False)


@pytest.mark.parametrize("tags", [OWN, ("<my-notes>", "</my-notes>"), ("### Notes", "### End of notes")])
def test_own_tags_hold_whatever_else_is_written_inside_them(tags: tuple[str, str]) -> None:
    opening, closing = tags
    text = f"{opening}First </think> then <thinking>, [THINK] and the answer is (B).{closing}(A)"
    read = extract(text, CHOICES, chain=tags)
    assert read.thinking == "First </think> then <thinking>, [THINK] and the answer is (B)."
    assert read.choice == "A dog"


def test_own_tags_are_found_in_either_case() -> None:
    assert extract("<My-Notes>a cat?</MY-NOTES>(A)", CHOICES, chain=("<my-notes>", "</my-notes>")).choice == "A dog"


def test_known_tags_are_found_beside_own_ones() -> None:
    text = "<my-notes>One.</my-notes><think>Two. (B)?</think>(A)"
    read = extract(text, CHOICES, chain=("<my-notes>", "</my-notes>"))
    assert (read.thinking, read.choice) == ("One.\nTwo. (B)?", "A dog")
    assert extract("<think>(B)?</think>(A)", CHOICES, chain=("<my-notes>", "</my-notes>")).choice == "A dog"


def test_a_nested_chain_ends_where_the_last_of_its_tags_closes() -> None:
    assert split_text("<reason>a <reason>b</reason> c</reason>(A)").answer == "(A)"
    text = "<n>a <n>b</n> c</n>(A)"
    assert split_text(text, ("<n>", "</n>")) == ("a <n>b\nc", "(A)", False)


@pytest.mark.parametrize("name", sorted(MARKERS.keys() - OPENED_BY_TEXT - OPENS_THE_ANSWER))
def test_a_closing_tag_that_ends_the_text_once_more_takes_no_answer_away(name: str) -> None:
    opening, closing = MARKERS[name]
    assert chain_and_choice(f"{opening}{THOUGHT}{closing}(A){closing}\n", name) == (THOUGHT, "A dog")
    assert chain_and_choice(f"{opening}{THOUGHT} {opening} (C)?{closing} So.{closing}", name)[1] is None


@pytest.mark.parametrize("tags", [None, OWN, ("<my-notes>", "</my-notes>")])
def test_a_text_without_tags_is_all_answer(tags: tuple[str, str] | None) -> None:
    assert split_text("It is a dog: (A).", tags) == ("", "It is a dog: (A).", False)


@pytest.mark.parametrize(
    ("text", "thinking", "choice"),
    [
        # Harmony: only analysis, other channels, constrained ones, a header that was cut off.
        ("<|channel|>analysis<|message|>A dog. The answer may be (A)<|end|>", "A dog. The answer may be (A)", None),
        (
            "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary<|message|>Note (B)."
            "<|end|><|start|>assistant<|channel|>final <|constrain|>json<|message|>(A)<|return|>",
            "Hm.\nNote (B).",
            "A dog",
        ),
        ("Maybe (B).<|end|><|start|>assistant<|channel|>final<|message|>(A)", "Maybe (B).<|end|>", "A dog"),
        ("<|start|>assistant<|channel|>final<|message|>(A)<|return|>", "", "A dog"),
        ("analysisThe clip may be (B).assistantfinal(A)", "The clip may be (B).", "A dog"),
        ("analysis1. It may be (B).assistantcommentary Look.assistantfinal(A)", "1. It may be (B).\nLook.", "A dog"),
        ("assistantfinal(A)", "", "A dog"),
        ("analysisThe clip may be (B)", "The clip may be (B)", None),
        # Gemma 4: nothing is left that ends the chain.
        ("thought\nThe clip barks.\nIt may be (B).\n(A)", "The clip barks.\nIt may be (B).\n(A)", None),
        ("thought\nThe clip barks.\nThe answer is (A).", "The clip barks.\nThe answer is (A).", "A dog"),
        ("thought\nIt barks, cats do not, so (B) is out; the answer may be (A) or (C) then, but which", None, None),
        ("thought\n(A)", "", "A dog"),
        # Templates: a role, an echo, an end.
        ("<|im_start|>assistant\n<think>(B)?</think>(A)<|im_end|>", "(B)?", "A dog"),
        ("<think>(B)?</think>(A)<turn|>\n<|turn>user\nIs it (C)?", "(B)?", "A dog"),
        ("<|START_THINKING|>(B)?<|END_THINKING|><|START_RESPONSE|>(A)<|END_RESPONSE|>", "(B)?", "A dog"),
        (
            "<|begin_of_thought|>(B)?<|end_of_thought|><|begin_of_solution|>(A)<|end_of_solution|>",
            "(B)?",
            "A dog",
        ),
        ("Here's my thought process: (B)? Here's my response: (A)", "(B)?", "A dog"),
        ("<|channel>thought\n<channel|>(A)<turn|>", "", "A dog"),
        ("<think>(B)?</think>The answer is (A)<think>or (C)?</think>", "(B)?\nor (C)?", "A dog"),
    ],
)
def test_a_text_as_a_template_leaves_it(text: str, thinking: str | None, choice: str | None) -> None:
    read = extract(text, CHOICES)
    assert read.choice == choice
    assert thinking is None or read.thinking == thinking


@pytest.mark.parametrize(
    "text",
    [
        "Thought: it barks. The answer is (A).",
        "Thought\nIt barks. The answer is (A).",
        "thought to be a dog, so the answer is (A)",
        "thoughts\nThe answer is (A).",
        "Analysis: the dog barks twice. The answer is (A).",
        "Analysis\nThe dog barks. The answer is (A).",
        "analysis of the clip: a bark. The answer is (A).",
        "analysis: The answer is (A).",
        "analysis\nThe answer is (A).",
        "Reasoning: it barks. The answer is (A).",
        "Commentary: it barks. The answer is (A).",
        "My response: the answer is (A).",
        "Here is my response: (A)",
        "I think <it> barks; think > all. The answer is (A).",
        "Let me think. The answer is (A).",
        "The assistant's final answer is (A).",
        "A reason [1] for it: barks. The answer is (A).",
        "The reflection of the sound shows a dog. The answer is (A).",
        "[reason] it barks. The answer is (A).",
        "A channel of thought says: the answer is (A).",
        "The analysis channel final message: the answer is (A).",
    ],
)
def test_prose_that_only_looks_like_a_chain_is_an_answer(text: str) -> None:
    parts = split_text(text)
    assert (parts.thinking, parts.open_chain) == ("", False)
    assert extract(text, CHOICES).choice == "A dog"


@pytest.mark.parametrize("name", sorted(name for name in MARKERS if name.startswith("own")))
def test_own_tags_are_written_as_known_ones_for_readings_that_know_no_others(name: str) -> None:
    tags = MARKERS[name]
    text = f"{tags[0]}One </think> two{tags[1]}(A)"
    assert split_text(with_think_tags(text, tags)) == ("One  two", "(A)", False)
    assert split_text(with_think_tags(f"{tags[0]}One", tags)) == ("One", "", True)
    assert split_text(with_think_tags(f"One{tags[1]}(A)", tags)) == ("One", "(A)", False)
    assert with_think_tags("<think>One</think> (A)", tags) == "<think>One</think> (A)"
    assert with_think_tags(text, None) == text


@pytest.mark.parametrize(
    "given", ["<a>", "<a>,", "<a>,<b>,<c>", "<a>,<A>", "", ["<a>"], ["<a>", 1], ["", "<b>"], 7, None, {"<a>": "<b>"}]
)
def test_what_is_not_two_different_tags_is_refused(given: object) -> None:
    with pytest.raises(ValueError, match="a pair of different tags"):
        ChainTags.of(given)


def test_tags_come_from_a_list_or_a_text() -> None:
    assert ChainTags.of(["<a>", " </a> "]) == ChainTags.of("<a>, </a>") == ("<a>", "</a>")


UNITS = [
    *(tag for pair in MARKERS.values() for tag in pair),
    *("<", "<|", "[", "◁ ", "/think>", "<think ", "\n", " ", "assistant", "analysis", "Here is my response:"),
    *(
        "<|channel|>",
        "<|message|>",
        "<|start|>assistant",
        "a<|start|>",
        "thought\n",
        "<eos>",
        "a ",
        "@",
        "<|im_start|>",
    ),
]


@pytest.mark.parametrize("unit", sorted(set(UNITS)))
def test_a_quarter_of_a_megabyte_of_anything_is_split_without_adding_a_character(unit: str) -> None:
    """Quadratic time would be minutes to hours here; nothing is asserted on how long it takes."""
    text = unit * (250_000 // len(unit))
    for tags in (None, OWN, ("@@", "@@@")):
        thinking, answer, _ = split_text(text, tags)
        assert len(thinking) + len(answer) <= len(text)
        assert len(with_think_tags(text, tags)) <= len(text) + len("<think></think>")
