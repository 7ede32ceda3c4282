"""Extract the answer from a text, without guessing: a text that decides nothing has no answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from dtbench.harness.extract.containers import Container, find_containers
from dtbench.harness.extract.cues import CORRECTION
from dtbench.harness.extract.ending import read_ending
from dtbench.harness.extract.formulas import without_formulas
from dtbench.harness.extract.options import Options
from dtbench.harness.extract.patterns import lazy_pattern
from dtbench.harness.extract.stance import CHOSEN, CONCLUDED, STATED
from dtbench.harness.extract.tidy import before_next_question, fold_signs, split_text, without_rejected
from dtbench.harness.extract.verdict import NOTHING, ReadVerdict, decide_option

_PLACEHOLDER = lazy_pattern(
    r"\W*(?:your|the|insert|put)?\W*(?:final )?(?:choice|answer|option|letter)(?: here| letter)?\W*", re.IGNORECASE
)
_IN_LAST_SENTENCE = lazy_pattern(r"[^\w]*|[^.!?\n]{0,200}[.!]\s*")
_WRAPPED = lazy_pattern(
    r"(?P<cue>(?:the )?(?:correct |final |right )?answer(?: is)?:? )?[\"']?(?:[(\[]?(?P<letter>[A-Z])[)\].:]{1,2} )?"
    r"(?P<text>[^\n]+?)[\"']?[.]?",
    re.IGNORECASE,
)
_LETTER = lazy_pattern(r"[(\[]?([A-Z])[)\].:]{0,2}")
_ANSWER_LINE = lazy_pattern(r"\n\**(?:final )?answer\**:\** ([^\n]+)$", re.IGNORECASE)
_ANY_ANSWER = lazy_pattern(r"answer\W{0,3}(?: is|:)")
"""In small letters: the search is ten times as fast as one that ignores case."""
_CLOSING_SIGNS = " \n\t.$*`"
_ECHO = lazy_pattern(r"\?|\b(?:options?|example|choose|question)\b", re.IGNORECASE)
"""What an echoed prompt has, and reasoning hardly."""
_MAX_LENGTH = 400
LEVELS = ("stated", "chosen", "concluded", "said", "inferred")
"""Levels of evidence, the firmest first: named as the answer, committed to, drawn as a conclusion, said of what is
heard, and not said in an option's own words or letter at all (other words, all others ruled out)."""
WINDOW = 8_000
"""Longer texts are read at their end: the answer stands there, and reading stays fast."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """The answer of a text, read without guessing."""

    thinking: str
    """The chain of thought as written, without its tags."""
    answer: str
    """The words in which the answer was given; empty where there are none."""
    choice: str | None
    """The chosen option, verbatim from the choices; None where nothing decides."""
    how: str
    """The rule that decided, or why nothing did."""
    level: str | None = None
    """How firm the evidence for the choice is, one of LEVELS; None without a choice."""
    set_aside: str | None = None
    """The option whose evidence is too weak to count, in place of a choice."""
    text: str | None = field(default=None, compare=False)
    """All of the text after the chain of thought; None where a reading of one's own does not keep it."""

    @property
    def whole_answer(self) -> str:
        """What scorers mark: the text after the chain, or the words of the answer where that is all there is."""
        return self.answer if self.text is None else self.text

    def __post_init__(self) -> None:
        if self.choice is not None and self.level is None:  # a scorer with a reading of its own
            object.__setattr__(self, "level", "stated")


class FastAnswer(NamedTuple):
    """An answer that is recognised at once."""

    words: str
    choice: str
    how: str
    level: str


def extract(text: str, choices: Sequence[str], chain: Sequence[str] | None = None) -> Extraction:
    """Read a model's text: its chain, its answer, the option it means, and what decided.

    `chain` is the model's own pair of tags around its chain; tags that many models use are known.
    """
    parts = split_text(text, chain)
    answer = parts.answer.strip()
    fast = fast_answer(answer, choices) if answer else None
    if fast is not None:
        return Extraction(parts.thinking, *fast, text=parts.answer)
    options = _options(tuple(choices))
    if answer:
        head = before_next_question(answer)
        verdict, words = _read_part(answer if head is None else head, options)
        if head is not None and verdict.how == NOTHING.how and _ECHO.search(head):
            verdict, words = _read_part(answer, options)  # an echoed prompt, not an answer
    else:
        verdict, words = _read_chain(parts.thinking, options, open_chain=parts.open_chain)
    choice = None if verdict.option is None else choices[verdict.option]
    return Extraction(parts.thinking, words, choice, verdict.how, verdict.evidence, text=parts.answer)


_options = lru_cache(maxsize=1024)(Options)


