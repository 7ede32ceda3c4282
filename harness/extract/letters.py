"""Find where a text names an option by its letter, or by its place in the list: `the second option`, `option 3`."""

from __future__ import annotations

import re
from typing import NamedTuple

from dtbench.harness.extract.options import Options
from dtbench.harness.extract.patterns import lazy_pattern
from dtbench.harness.extract.tables import AFTER_A_LETTER

_IN_WORD = r"0-9A-Za-z_\u00c0-\u052f\u0600-\u06ff\u0900-\u097f#♯♭&"
_LETTER = lazy_pattern(
    rf"(?<![{_IN_WORD}+])(?<![{_IN_WORD}]')([A-Za-z])"
    rf"(?![{_IN_WORD}]|'\w|-\w|[ -](?:flat|sharp|major|minor|natural)\b)"
)
_ROMAN = lazy_pattern(r"\bII\b")
_CUT_ARTICLE = lazy_pattern(r"\b[A-Z][.):][*_ ]+(?:The |An? )?[A-Z]$")
"""A text that ends inside an option's text: `E. A`, `C. The D`."""
_WORD_SIGN = lazy_pattern(f"[{_IN_WORD}]")
_OPENING, _CLOSING = tuple("([{<"), tuple(")]}>")
_MARK, _MARK_END = tuple("*_`\"'"), tuple("*_`\"').:")
_NAMED = lazy_pattern(
    r"(?:(?:option|choice|answer|letter|alternative|opción|opcion|opção|вариант|letra|lettre|lettera|buchstabe|буква)s?[\s*_(\[\"']{1,3}"
    r"|(?:选项|選択肢|보기)[\s*_(\[\"']{0,3})$",
    re.IGNORECASE,
)
_ASKED_FOR = lazy_pattern(r"(?:\bis|:|=|-|->|answer|choose|select|pick)[\s*_\"']*$", re.IGNORECASE)
_ANNOUNCED = lazy_pattern(
    r"\b(?:answer|option|choice|letter)s?\b[^.!?\n]{0,24}?(?:\bis|\bwas|\bbe|\bas|:|=|->)[\s*_\"'(\[$]*$", re.IGNORECASE
)
_AFTER_ANSWER = lazy_pattern(r"[)\]*_\"' ]*(?:[.,;:!)\]\n]|\s[-(]|\s?$|\s(?:because|since|as|which|for)\b)")
_SENTENCE_END = lazy_pattern(r"[*_\"']*[.!]?[\s*_\"']*(?:\n|$)")
_LINE_HEAD = lazy_pattern(r"(?:^|\n|[.!?]\s)[\s*_>#|(\[✓✔✅☑❌✗✘•·-]*$")
_LABEL_TAIL = lazy_pattern(r"[)\].:*_]{1,4}(?=[\s*_]|$)|\s?[-|](?=\s)|\s?=(?=\s[A-Za-z]{2})|$")
_NEXT_WORD = lazy_pattern(r" ([a-z']+)")

_ENGLISH = "first second third fourth fifth sixth seventh eighth".split()
_FOREIGN = (
    "primera primeira première premiere erste первый",
    "segunda deuxième seconde zweite второй",
    "tercera terceira troisième dritte третий",
    "cuarta quarta quatrième vierte четвертый четвёртый",
)
_PLACES = {word: place for place, word in enumerate(_ENGLISH)}
_PLACES |= {f"{place + 1}{end}": place for place, end in enumerate(("st", "nd", "rd", *["th"] * 5))}
_PLACES |= {word: place for place, words in enumerate(_FOREIGN) for word in words.split()}
_PLACES |= {sign: place for place, sign in enumerate("一二三四五六七八")}

