"""Read what a judge says of one answer: a word, a score, or what the authors of a benchmark take from it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from dtbench.harness.extract.tidy import split_text
from dtbench.harness.judge.verdict import UnreadableError, json_values, without_thoughts
from dtbench.harness.score.scorers.judging import JudgeRule, Scale

_KEYS = ("verdict", "judgement", "judgment", "correct", "is_correct", "result", "decision", "label", "answer")
_SCORE_KEYS = ("score", "rating", "mark", "overall", "grade")
_LABELS = r"(?:final\W+)?(?:judge?ment|verdict|answer|decision|result|conclusion|label)"
_NEGATED = re.compile(
    r"(?:\b(?:not|never|neither|nor|partially|partly|mostly|almost|nearly|hardly|barely|if)|n['\u2019]t)"
    r"\W+(?:\w+\W+){0,2}$",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w.,])\d+(?:\.\d+)?(?![\w]|[.,]\d)")
_OUT_OF = re.compile(r"\s*(?:/|out of)\s*\d+(?:\.\d+)?", re.IGNORECASE)
_LABELLED = re.compile(rf"\b(?:{'|'.join(_SCORE_KEYS)})\b\W{{0,3}}(?:is\W{{0,3}})?(\d+(?:\.\d+)?)", re.IGNORECASE)
_DECORATION = str.maketrans("", "", "*_`[]<>\"'")
_LONGEST = 50_000
"""Characters at the end of a reply that are looked through."""
_MOST = 1000
"""Characters of a reason that are kept."""


class AnswerVerdict(NamedTuple):
    """What a judge says of an answer."""

    mark: float
    why: str


def read_answer_verdict(text: str, rule: JudgeRule) -> AnswerVerdict:
    """Read a verdict by a rule; an UnreadableError where the reply has none, or more than one."""
    parts = split_text(text)
    if parts.open_chain and not parts.answer.strip():
        raise UnreadableError("it ends within its thoughts")
    if rule.scale is not None:
        mark = rule.scale.mark(_named_score(text, rule, rule.scale) if _is_named(rule) else _score(text, rule.scale))
    elif rule.verdict:
        mark = float(_authors_word(text, rule))
    else:
        mark = float(_word(text, rule))
    return AnswerVerdict(mark, " ".join(_said(text).split())[:_MOST])


def _said(text: str) -> str:
    """Return a reply without its thoughts."""
    return split_text(text).answer.strip() or without_thoughts(text).strip()


def _is_named(rule: JudgeRule) -> bool:
    return bool(rule.scores or rule.total)


# Words.


def _authors_word(text: str, rule: JudgeRule) -> bool:
    """Take the group of the authors' pattern, which has to be one of the words and nothing else."""
    found = re.search(rule.verdict, without_thoughts(text)[-_LONGEST:])
    if found is None:
        raise UnreadableError("it is not in the form that was asked for")
    word = (found[1] or "").strip().casefold()
    if word in {one.casefold() for one in rule.right}:
        return True
    if word in {one.casefold() for one in rule.wrong}:
        return False
    raise UnreadableError(f"its verdict is {word[:40]!r}, {_either(rule)} is expected")


def _word(text: str, rule: JudgeRule) -> bool:
    """Find the one word that a reply says; as written first, then in any case."""
    for value in _json_words(text):
        return _of_json(value, rule)
    said = _said(text)[-_LONGEST:]
    for flags in (re.NOFLAG, re.IGNORECASE):
        found = _occurrences(said, rule, flags)
        if not found:
            continue
        if len({is_right for _, is_right in found}) > 1:
            return _stated(said, rule, flags)
        if any(_NEGATED.search(said[max(0, place - 40) : place]) for place, _ in found):
            raise UnreadableError("its verdict is negated or qualified")
        return found[0][1]
    raise UnreadableError(f"it says neither {' nor '.join((*rule.right, *rule.wrong))}")


def _occurrences(text: str, rule: JudgeRule, flags: int) -> list[tuple[int, bool]]:
    both = [(word, True) for word in rule.right] + [(word, False) for word in rule.wrong]
    return sorted(
        (found.start(), is_right)
        for word, is_right in both
        for found in re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", text, flags)
    )