def fast_answer(text: str, choices: Sequence[str]) -> FastAnswer | None:
    """Recognise the commonest answers, as the full reading does, only sooner: nothing else, or a last tag or line."""
    if len(text) <= _MAX_LENGTH:
        whole = _match_whole(text, choices)
        if whole is not None:
            return whole
    if text.endswith("</answer>"):
        begin = text.rfind("<answer>")
        inner = _match_whole(text[begin + 8 : -9].strip(), choices) if begin >= 0 else None
        return inner and inner._replace(how=f"answer tag: {inner.how}")
    line = _ANSWER_LINE.search(text, max(0, len(text) - _MAX_LENGTH))
    if line is None or before_next_question(text) is not None or _is_announced(text, line.start()):
        return None
    inner = _match_whole(line[1].strip(), choices)
    return inner and inner._replace(how="stated")


def _is_announced(text: str, end: int) -> bool:
    """Whether an answer is announced before this place."""
    return _ANY_ANSWER.search(text[:end].lower()) is not None


def _match_whole(text: str, choices: Sequence[str]) -> FastAnswer | None:
    if text and text in choices:
        return FastAnswer(text, text, "option text", "stated")
    wrapped = _WRAPPED.fullmatch(text)
    if wrapped is not None and (inner := wrapped["text"].strip()) in choices:
        letter = wrapped["letter"]
        if letter is None or choices.index(inner) == ord(letter.upper()) - ord("A"):
            return FastAnswer(text, inner, "stated" if wrapped["cue"] else "option text", "stated")
    letter = _LETTER.fullmatch(text)
    if letter is None or min(map(len, choices), default=0) < 3:  # short options may be letters themselves
        return None
    place = ord(letter[1]) - ord("A")
    return FastAnswer(text, choices[place], "stated, by letter", "stated") if place < len(choices) else None


def _read_part(text: str, options: Options) -> tuple[ReadVerdict, str]:
    folded = fold_signs(text)
    useless = None
    for container in find_containers(folded):
        verdict = _read_container(container, folded, options)
        if verdict is None or verdict.no_option:
            useless = useless or (verdict and (verdict, container.content.strip()[:2000]))
            text = f"{text[: container.start]}{' ' * (container.end - container.start)}{text[container.end :]}"
            continue
        corrected = verdict.start >= container.end
        return verdict, text[container.end :].strip()[:400] if corrected else container.content.strip()[:2000]
    verdict, words = _read_freely(text, options)
    stated = verdict.option is not None and verdict.level >= CHOSEN and not verdict.inferred
    return (verdict, words) if stated or useless is None else useless


def _read_freely(text: str, options: Options) -> tuple[ReadVerdict, str]:
    """Read a text in which no container holds the answer."""
    ending = read_ending(text[-4 * WINDOW :])
    window = ending.text[-WINDOW:]
    shown = without_formulas(without_rejected(fold_signs(window)))
    verdict = decide_option(shown, options, ending=ending)
    return verdict, _sentence_around(window, verdict.start, verdict.end) if verdict.option is not None else ""


def _read_container(container: Container, text: str, options: Options) -> ReadVerdict | None:
    """Read the content of a container; None where it is empty and the rest of the text decides."""
    content = container.content.strip()
    inner = [c for c in find_containers(content) if c.content.strip()]
    if inner:
        content = inner[0].content.strip()
    content = without_formulas(content)
    if _PLACEHOLDER.fullmatch(content) or not any(c.isalnum() for c in content):
        around = text[: container.start] + text[container.end :]
        return None if around.strip(_CLOSING_SIGNS) else NOTHING._replace(how=f"empty {container.name}")
    after = text[container.end :][:WINDOW]
    if CORRECTION.search(after):
        corrected = decide_option(after, options)
        if corrected.option is not None and corrected.level >= CONCLUDED:
            return corrected._replace(how=f"after the {container.name}: {corrected.how}", start=container.end)
    verdict = decide_option(content[:WINDOW], options, cued=True)
    useless = verdict.option is None and verdict.useless
    return verdict._replace(how=f"{container.name}: {verdict.how}", start=0, end=0, no_option=useless)


def _read_chain(thinking: str, options: Options, *, open_chain: bool) -> tuple[ReadVerdict, str]:
    """Read a text that is all chain: only an answer in a container, or one stated last, counts."""
    why = NOTHING._replace(how="the chain was cut off" if open_chain else "nothing after the chain")
    folded = fold_signs(thinking)
    for container in find_containers(folded):
        if container.content.strip():
            verdict = _read_container(container, folded, options)
            if verdict is not None and verdict.option is not None:
                return verdict, container.content.strip()
    text = folded[-WINDOW:]
    verdict = decide_option(text, options)
    ends_there = _IN_LAST_SENTENCE.fullmatch(text, verdict.end) is not None
    if verdict.option is not None and verdict.level == STATED and ends_there:
        return verdict._replace(how=f"stated at the end of the chain, {verdict.how}"), text[verdict.start : verdict.end]
    return why if thinking.strip() else NOTHING._replace(how="empty"), ""


def _sentence_around(text: str, start: int, end: int) -> str:
    """Return the line or sentence around the deciding words."""
    left = max(text.rfind("\n", 0, start), text.rfind(". ", 0, start)) + 1
    right = min((p for p in (text.find("\n", end), text.find(". ", end)) if p >= 0), default=len(text))
    return text[left : right + 1].strip()[:400]