_WORD = (
    r"(?:second|next)[- ]to[- ]last|last but one|penultimate|first|second|third|fourth|fifth|sixth|seventh|eighth"
    r"|[1-8](?:st|nd|rd|th)|last|final|middle"
)
_NOUN = "option|choice|answer|alternative"
_FOREIGN_WORD = "|".join(word for words in _FOREIGN for word in words.split())
_ORDINAL = lazy_pattern(
    "|".join(
        (
            rf"\b(?P<word>{_WORD})\s(?:and final |and last )?(?P<noun>{_NOUN}|one"
            r"|(?:\w+ ){0,2}(?:listed|in the (?:list|options)))\b",
            r"\b(?P<named>option|choice)\s(?:number |no\. ?|# ?)?(?P<digit>[1-8])\b(?![.,:]?\d)",
            rf"\b(?P<also>{_WORD})(?=(?:,| and| or)(?: the)? (?:{_WORD}) (?:{_NOUN})\b)",
            rf"\b(?:except|but) the (?P<only>{_WORD})\b(?! \w+ (?:option|choice))",
            rf"(?:^|(?<=[\n.]\s)|(?<=not\s))the (?P<bare>{_WORD})(?=[.!]|$)",
            rf"\bthe (?P<subject>{_WORD})(?= (?:is what|does|nor the|fits|is it)\b)",
            r"الخيار (?P<arabic>الأول|الثاني|الثالث|الرابع|الأخير)|\bthe (?P<either>former|latter)\b",
            r"(?P<counted>[1-8])\s?[번番](?:目の選択肢|目|째)?|[(\[](?P<boxed>[1-8])[)\]]",
            r"第\s?(?P<han>[一二三四五六七八1-8])\s?(?:个|個|项|項|の?选项|の選択肢|つ)",
            r"(?P<last>最後の選択肢|最后一个选项|última opción|letzte option|dernière option|последний вариант)",
            rf"\b(?P<foreign>{_FOREIGN_WORD})\b(?: (?P<what>opción|opção|option|réponse|antwort|вариант))?",
        )
    ),
    re.IGNORECASE,
)
# What every form above holds: looked for first, because the full pattern is slow.
_MAY_BE_THERE = lazy_pattern(
    r"former|latter|الخيار|option|choice|answer|alternative|\bone\b|listed|list\b|[번番第]|選択肢|选项|opción|opção|réponse|вариант"
    r"|the \w+[.!]|except|but the|the \w+ (?:is|does|nor|fits)|[(\[][1-8][)\]]"
    r"|prime|segund|tercer|terce|cuart|quart|premi|deuxi|second|troisi|quatri|erste|zweite|dritte|vierte|letzte"
    r"|перв|втор|трет|четв",
    re.IGNORECASE,
)
_NOUNS = tuple(_NOUN.split("|"))
_ASCII_PLACES = (
    *("letzte", "next", "last", "penultimate", "final", "middle", "former", "latter", *_ENGLISH),
    *(word for words in _FOREIGN for word in words.split() if word.isascii()),
)
_NUMBERED = lazy_pattern(r"[1-8](?:st|nd|rd|th)|(?:option|choice)\s(?:number |no\. ?|# ?)?[1-8]|[(\[][1-8][)\]]")


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
    cut = _CUT_ARTICLE.search(text)
    roman = _ROMAN.search(text) is not None
    letters = []
    for match in _LETTER.finditer(text):
        if roman and match[1] == "I" and text[match.end() : match.end() + 1] != ")":
            continue
        if cut is not None and match.start() == cut.end() - 1:
            continue
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
    before, after = text[start - 1 : start], text[end : end + 1]
    bracketed = before in _OPENING and after in _CLOSING and not _WORD_SIGN.match(text[start - 2 : start - 1])
    marked = before in _MARK and after in _MARK_END and (raw.isupper() or after in {")", "."})
    heads_line = label and (start == 0 or _LINE_HEAD.search(text[max(0, start - 40) : start]) is not None)
    announced = _is_announced(text, start, end) and not (raw.islower() and after in {",", '"', "'"})
    strong = alone or bracketed or named or marked or heads_line or announced
    if raw.islower():
        if before == "'" and raw in "as":
            return None
        if named and not label and _reads_on(text, end):
            return None  # "the answer a man gives"
        if not strong and not _is_asked_for(text, start, end):
            return None
    elif not strong and ((raw == "I" and not _is_asked_for(text, start, end)) or (raw == "A" and _reads_on(text, end))):
        return None
    return Letter(start, end, ord(raw.upper()) - ord("A"), strong, label or bracketed, named)


def _is_announced(text: str, start: int, end: int) -> bool:
    """Whether a letter is what was announced as the answer, and nothing more: `The answer is D.`"""
    return (
        _AFTER_ANSWER.match(text, end) is not None and _ANNOUNCED.search(text[max(0, start - 48) : start]) is not None
    )


def _is_asked_for(text: str, start: int, end: int) -> bool:
    """Whether a small letter ends a sentence that asks for one: `the answer is b`."""
    return (
        _ASKED_FOR.search(text[max(0, start - 12) : start]) is not None and _SENTENCE_END.match(text, end) is not None
    )


def _reads_on(text: str, end: int) -> bool:
    """Whether the letter goes on as an article does: `A man`."""
    following = _NEXT_WORD.match(text, end)
    return following is not None and following[1] not in AFTER_A_LETTER


def find_ordinals(text: str, options: Options) -> list[Letter]:
    """Return every place in the list that names an option, as if it were its letter."""
    if options.have_ordinals or not _may_hold_ordinals(text):
        return []
    letters = []
    for match in _ORDINAL.finditer(text):
        kind = match.lastgroup
        if options.have_numbers and (match["digit"] or match["boxed"]):
            continue
        option = _place(match, len(options))
        if option is not None:
            # `The last one` may be a sound, `(2)` a point of an argument.
            firm = kind not in {"boxed", "subject", "foreign", "either"} and (match["noun"] or "").lower() != "one"
            letters.append(Letter(*match.span(), option if option < len(options) else -1, firm, named=firm))
    return letters


def _may_hold_ordinals(text: str) -> bool:
    """Whether the slow pattern may find something; in ASCII, some word for a place must be there as well."""
    if not text.isascii():
        return _MAY_BE_THERE.search(text) is not None
    small = text.lower()
    if not (any(word in small for word in _ASCII_PLACES) or _NUMBERED.search(small)):
        return False
    return any(noun in small for noun in _NOUNS) or _MAY_BE_THERE.search(text) is not None


def _place(match: re.Match[str], n: int) -> int | None:
    if digit := match["digit"] or match["counted"] or match["boxed"]:
        return int(digit) - 1
    if match["last"]:
        return n - 1
    if either := match["either"]:
        return int(either.lower() == "latter") if n == 2 else None
    if arabic := match["arabic"]:
        return n - 1 if arabic == "الأخير" else ("الأول", "الثاني", "الثالث", "الرابع").index(arabic)
    word = next(match[name] for name in ("word", "also", "only", "bare", "subject", "han", "foreign") if match[name])
    word = word.lower().replace("-", " ")
    if word.isdigit():
        return int(word) - 1
    if word == "last" or (word == "final" and match["noun"] == "option"):
        return n - 1
    if word in {"second to last", "next to last", "last but one", "penultimate"}:
        return n - 2
    if word == "middle":
        return n // 2 if n % 2 else None
    return _PLACES.get(word)  # "my final choice" names no place
