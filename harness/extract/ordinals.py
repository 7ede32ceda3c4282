"""Find where a text names an option by its place in the list: `the second option`, `option 3`, `the last one`."""

from __future__ import annotations

import re

from dtbench.harness.extract.letters import Letter
from dtbench.harness.extract.options import Options

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
_ORDINAL = re.compile(
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
_MAY_BE_THERE = re.compile(
    r"former|latter|الخيار|option|choice|answer|alternative|\bone\b|listed|list\b|[번番第]|選択肢|选项|opción|opção|réponse|вариант"
    r"|the \w+[.!]|except|but the|the \w+ (?:is|does|nor|fits)|[(\[][1-8][)\]]"
    r"|prime|segund|tercer|terce|cuart|quart|premi|deuxi|second|troisi|quatri|erste|zweite|dritte|vierte|letzte"
    r"|перв|втор|трет|четв",
    re.IGNORECASE,
)


def find_ordinals(text: str, options: Options) -> list[Letter]:
    """Return every place in the list that names an option, as if it were its letter."""
    if options.have_ordinals or not _MAY_BE_THERE.search(text):
        return []
    letters = []
    for match in _ORDINAL.finditer(text):
        kind = match.lastgroup
        if options.have_numbers and (match["digit"] or match["boxed"]):
            continue
        option = _place(match, len(options))
        if option is not None:
            firm = _is_firm(match, kind)
            letters.append(
                Letter(match.start(), match.end(), option if option < len(options) else -1, firm, named=firm)
            )
    return letters


def _is_firm(match: re.Match[str], kind: str | None) -> bool:
    """Whether it can mean nothing but an option; `the last one` may be a sound, `(2)` a point of an argument."""
    if kind in {"boxed", "subject", "foreign", "either"}:
        return False
    return (match["noun"] or "").lower() != "one"


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
