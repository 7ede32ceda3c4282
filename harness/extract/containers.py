"""Find the containers of an answer: tags, boxes and JSON."""

from __future__ import annotations

import re
from typing import NamedTuple

from dtbench.harness.extract.formulas import without_formulas
from dtbench.harness.extract.patterns import lazy_pattern


class Container(NamedTuple):
    """The last container of its kind in a text."""

    name: str
    content: str
    start: int
    end: int


_OPEN = lazy_pattern(r"[<\[]\s?(answer|final_answer|response|final)\s?[>\]]", re.IGNORECASE)
_CLOSE = lazy_pattern(r"[<\[]\s?/\s?(?:answer|final_answer|response|final)\s?[>\]]", re.IGNORECASE)
_BOX = lazy_pattern(r"\\(?:boxed|fbox)\s?\{")
_KEY = lazy_pattern(
    r"[\"'](?:\w{0,8}[_ ]?answer|answer_choice|final|changed_to|(?:selected|correct)_option|prediction|choice|option)"
    r"[\"']\s{0,8}:\s{0,8}",
    re.IGNORECASE,
)
_VALUE = lazy_pattern(r"\"((?:[^\"\\]|\\.){0,2000})\"?|'((?:[^'\\\n]|\\.|'(?=\w)){0,2000})'?|([^\s,}\]]{1,200})")


def find_containers(text: str) -> list[Container]:
    """Return the containers of a text, the most binding kind first."""
    candidates = (_tag(text), _box(text), _json(text))
    return [container for container in candidates if container is not None]


def _tag(text: str) -> Container | None:
    opened = _last(_OPEN, text)
    if opened is None:
        return None
    closed = _CLOSE.search(text, opened.end())
    end = closed.start() if closed else len(text)
    return Container("answer tag", text[opened.end() : end], opened.start(), closed.end() if closed else end)


def _box(text: str) -> Container | None:
    opened = _last(_BOX, text)
    if opened is None:
        return None
    depth, place = 1, opened.end()
    for mark in re.finditer(r"[{}]", text[place : place + 4000]):
        depth += 1 if mark[0] == "{" else -1
        if depth == 0:
            end = place + mark.start()
            return Container("box", _without_markup(text[place:end]), opened.start(), end + 1)
    return Container("box", _without_markup(text[place : place + 400]), opened.start(), len(text))


def _json(text: str) -> Container | None:
    keys = list(_KEY.finditer(text))
    if not keys:
        return None
    answers = [key for key in keys if "answer" in key[0].lower()]
    if not answers and len(keys) > 1:
        return None  # a list of options with their scores, not an answer
    key = (answers or keys)[-1]
    value = _VALUE.match(text, key.end())
    if value is None:
        return Container("JSON", "", key.start(), key.end())
    if value[3] and value[3][0] in "{[":
        end = min((p for p in (text.find("}", key.end()), text.find("]", key.end())) if p >= 0), default=len(text))
        return Container("JSON", text[key.end() + 1 : end][:2000], key.start(), end)
    content = next((part for part in value.groups() if part is not None), "")
    return Container("JSON", "" if value[3] in {"null", "None"} else content, key.start(), value.end())


def _without_markup(text: str) -> str:
    return " ".join(without_formulas(text).split())


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return max(pattern.finditer(text), key=lambda match: match.start(), default=None)
