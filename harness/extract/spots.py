"""Find where a text names options: by their words, by letter, by place in the list, or by several of these."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import NamedTuple

from dtbench.harness.extract.letters import Letter, find_letters, find_ordinals
from dtbench.harness.extract.options import Mention, Options
from dtbench.harness.extract.patterns import lazy_pattern
from dtbench.harness.extract.words import Token


class Spot(NamedTuple):
    """A place that names an option."""

    start: int
    end: int
    option: int
    """Its place among the options; -1 for a letter beyond the last of them."""
    kind: str
    """`text`, `letter`, or `conflict` where a letter stands beside another option's text."""
    strong: bool = True
    """A text, or a letter that is marked as the name of an option."""
    label_at: int | None = None
    """Where its letter stands, if that is a label such as `B)`."""


_NONE = lazy_pattern(r"\bnone of (?:these|them|those|the (?:above|options|choices|others|listed))\b", re.IGNORECASE)
_BETWEEN_LABEL_AND_TEXT = lazy_pattern(
    r"[\s*_\"')\]>.:,=|✓✔✅☑❌✗✘-]{0,8}(?:(?:the|a|an|i\.e\.,?|namely|which is|is)\s)?[\s*_\"'(\[]{0,4}$", re.IGNORECASE
)
_BETWEEN_TEXT_AND_LETTER = lazy_pattern(
    r"[\s*_\"',]{0,4}[(\[]\s?(?:option |choice |answer )?[*_]{0,2}$"
    r"|,? (?:which is |i\.e\. )?(?:option|choice) [(\[]?$",
    re.IGNORECASE,
)
_BEFORE_OWN_TEXT = lazy_pattern(r"([\s*_\"')\]>}.:,=([-]{1,8})(?:(?:the|a|an)\s(?=\S))?", re.IGNORECASE)
_CLAUSE_END = lazy_pattern(r"[\s*_\"')\]}$]*(?:[.,;:!?\n\]}-]|$)")
_LABEL_END = lazy_pattern(r"[)\]>}.:*_\"' -]{1,6}")
_ARTICLE = lazy_pattern(r"(?:a|an|the) ", re.IGNORECASE)
_LIST_NUMBER = lazy_pattern(r"(?:^|\n|[.!?]\s)[\s*_#]*$")
_GOES_ON_AS_FORMULA = lazy_pattern(
    r"\s?[*/^_]\s?\w|\s?[=+<>]\s?[\w(\\]|\s?\(?[a-zA-Z]\b(?![ ']\w)|[π√]|[({\\]|\s[a-z]\s[+*/=-]"
)
_INSIDE_FORMULA = lazy_pattern(r"[\w)\]}]\s?[*/+^]\s?$|[_^({]\{?$|\d\s?-\s?$|\\[a-z]+\s?\{?$")
_NUMBERED_THING = lazy_pattern(r"\b(?:step|strike|item|figure|note|ring|voice|sound|event)\s$", re.IGNORECASE)
_OPENING = lazy_pattern(
    r"(?:^|[.!?\n])[\s*_\"']*(?:(?:so|thus|therefore|hence|well|then|and|but|overall|finally),? )?$", re.IGNORECASE
)
_POINTED_AT = lazy_pattern(r"(?:\b(?:is|say|be|was|with|towards?)|:|=|/|\bor|\band|\"|'|\*|>|->|答案是)\s*[*_\"']*$")
_DETERMINER = lazy_pattern(r" (?!it|there|the|that|this|he|she|they|i\b|we|you|because|since|as\b|not\b)[a-z]")
_GOES_ON = lazy_pattern(r" (?!because|since|as |given|for )[a-z]")
_ONE_OF_IDIOM = lazy_pattern(
    r"\b(?:the|this|that|a|an)\s(?:\w+\s)?$|\b(?:not only|more than|less than)\s$", re.IGNORECASE
)
_MODAL = lazy_pattern(r" (?:might|could|may|would|can|should|must|after another|cannot)\b")
_OPENING_WORDS = frozenset("right okay ok wait well no yes so sure stop".split())


def find_spots(text: str, words: list[Token], options: Options) -> list[Spot]:
    """Return every place that names an option, in order; a letter and the text beside it are one."""
    letters = find_letters(text, options)
    labelled = _labelled_texts(text, letters, options)
    spans = [(spot.start, spot.end) for spot in labelled]
    after_labels = {gap.end(1) for n in letters if n.label and (gap := _BEFORE_OWN_TEXT.match(text, n.end))}
    texts = [m for m in options.mentions(words) if not in_spans(m.start, spans)]
    texts = [m for m in texts if m.start in after_labels or not _is_other_use(text, m)]
    if options.none_of_them is not None:
        taken = sorted([*spans, *((m.start, m.end) for m in texts)])
        none = (m.span() for m in _NONE.finditer(text) if not in_spans(m.start(), taken))
        texts = sorted([*texts, *(Mention(*span, options.none_of_them) for span in none)])
    named = sorted(n for n in [*letters, *find_ordinals(text, options)] if not in_spans(n.start, spans))
    starts = {m.start for m in texts}
    labels = {n.start for n in named if n.label and _text_follows(text, n, starts)}
    # "Option C" and "(C) B" name by letter, though C may be an option's text as well.
    binding = {n.start for n in named if n.named and n.strong} | labels
    texts = [m for m in texts if m.end - m.start > 1 or m.start not in binding]
    spans = [(m.start, m.end) for m in texts]
    free = [n for n in named if not in_spans(n.start, spans)]
    if options.have_letters and texts:
        free = [n for n in free if n.strong or n.start in labels]
    spots = [Spot(m.start, m.end, m.option, "text") for m in texts]
    spots += [_letter_spot(n, labels) for n in free]
    joined: list[Spot] = []
    for spot in sorted([*labelled, *spots], key=lambda s: s[:3]):
        both = _both(text, (joined[-1], spot), labels, options) if joined else None
        if both is None:
            joined.append(spot)
        else:
            joined[-1] = both
    return joined


