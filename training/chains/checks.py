"""Check the texts that a model wrote: accept each, or reject it with the reason."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from typing import NamedTuple

from dtbench.harness.extract.answer import extract
from dtbench.harness.extract.tidy import split_text
from dtbench.harness.judge.verdict import json_values
from dtbench.training.data.rows import TrainingRow
from dtbench.training.recipe.reward_settings import RewardSettings
from dtbench.training.rewards.guards import is_loop, is_nothing_new

_ASKED = re.compile(
    r"\b(?:correct|right|final|best) (?:answer|option|choice)\b"
    r"|\b(?:answer|option|choice) (?:is )?\(?[A-F]\)?(?=[\s.,:;)]|$)"
    r"|\bmultiple[- ]choice\b|\bthe (?:given |following )?options\b",
    re.IGNORECASE,
)
_SAYS = r"(?:says?|states?|mentions?|notes|tells?|indicates?|describes?|specif(?:y|ies))"
_GIVEN = re.compile(
    rf"\b(?:account|captions?|description|metadata|annotations?|notes) {_SAYS}\b"
    r"|\b(?:according to|based on|from) (?:the|this|that|my) (?:written )?(?:account|caption|description|metadata)\b"
    r"|\baccording to (?:the|my) notes\b"
    r"|\b(?:audio|given|provided|written) (?:account|caption|description)\b"
    r"|\b(?:given|provided|stated|known|reference|gold) (?:right |correct )?answer\b"
    r"|\bi (?:was|am|have been) (?:told|given)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")
CAPTION_WORDS, CHAIN_WORDS = (8, 500), (25, 400)
"""How long texts may be."""


class Rejected(NamedTuple):
    """The reason why a text is rejected."""

    why: str


def parse_caption(text: str) -> str | Rejected:
    """Return the caption; one that speaks of a question or its options knows what it must not know."""
    caption = _spoken(text)
    if asked := _ASKED.search(caption):
        return Rejected(f"an answer in the caption step: it says {asked[0]!r}")
    return _within(caption, CAPTION_WORDS) or caption


def parse_question(text: str, row: TrainingRow) -> TrainingRow | Rejected:
    """Return the row with its question; an order of options drawn from its id, as models put the right one first."""
    reply = next((one for one in json_values(text[-20_000:]) if isinstance(one, dict) and "question" in one), None)
    if reply is None:
        return Rejected("no JSON object with a question")
    question, choices, answer = reply.get("question"), reply.get("choices"), reply.get("answer")
    if not isinstance(question, str) or not question.strip() or not isinstance(choices, list):
        return Rejected("its question or its choices are missing")
    options = [choice.strip() for choice in choices if isinstance(choice, str) and choice.strip()]
    if len(options) != len(choices) or not 3 <= len({option.casefold() for option in options}) == len(options) <= 6:
        return Rejected(f"its choices are not three to six different texts: {str(choices)[:80]}")
    if not isinstance(answer, str) or answer.strip() not in options:
        return Rejected(f"its answer is none of its choices: {str(answer)[:60]!r}")
    if given := _GIVEN.search(question):
        return Rejected(f"the question speaks of what it was written from: {given[0]!r}")
    if _gives_away(question, answer.strip(), options):
        return Rejected("the question holds its answer")
    random.Random(row.id).shuffle(options)
    return replace(row, question=question.strip(), choices=tuple(options), answer=answer.strip())


def parse_chain(text: str, row: TrainingRow) -> str | Rejected:
    """Return the chain; it has to end where the answer is, and to reason as one who only listens."""
    chain = _spoken(text)
    if short := _within(chain, CHAIN_WORDS):
        return short
    if given := _GIVEN.search(chain):
        return Rejected(f"it speaks of what it was given: {given[0]!r}")
    concluded = extract(chain, row.choices).choice
    if concluded is None:
        return Rejected("it draws no conclusion")
    if concluded != row.answer:
        return Rejected(f"it contradicts the answer: it concludes {concluded!r}, right is {row.answer!r}")
    settings = RewardSettings()
    if is_nothing_new(row, chain, settings):
        return Rejected("it says nothing but the question and its options")
    return Rejected("it goes round in a circle") if is_loop(row, chain, settings) else chain


def _spoken(text: str) -> str:
    """Remove from a reply the thoughts before it."""
    return split_text(text).answer.strip()


def _within(text: str, limits: tuple[int, int]) -> Rejected | None:
    count = len(_WORD.findall(text))
    low, high = limits
    return None if low <= count <= high else Rejected(f"{count} words, {low} to {high} are expected")


def _gives_away(question: str, answer: str, options: list[str]) -> bool:
    """Whether the question has all words of the right option, and of no other."""
    asked = set(_WORD.findall(question.casefold()))

    def named(option: str) -> bool:
        words = set(_WORD.findall(option.casefold()))
        return bool(words) and words <= asked

    return named(answer) and not any(named(option) for option in options if option != answer)
