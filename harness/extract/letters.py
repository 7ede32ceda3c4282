"""Find where a text names an option by its letter."""

from __future__ import annotations

import re
from typing import NamedTuple

from dtbench.harness.extract.options import Options
from dtbench.harness.extract.tables import AFTER_A_LETTER

_IN_WORD = r"0-9A-Za-z_\u00c0-\u052f\u0600-\u06ff\u0900-\u097f#♯♭&"
_LETTER = re.compile(
    rf"(?<![{_IN_WORD}+])(?<![{_IN_WORD}]')([A-Za-z])"
    rf"(?![{_IN_WORD}]|'\w|-\w|[ -](?:flat|sharp|major|minor|natural)\b)"
)
_WORD_SIGN = re.compile(f"[{_IN_WORD}]")
_OPENING, _CLOSING = tuple("([{<"), tuple(")]}>")
_MARK, _MARK_END = tuple("*_`\"'"), tuple("*_`\"').:")
_NAMED = re.compile(
    r"(?:(?:option|choice|answer|letter|alternative|opción|opcion|opção|вариант|letra|lettre|lettera|buchstabe|буква)s?[\s*_(\[\"']{1,3}"
    r"|(?:选项|選択肢|보기)[\s*_(\[\"']{0,3})$",
    re.IGNORECASE,
)
_ASKED_FOR = re.compile(r"(?:\bis|:|=|-|->|answer|choose|select|pick)[\s*_\"']*$", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[*_\"']*[.!]?[\s*_\"']*(?:\n|$)")
_LINE_HEAD = re.compile(r"(?:^|\n|[.!?]\s)[\s*_>#|(\[✓✔✅☑❌✗✘•·-]*$")
_LABEL_TAIL = re.compile(r"[)\].:*_]{1,4}(?=[\s*_]|$)|\s?[-=|](?=\s)|$")
_NEXT_WORD = re.compile(r" ([a-z']+)")


class Letter(NamedTuple):
    """An option named by its letter, or by its place in the list; option -1 where there is no such option."""

    start: int
    end: int
    option: int
    strong: bool
    """Marked as a name: bracketed, after `option`, a label, or alone."""
    label: bool = False
    """Followed by what usually stands between a letter and its option's text."""
    named: bool = False
    """Preceded by a word such as `option`."""


def find_letters(text: str, options: Options) -> list[Letter]:
    """Return every letter that may name an option, in order."""
    alone = len(text) <= 400 and sum(sign.isalnum() for sign in text) == 1
    letters = []
    for match in _LETTER.finditer(text):
        letter = _classify(text, match, alone)
        if letter is None:
            continue
        if letter.option < len(options):
            letters.append(letter)
        elif letter.strong and match[1].isupper() and match[1] != "I" and (letter.label or letter.named or alone):
            letters.append(letter._replace(option=-1))
    return letters


def _classify(text: str, match: re.Match[str], alone: bool) -> Letter | None:
    start, end = match.span()
    raw = match[1]
    if text[start - 2 : start] == "N/":
        return None  # not available
    named = _NAMED.search(text[max(0, start - 16) : start]) is not None
    label = _LABEL_TAIL.match(text, end) is not None
    bracketed = _is_bracketed(text, start, end)
    strong = alone or bracketed or named or _is_marked(text, start, end, raw) or (label and _heads_line(text, start))
    if raw.islower():
        if text[start - 1 : start] == "'" and raw in "as":
            return None
        if named and not label and _reads_on(text, end):
            return None  # "the answer a man gives"
        if not strong and not _is_asked_for(text, start, end):
            return None
    elif not strong and (raw == "I" or (raw == "A" and _reads_on(text, end))):
        return None
    return Letter(start, end, ord(raw.upper()) - ord("A"), strong, label or bracketed, named)


def _is_bracketed(text: str, start: int, end: int) -> bool:
    before, after = text[start - 1 : start], text[end : end + 1]
    return before in _OPENING and after in _CLOSING and not _WORD_SIGN.match(text[start - 2 : start - 1])


def _is_marked(text: str, start: int, end: int, raw: str) -> bool:
    after = text[end : end + 1]
    return text[start - 1 : start] in _MARK and after in _MARK_END and (raw.isupper() or after in {")", "."})


def _heads_line(text: str, start: int) -> bool:
    return start == 0 or _LINE_HEAD.search(text[max(0, start - 40) : start]) is not None


def _is_asked_for(text: str, start: int, end: int) -> bool:
    """Whether a small letter ends a sentence that asks for one: `the answer is b`."""
    return (
        _ASKED_FOR.search(text[max(0, start - 12) : start]) is not None and _SENTENCE_END.match(text, end) is not None
    )


def _reads_on(text: str, end: int) -> bool:
    """Whether the letter goes on as an article does: `A man`."""
    following = _NEXT_WORD.match(text, end)
    return following is not None and following[1] not in AFTER_A_LETTER