def _labelled_texts(text: str, letters: list[Letter], options: Options) -> list[Spot]:
    """Return letters with the very words of their option behind them, each pair as one spot, whatever the words are."""
    spots: list[Spot] = []
    for letter in letters:
        if letter.option < 0 or not (letter.strong or letter.label) or (spots and letter.start < spots[-1].end):
            continue
        gap = _BEFORE_OWN_TEXT.match(text, letter.end)
        places = [gap.end(1), gap.end()] if gap else []
        end = next(filter(None, (options.ends_at(letter.option, text, place) for place in places)), None)
        if end is not None:
            spots.append(Spot(letter.start, end, letter.option, "text", True, letter.start))
    return spots


def in_spans(place: int, spans: list[tuple[int, int]]) -> bool:
    """Whether a place lies in one of the spans, which are in order and apart."""
    i = bisect_right(spans, (place, 1 << 60)) - 1
    return i >= 0 and spans[i][0] <= place < spans[i][1]


def _letter_spot(letter: Letter, labels: set[int]) -> Spot:
    is_label = letter.label and (letter.strong or letter.start in labels)
    return Spot(letter.start, letter.end, letter.option, "letter", letter.strong, letter.start if is_label else None)


def _text_follows(text: str, letter: Letter, starts: set[int]) -> bool:
    gap = _LABEL_END.match(text, letter.end, letter.end + 6)
    if gap is None:
        return False
    article = _ARTICLE.match(text, gap.end())
    return any(place in starts for place in range(letter.end + 1, gap.end() + 1)) or (
        article is not None and article.end() in starts
    )


def _is_other_use(text: str, mention: Mention) -> bool:
    """Whether an option's word stands there as something else: a list number, an opening word, a determiner."""
    word = text[mention.start : mention.end].lower()
    before = text[max(0, mention.start - 24) : mention.start]
    if word.isdigit():
        numbers_a_line = _LIST_NUMBER.search(before) and re.match(r"[.)]\s", text[mention.end : mention.end + 2])
        in_formula = _GOES_ON_AS_FORMULA.match(text, mention.end) or _INSIDE_FORMULA.search(before)
        return bool(numbers_a_line or in_formula or _NUMBERED_THING.search(before))
    if word == "one" and _MODAL.match(text, mention.end):
        return True  # "one might say"
    if word == "one" and _ONE_OF_IDIOM.search(before):
        return True
    if word not in _OPENING_WORDS:
        return False
    opens = _OPENING.search(before) is not None
    if word == "no" and _DETERMINER.match(text, mention.end):
        return True
    if word in {"no", "yes", "so"}:
        goes_on = _GOES_ON.match(text, mention.end)
        return not opens and (goes_on is not None or not _POINTED_AT.search(before))
    return opens and text.startswith((",", " let", "..."), mention.end) and len(text) > mention.end + 12


def _both(text: str, pair: tuple[Spot, Spot], labels: set[int], options: Options) -> Spot | None:
    """Join a letter and the text beside it to one spot, that of the text: where they differ, the text stands."""
    one, other = pair
    between = text[one.end : other.start]
    if len(between) > 16 or {one.kind, other.kind} != {"text", "letter"}:
        return None
    if one.kind == "letter":
        letter, words = one, other
        beside = _BETWEEN_LABEL_AND_TEXT.match(between)
    else:
        letter, words = other, one
        labelled = one.label_at is not None or other.start in labels
        beside = None if labelled else _BETWEEN_TEXT_AND_LETTER.match(between)
    if words.label_at is not None:
        return None  # it has a letter of its own
    same = letter.option == words.option
    enclosed = between.lstrip()[:1] in {"(", "["}
    is_label = letter.label_at is not None
    if not beside or not (letter.strong or same or enclosed or is_label):
        return None
    if not same and one is letter:
        whole = options.numeric[other.option] or _CLAUSE_END.match(text, other.end)  # else it is a part of other words
        if not (whole and (is_label or enclosed)) or ".\n" in between:
            return None
    return Spot(one.start, other.end, words.option, "text" if same else "conflict", True, letter.label_at)
