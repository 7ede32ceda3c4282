"""Whether an answer does what was asked of its form: the 27 rules of MMAU-Pro, after sonalkum/MMAUPro 960e93a.

A rule has a name, and `kwargs` beside the question. They are followed to their quirks: forbidden words are found inside
others, a bullet is a star at the start of a line, a section may be split inside a word. What was not said passes "No
Commas". The script counts sentences with a model of NLTK; here a rule of our own does, which agrees with it but for
unusual texts (tests/harness/score/scorers has both).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

Kwargs = Mapping[str, Any]
_MOST = 999
_WORDS = re.compile(r"\S+")
_SENTENCE_END = re.compile(r"""[.!?]+["')\]]*(?=\s|$)""")
_ABBREVIATIONS = frozenset("mr mrs ms dr prof st jr sr vs inc ltd co u.s p.m a.m".split())


def follows(rule: str, answer: str, kwargs: Kwargs, question: str = "") -> bool:
    """Whether an answer follows a rule; none follows a rule that there is not, or one that lacks what it needs."""
    check = RULES.get(rule)
    if check is None:
        return False
    try:
        return check(answer, {**kwargs, "question": question})
    except (KeyError, TypeError, AttributeError, ValueError):
        return False


def count_sentences(text: str) -> int:
    """Count sentences: each ends with a sign and a space after it, but for initials and titles."""
    ends = [match for match in _SENTENCE_END.finditer(text) if not _goes_on(text, match)]
    rest = text[ends[-1].end() :] if ends else text
    return len(ends) + bool(rest.strip())


def _goes_on(text: str, end: re.Match[str]) -> bool:
    """Whether full stops end no sentence: after an initial or a title, and three of them before a small letter."""
    if end.end() == len(text):
        return False
    if end[0] != ".":
        return end[0].startswith("..") and text[end.end() :].lstrip()[:1].islower()
    before = text[: end.start()].split()
    word = before[-1].lstrip("(\"'[") if before else ""
    return word.lower() in _ABBREVIATIONS or (len(word) == 1 and word.isupper())


def _listed(text: str) -> list[str]:
    return text.split(", ")


def _includes(answer: str, kwargs: Kwargs) -> bool:
    return all(word.lower() in answer.lower() for word in _listed(kwargs["keywords"]))


def _excludes(answer: str, kwargs: Kwargs) -> bool:
    return all(word.lower() not in answer.lower() for word in _listed(kwargs["forbidden_words"]))


def _says_so_often(answer: str, kwargs: Kwargs) -> bool:
    found = re.findall(rf"\b{re.escape(kwargs['keyword'].lower())}\b", answer.lower())
    return bool(len(found) == kwargs["N"])


def _paragraphs(answer: str, kwargs: Kwargs) -> bool:
    return bool(sum(bool(part.strip()) for part in answer.split("***")) == kwargs["N"])


def _letters_only(text: str) -> str:
    return re.sub("[^a-z]", "", text.lower())


def _has_postscript(answer: str, kwargs: Kwargs) -> bool:
    return _letters_only(kwargs["postscript_marker"]) in _letters_only(answer)


def _bullets(answer: str, kwargs: Kwargs) -> bool:
    return bool(len(re.findall(r"(?:^|\n)\s*\*\s+", answer)) == kwargs["N"])


def _sections(answer: str, kwargs: Kwargs) -> bool:
    parts = re.split(rf"\s*{re.escape(kwargs['section_splitter'])}\s*", answer.strip())
    return bool(sum(bool(part.strip()) for part in parts) == kwargs["N"])


def _repeats_question(answer: str, kwargs: Kwargs) -> bool:
    return answer.strip().lower().startswith(kwargs["question"].strip().lower())


def _two_responses(answer: str, kwargs: Kwargs) -> bool:
    parts = [part.strip().lower() for part in answer.split("******")]
    return len(parts) == 2 and parts[0] != parts[1]


def _letters_and_blanks(text: str) -> str:
    return re.sub("[^a-zA-Z ]", "", text).lower()


def _starts(answer: str, kwargs: Kwargs) -> bool:
    return _letters_and_blanks(answer).startswith(_letters_and_blanks(kwargs["start_phrase"]))


def _ends(answer: str, kwargs: Kwargs) -> bool:
    return _letters_and_blanks(answer).endswith(_letters_and_blanks(kwargs["end_phrase"]))


def _is_quoted(answer: str, kwargs: Kwargs) -> bool:
    text = answer.strip()
    return text.startswith('"') and text.endswith('"')


def _count_words(text: str) -> int:
    return len(_WORDS.findall(text))


def _count_capitals(text: str) -> int:
    return sum(word.isupper() for word in _WORDS.findall(text))


Check = Callable[[str, Kwargs], bool]


def _bounded(name: str, count: Callable[[str], int]) -> dict[str, Check]:
    """Return the three rules on a count: at least, at most, and a range."""

    def against(compare: Callable[[Any, Any], bool]) -> Check:
        return lambda answer, kwargs: bool(compare(count(answer), kwargs["N"]))

    def within(answer: str, kwargs: Kwargs) -> bool:
        return bool(kwargs.get("N1", 0) <= count(answer) <= kwargs.get("N2", _MOST))

    return {
        f"{name} (at least)": against(operator.ge),
        f"{name} (at most)": against(operator.le),
        f"{name} (range)": within,
    }


RULES: Mapping[str, Check] = MappingProxyType(
    {
        "Include Keywords": _includes,
        "Keyword Frequency": _says_so_often,
        "Forbidden Words": _excludes,
        "Number Paragraphs": _paragraphs,
        **_bounded("Number Words", _count_words),
        **_bounded("Number Sentences", count_sentences),
        "Postscript": _has_postscript,
        "Number Placeholder": lambda answer, kwargs: bool(len(re.findall(r"\[[^\]]+\]", answer)) >= kwargs["N"]),
        "Number Bullets": _bullets,
        "Title": lambda answer, kwargs: bool(re.search("<<[^>]+>>", answer)),
        "Minimum Number Highlighted Section": lambda answer, kwargs: bool(
            len(re.findall(r"\*[^*]+\*", answer)) >= kwargs["N"]
        ),
        "Multiple Sections": _sections,
        "Repeat Prompt": _repeats_question,
        "Two Responses": _two_responses,
        "All Uppercase": lambda answer, kwargs: answer.isupper(),
        "All Lowercase": lambda answer, kwargs: answer.islower(),
        **_bounded("All-capital Words", _count_capitals),
        "Start Checker": _starts,
        "End Checker": _ends,
        "Quotation": _is_quoted,
        "No Commas": lambda answer, kwargs: "," not in answer,
    }
)
"""Name of a rule, as `task_identifier` has it -> whether an answer follows it."""