def _stated(text: str, rule: JudgeRule, flags: int) -> bool:
    """Of a reply with both words, take the one that it states as its verdict: on a line of its own, or at its begin."""
    words = "|".join(re.escape(word) for word in sorted((*rule.right, *rule.wrong), key=len, reverse=True))
    plain = text.translate(_DECORATION)
    alone = re.compile(rf"^\W*(?:{_LABELS}\W*[:\uff1a]\W*)?({words})\W*$", flags | re.MULTILINE)
    stated = {_is_right(found[1], rule) for found in alone.finditer(plain)}
    if len(stated) == 1:
        return stated.pop()
    begin = re.match(rf"\s*({words})\s*(?:[.,;:!\u2014-]|\n|$)", plain, flags)
    if not stated and begin is not None:
        return _is_right(begin[1], rule)
    raise UnreadableError(f"it says both {' and '.join((*rule.right, *rule.wrong))}")


def _is_right(word: str, rule: JudgeRule) -> bool:
    return word.casefold() in {one.casefold() for one in rule.right}


def _json_words(text: str) -> Iterator[Any]:
    for value in json_values(text):
        if isinstance(value, dict):
            keys = {str(key).strip().casefold(): one for key, one in value.items()}
            found = next((keys[key] for key in _KEYS if isinstance(keys.get(key), str | bool)), None)
            if found is not None:
                yield found


def _of_json(value: str | bool, rule: JudgeRule) -> bool:
    if isinstance(value, bool):
        return value
    word = value.strip().strip("*.\"'").casefold()
    if word in {one.casefold() for one in (*rule.right, *rule.wrong)}:
        return _is_right(word, rule)
    raise UnreadableError(f"its verdict is {value[:40]!r}, {_either(rule)} is expected")


def _either(rule: JudgeRule) -> str:
    return " or ".join((*rule.right, *rule.wrong))


# Scores.


def _score(text: str, scale: Scale) -> float:
    """Read the one score that a reply gives: in JSON, behind a label, or the only number."""
    for value in json_values(text):
        if isinstance(value, dict):
            keys = {str(key).strip().casefold(): one for key, one in value.items()}
            for key in _SCORE_KEYS:
                if key in keys:
                    return _within(_plain_number(keys[key]), scale)
    said = _OUT_OF.sub("", _said(text)[-_LONGEST:].translate(_DECORATION))
    numbers = {float(one) for one in _LABELLED.findall(said) or _NUMBER.findall(said)}
    if len(numbers) != 1:
        raise UnreadableError("it gives no score" if not numbers else "it gives several scores")
    return _within(numbers.pop(), scale)


def _named_score(text: str, rule: JudgeRule, scale: Scale) -> float:
    """Read the scores by name; the total counts, or their mean where it is absent or not told from an absent one."""
    said = without_thoughts(text)[-_LONGEST:]
    if rule.absent is None:
        said = said.translate(_DECORATION)
    parts = [_named(said, name, r"\d+", rule) for name in rule.scores]
    total = _named(said, rule.total, r"\d+(?:\.\d+)?", rule) if rule.total else None
    if parts and (total is None or total == rule.absent):
        total = math.fsum(parts) / len(parts)
    if total is None:
        raise UnreadableError("it gives no score")
    return _within(total, scale)


def _named(text: str, name: str, number: str, rule: JudgeRule) -> float:
    found = re.search(rf"{re.escape(name)}:\s*({number})", text, re.IGNORECASE)
    if found is not None:
        return float(found[1])
    if rule.absent is None:
        raise UnreadableError(f"it gives no score for {name}")
    return rule.absent


def _plain_number(value: Any) -> float:
    if isinstance(value, str):
        value = _OUT_OF.sub("", value).strip()
    try:
        return math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return math.nan


def _within(score: float, scale: Scale) -> float:
    if not scale.least <= score <= scale.most:
        raise UnreadableError(f"its score is {score:g}, {scale.least:g} to {scale.most:g} is expected")
    return score


def names_of(rule: JudgeRule) -> Sequence[str]:
    """Return how a reply may end, in words: for the message about a judge that cannot be read."""
    return (*rule.scores, rule.total) if _is_named(rule) else (*rule.right, *rule.wrong)
