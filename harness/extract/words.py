"""Split a text into words, and normalise them: without case, without plural, and down to a stem."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from dtbench.harness.extract.patterns import lazy_pattern
from dtbench.harness.extract.tables import AFTER_A_LETTER, IRREGULAR, NUMBERS, SAME_MEANING

_UNSPACED = "\u0e00-\u0e7f\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
# Numbers keep their sign and inner marks (-3, 1.5, 7:15, 6/8), notes their accidental (C#), "cannot" and "don't" come
# apart, and scripts that put no spaces between words are taken sign by sign.
_TOKEN = lazy_pattern(
    rf"√|±|\^[+-]?\w+|[²³⁰¹⁴-⁹⁻]+|(?<![\w.)])[+-](?=\d)\d+(?:[.,:/]\d+)*|\d+(?:[.,:/]\d+)*|[{_UNSPACED}]"
    rf"|(?i:can)(?=(?i:not)\b)|[A-Za-z]+?(?=(?i:n't)\b)|(?i:n't)\b"
    rf"|[^\W\d_²³⁰¹⁴-⁹⁻{_UNSPACED}]+(?:'(?i:s|re|ve|ll|d|m)\b)?[#♯♭]?\d*"
)
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_ARTICLES = frozenset(("a", "an", "the", "The", "An", "THE", "A", "I"))
_TENS = frozenset(
    ("eighteen", "nineteen", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
)
_MINUS = frozenset(("minus", "Minus", "negative"))
_NOTES = frozenset("ABCDEFG")
_ACCIDENTALS = {"flat": "b", "sharp": "#", "Flat": "b", "Sharp": "#"}
_DECIMAL_COMMA = lazy_pattern(r"(?<=\d),(?=\d{1,2}$)")
_THOUSANDS = lazy_pattern(r"(?<=\d),(?=\d{3}(?:\D|$))")
_NO_FRACTION = lazy_pattern(r"\.0+$")
_ARABIC_ARTICLE = "\u0627\u0644"
_SUFFIXES = (
    *("iness", "ness", "ingly", "ically", "fully", "ation", "istic", "ing", "ied", "ies", "ed", "ly", "ful", "ment"),
    *("ism", "ic", "er", "or", "y", "e", "s"),
)


class Token(NamedTuple):
    """A word or number: its normal form, its place, and as it was written."""

    norm: str
    start: int
    end: int
    raw: str
    article: bool = False


def tokenize(text: str, normal: Callable[[str], str]) -> list[Token]:
    """Split a folded text into words; articles are marked, `E flat` and `seventy-eight` are one word."""
    tokens: list[Token] = []
    tens = False
    for match in _TOKEN.finditer(text):
        word = match[0]
        last = tokens[-1] if tokens else None
        if last and word in _ACCIDENTALS and last.raw in _NOTES and text[last.end : match.start()] in {" ", "-"}:
            tokens[-1] = Token(last.norm + _ACCIDENTALS[word], last.start, match.end(), text[last.start : match.end()])
        elif last and last.raw in _MINUS and normal(word)[0].isdigit():
            tokens[-1] = Token(f"-{normal(word)}", last.start, match.end(), text[last.start : match.end()])
        else:
            tokens.append(Token(normal(word), match.start(), match.end(), word))
            tens = tens or word.lower() in _TENS
    if tens:
        tokens = _joined_numbers(tokens, text)
    for i, token in enumerate(tokens):
        if token.raw in _ARTICLES and _is_article(tokens, i, text):
            tokens[i] = token._replace(article=True)
    return tokens


def _joined_numbers(tokens: list[Token], text: str) -> list[Token]:
    """Join spelled-out numbers of several words: seventy-eight, nineteen seventy-eight."""
    joined: list[Token] = []
    for token in tokens:
        last = joined[-1] if joined else None
        value = _number_of_both(last, token) if last and text[last.end : token.start] in {" ", "-"} else None
        if last and value:
            joined[-1] = Token(str(value), last.start, token.end, text[last.start : token.end])
        else:
            joined.append(token)
    return joined


def _number_of_both(one: Token, other: Token) -> int | None:
    spelled = not one.raw[0].isdigit() and not other.raw[0].isdigit()
    if not (spelled and one.norm.isdigit() and other.norm.isdigit()):
        return None
    left, right = int(one.norm), int(other.norm)
    if 0 < right < 10 and left % 10 == 0 and (20 <= left <= 90 or (1800 <= left <= 2090 and left % 100 >= 20)):
        return left + right
    return 100 * left + right if left in {18, 19, 20} and 10 <= right <= 99 else None


def _is_article(tokens: list[Token], i: int, text: str) -> bool:
    raw = tokens[i].raw
    if raw not in {"A", "I"}:
        return len(tokens) > 1 and text[tokens[i].end : tokens[i].end + 1] != ","
    if i + 1 == len(tokens) or (i > 0 and tokens[i - 1].article):
        return False
    following = tokens[i + 1]
    if following.raw.isupper() and len(following.raw) > 1 and following.norm not in AFTER_A_LETTER:
        return raw == "A" and text[tokens[i].end : following.start] == " "  # A DOG
    between = text[tokens[i].end : following.start]
    return between == " " and following.raw[0].islower() and following.raw not in AFTER_A_LETTER


@lru_cache(maxsize=65536)
def normal_form(word: str) -> str:
    """Normalise case, accents, plurals and spelled-out numbers."""
    word = exact_form(word)
    word = NUMBERS.get(word) or IRREGULAR.get(word) or word
    if len(word) <= 3 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("ches", "shes", "sses", "xes", "zes")) else word[:-1]


@lru_cache(maxsize=65536)
def exact_form(word: str) -> str:
    """Normalise case, accents and the notation of numbers."""
    return cased_form(word.lower())


@lru_cache(maxsize=65536)
def cased_form(word: str) -> str:
    """Normalise accents and the notation of numbers, but not case."""
    if word[0] in "²³⁰¹⁴⁵⁶⁷⁸⁹⁻":
        return "^" + word.translate(_SUPERSCRIPTS)
    if not word.isascii():
        apart = unicodedata.normalize("NFKD", word)
        word = unicodedata.normalize("NFC", "".join(c for c in apart if not "\u0300" <= c <= "\u036f"))
        word = word.replace("♯", "#").replace("♭", "b").removeprefix(_ARABIC_ARTICLE)
    elif word[0] in "+0123456789":
        word = _NO_FRACTION.sub("", _DECIMAL_COMMA.sub(".", _THOUSANDS.sub("", word.removeprefix("+"))))
    return word.removesuffix("'s")


@lru_cache(maxsize=65536)
def stems(word: str) -> tuple[str, ...]:
    """Return the stem of a normal form, then the stems of its synonyms."""
    own = _stem(word)
    return (own, *_same_meaning().get(own, ()))


@lru_cache(maxsize=1)
def _same_meaning() -> dict[str, tuple[str, ...]]:
    table: dict[str, tuple[str, ...]] = {}
    for group in SAME_MEANING:
        members = [_stem(normal_form(word)) for word in group.split()]
        for member in members:
            table[member] = tuple(m for m in dict.fromkeys(members) if m != member)
    return table


def _stem(word: str) -> str:
    if len(word) < 4 or not word.isalpha():
        return word
    suffix = next((s for s in _SUFFIXES if word.endswith(s) and len(word) - len(s) >= 3), "")
    word = word.removesuffix(suffix)
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word


def share_stem(one: str, other: str) -> bool:
    """Whether two stems share enough of their beginning to be forms of one word."""
    shorter, longer = sorted((len(one), len(other)))
    if shorter < 4 or one[:4] != other[:4]:
        return False
    same = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), shorter)
    return same >= max(4, 0.62 * longer)
