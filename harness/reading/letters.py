"""Where a text names an option by its letter or by its place in the list."""

from __future__ import annotations

import re
from typing import NamedTuple

from dtbench.harness.reading.options import Options
from dtbench.harness.reading.words import AFTER_A_LETTER

_IN_WORD = r"0-9A-Za-z_\u00c0-\u052f\u0600-\u06ff#♯♭&"
_LETTER = re.compile(rf"(?<![{_IN_WORD}+])(?<![{_IN_WORD}]')([A-Za-z])(?![{_IN_WORD}]|'\w|-\w|[ -](?:flat|sharp|major|minor|natural)\b)")
_ASKED_FOR = re.compile(r"(?:\bis|:|=|->|answer|choose|select|pick)[\s*_\"']*$", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[*_\"']*[.!]?[\s*_\"']*(?:\n|$)")
_NAMED = re.compile(
    r"(?:(?:option|choice|answer|letter|alternative|opción|opcion|opção|вариант)s?[\s*_(\[\"']{1,3}|(?:选项|選択肢|보기)[\s*_(\[\"']{0,3})$",
    re.IGNORECASE,
)
_LINE_HEAD = re.compile(r"(?:^|\n)[\s*_>#|(\[✓✔✅☑❌✗✘•·-]*$")
_LABEL_TAIL = re.compile(r"[)\].:*_]{1,4}(?=[\s*_]|$)|\s?[-=|](?=\s)|$")
_ORDER = {word: i for i, word in enumerate("first second third fourth fifth sixth seventh eighth".split())}
_ORDER |= {f"{i + 1}{end}": i for i, end in enumerate("st nd rd th th th th th".split())}
_ORDER |= {sign: i for i, sign in enumerate("一二三四五六七八")}
# What every form below holds: looked for first, because the full pattern is slow.
_MAY_HOLD_PLACE = re.compile(
    r"option|choice|answer|alternative|\bone\b|listed|list\b|number|no\.|[번番第]|選択肢|选项|opción|opção|réponse|вариант|the \w+[.!]|except|but the"
    r"|primera|segunda|tercera|cuarta|primeira|terceira|quarta|premi|deuxi|seconde|troisi|quatri|erste|zweite|dritte|vierte|letzte|перв|втор|трет|четв",
    re.IGNORECASE,
)
_FOREIGN = {
    word: i
    for i, words in enumerate(
        (
            "primera primeira première premiere erste первый",
            "segunda deuxième seconde zweite второй",
            "tercera terceira troisième dritte третий",
            "cuarta quarta quatrième vierte четвертый четвёртый",
        )
    )
    for word in words.split()
}
_PLACE_WORD = r"second[- ]to[- ]last|last but one|penultimate|first|second|third|fourth|fifth|sixth|seventh|eighth|[1-8](?:st|nd|rd|th)|last|final|middle"
_ORDINAL = re.compile(
    rf"\b({_PLACE_WORD})\s(?:and final |and last )?(?P<noun>option|choice|answer|alternative|one|(?:\w+ ){{0,2}}(?:listed|in the (?:list|options)))\b"
    r"|\b(?P<named>option|choice|answer|number|no\.)\s(?:number |no\. ?|# ?)?(?P<digit>[1-8])\b(?![.,:]?\d)"
    rf"|\b(?P<also>{_PLACE_WORD})(?=(?:,| and| or)(?: the)? (?:{_PLACE_WORD}) (?:option|choice|answer|alternative)\b)"
    rf"|\b(?:except|but) the (?P<only>{_PLACE_WORD})\b(?! \w+ (?:option|choice))"
    rf"|(?:^|(?<=[\n.]\s)|(?<=not\s))the (?P<bare>{_PLACE_WORD})(?=[.!]|$)"
    r"|(?P<hangul>[1-8])\s?[번番]|第\s?(?P<han>[一二三四五六七八1-8])\s?(?:个|個|项|項|の?选项|の選択肢|つ)|(?P<last>最後の選択肢|最后一个选项|última opción|letzte option|dernière option|последний вариант)"
    r"|\b(?P<foreign>primera|segunda|tercera|cuarta|primeira|terceira|quarta|première|premiere|deuxième|seconde|troisième|quatrième"
    r"|erste|zweite|dritte|vierte|первый|второй|третий|четвертый|четвёртый)\b(?: (?P<what>opción|opção|option|réponse|antwort|вариант))?",
    re.IGNORECASE,
)


class Letter(NamedTuple):
    """An option named by letter or place; index -1 where there is no such option."""

    start: int
    end: int
    index: int
    strong: bool
    """Marked as a name of an option: bracketed, after `option`, a label, or alone."""
    label: bool
    """Followed by what usually stands between a letter and its option's text."""
    named: bool = False
    """Preceded by a word such as `option`, or an ordinal."""


def letters(text: str, options: Options) -> list[Letter]:
    """Every letter that may name an option, in order."""
    alone = sum(c.isalnum() for c in text[:400]) == 1 and len(text) <= 400
    found = []
    for match in _LETTER.finditer(text):
        letter = _classify(text, match, alone)
        if letter is None:
            continue
        if letter.index < len(options):
            found.append(letter)
        elif letter.strong and match[1] != "I" and match[1].isupper() and (letter.label or letter.named or alone):
            found.append(letter._replace(index=-1))
    return found


def _classify(text: str, match: re.Match[str], alone: bool) -> Letter | None:
    start, end = match.span()
    raw = match[1]
    index = ord(raw.upper()) - 65
    previous, following = text[start - 1 : start], text[end : end + 1]
    bracketed = (
        previous in tuple("([{<")
        and following in tuple(")]}>")
        and not re.match(f"[{_IN_WORD}]", text[start - 2 : start - 1])
    )
    named = bool(_NAMED.search(text[max(0, start - 16) : start]))
    head = bool(_LINE_HEAD.search(text[max(0, start - 40) : start])) if start else True
    tail = bool(_LABEL_TAIL.match(text, end))
    if raw.islower() and raw in "as" and previous == "'":
        return None
    marked = previous in tuple("*_`\"'") and following in tuple("*_`\"').:")
    strong = alone or bracketed or named or (head and tail) or (marked and (raw.isupper() or following in tuple(").")))
    asked = raw.islower() and bool(
        _ASKED_FOR.search(text[max(0, start - 12) : start]) and _SENTENCE_END.match(text, end)
    )
    if not (strong or asked) and (raw.islower() or raw == "I" or _reads_as_article(text, end, raw)):
        return None
    if raw.islower() and named and not tail and following == " " and not _stands_alone(text, end):
        return None  # "the answer a man gives"
    return Letter(start, end, index, strong, label=tail or bracketed, named=named)


def _reads_as_article(text: str, end: int, raw: str) -> bool:
    if raw != "A" or text[end : end + 1] != " ":
        return False
    word = re.match(r"[a-z']+", text[end + 1 : end + 24])
    return word is not None and word[0] not in AFTER_A_LETTER


def _stands_alone(text: str, end: int) -> bool:
    word = re.match(r"[a-z']+", text[end + 1 : end + 24])
    return word is None or word[0] in AFTER_A_LETTER


def ordinals(text: str, options: Options) -> list[Letter]:
    """Every place in the list that names an option: `the second option`, `option 3`."""
    if options.have_ordinals or not _MAY_HOLD_PLACE.search(text):
        return []
    found = []
    for match in _ORDINAL.finditer(text):
        index = _place(match, len(options))
        if index is None or (options.have_numbers and match["digit"]):
            continue
        strong = (match["noun"] or "").lower() != "one" and not (match["foreign"] and not match["what"])
        found.append(Letter(match.start(), match.end(), index if index < len(options) else -1, strong, False, strong))
    return found


def _place(match: re.Match[str], n: int) -> int | None:
    if digit := match["digit"] or match["hangul"]:
        return None if (match["named"] or "").lower() in {"number", "no.", "answer"} else int(digit) - 1
    if han := match["han"]:
        return int(han) - 1 if han.isdigit() else _ORDER[han]
    if match["last"]:
        return n - 1
    if foreign := match["foreign"]:
        return _FOREIGN[foreign.lower()]
    word = (match[1] or match["also"] or match["only"] or match["bare"]).lower().replace("-", " ")
    if word in {"last", "final"}:
        return n - 1 if word == "last" or (match["noun"] or "").lower() == "option" else None  # "my final choice"
    if word in {"second to last", "last but one", "penultimate"}:
        return n - 2
    if word == "middle":
        return n // 2 if n % 2 else None
    return _ORDER[word]
