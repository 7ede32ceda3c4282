"""Find options that a text says in other words, or with more words than the option that it names."""

from __future__ import annotations

import re
from bisect import bisect_right

from dtbench.harness.extract.options import Options
from dtbench.harness.extract.page import Page
from dtbench.harness.extract.patterns import lazy_pattern
from dtbench.harness.extract.spots import Spot
from dtbench.harness.extract.words import Token

_CLAUSE = lazy_pattern(
    r";|,? \b(?:but|however|so|therefore|instead|rather|while|whereas|although|though)\b|, (?=it's|it is)",
    re.IGNORECASE,
)
_SETS_APART = lazy_pattern(
    r"\b(?:not|no|only|or|but|never|without|neither|nor|than|rather|before|after(?! that| which))\b|n't\b",
    re.IGNORECASE,
)


def widen_spots(page: Page) -> list[Spot]:
    """Return the spots; `it rises, and after that it falls` is read as the longer option, not as `It rises`."""
    nested = page.options.nested
    if not nested:
        return page.spots
    named = {spot.option for spot in page.spots}
    by_sentence: dict[int, list[str]] = {}
    spots: list[Spot] = []
    for spot in page.spots:
        longer = [j for j in nested.get(spot.option, ()) if j not in named] if spot.kind == "text" else []
        if longer:
            sentence = page.sentence(spot.start)
            if sentence not in by_sentence:
                begin, end = page.span(sentence)
                apart = _SETS_APART.search(page.cues, begin, end)
                by_sentence[sentence] = [] if apart else [token.norm for token in page.words_in(begin, end)]
            spots += _widen(spot, longer, by_sentence[sentence], page.options)
        else:
            spots.append(spot)
    return spots


def _widen(spot: Spot, longer: list[int], words: list[str], options: Options) -> list[Spot]:
    full = [j for j in longer if set(options.distinctive[j]).issubset(words)] if words else []
    in_order = [j for j in full if [w for w in words if w in options.distinctive[j]] == list(options.distinctive[j])]
    meant = [j for j in full if "and" in options.words[j] or j in in_order]
    if meant:
        return [spot._replace(option=meant[0])]
    return [] if full else [spot]


def find_paraphrases(page: Page) -> list[Spot]:
    """Return spots for clauses that name no option by its words but have all its distinctive ones."""
    clauses = sorted({*page.begins, *(mark.start() for mark in _CLAUSE.finditer(page.cues))})
    explicit = {bisect_right(clauses, spot.start) for spot in page.spots if spot.strong}
    by_clause: dict[int, list[Token]] = {}
    for word in page.words:
        by_clause.setdefault(bisect_right(clauses, word.start), []).append(word)
    return [
        _spot(words, page.options, option)
        for number, clause in by_clause.items()
        if number not in explicit
        for option, words in _meant(page.cues, clause, page.options)
    ]


def _meant(text: str, clause: list[Token], options: Options) -> list[tuple[int, list[Token]]]:
    """Return the options that a clause paraphrases, or else its parts between commas, each with its words."""
    whole = options.paraphrased(clause)
    if whole:
        return [(option, clause) for option in whole]
    parts: list[list[Token]] = []
    for place, word in enumerate(clause):
        if place == 0 or "," in text[clause[place - 1].end : word.start]:
            parts.append([])
        parts[-1].append(word)
    return [(option, part) for part in parts for option in options.paraphrased(part)] if len(parts) > 1 else []


def _spot(words: list[Token], options: Options, option: int) -> Spot:
    own = [word for word in words if options.says(word.norm, option)]
    place = own[-1] if own else words[-1]
    return Spot(place.start, place.end, option, "text")
