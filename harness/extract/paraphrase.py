"""Options that a text says in other words, or with more words than the option that it names."""

from __future__ import annotations

import re
from bisect import bisect_right

from dtbench.harness.extract.options import Options
from dtbench.harness.extract.page import Page
from dtbench.harness.extract.spots import Spot
from dtbench.harness.extract.words import Token

_CLAUSE = re.compile(
    r";|,? \b(?:but|however|so|therefore|instead|rather|while|whereas|although|though)\b|, (?=it's|it is)",
    re.IGNORECASE,
)
_SETS_APART = re.compile(
    r"\b(?:not|no|only|or|but|never|without|neither|nor|than|rather|before|after(?! that| which))\b|n't\b",
    re.IGNORECASE,
)


def widen_spots(page: Page) -> list[Spot]:
    """The spots; `it rises, and after that it falls` is read as the longer option, not as `It rises`."""
    nested = page.options.nested
    if not nested:
        return page.spots
    named = {spot.option for spot in page.spots}
    said: dict[int, list[str]] = {}
    found: list[Spot] = []
    for spot in page.spots:
        longer = [j for j in nested.get(spot.option, ()) if j not in named] if spot.kind == "text" else []
        if longer:
            sentence = page.sentence(spot.start)
            if sentence not in said:
                said[sentence] = _said_together(page, sentence)
            found += _widen(spot, longer, said[sentence], page.options)
        else:
            found.append(spot)
    return found


def _said_together(page: Page, sentence: int) -> list[str]:
    """The words of a sentence that sets nothing apart; none of one that does."""
    begin, end = page.span(sentence)
    return [] if _SETS_APART.search(page.text, begin, end) else [t.norm for t in page.words_in(begin, end)]


def _widen(spot: Spot, longer: list[int], said: list[str], options: Options) -> list[Spot]:
    full = [j for j in longer if set(options.distinctive[j]).issubset(said)] if said else []
    meant = [j for j in full if "and" in options.words[j] or _in_order(said, options.distinctive[j])]
    if meant:
        return [spot._replace(option=meant[0])]
    return [] if full else [spot]


def _in_order(said: list[str], words: tuple[str, ...]) -> bool:
    return [word for word in said if word in words] == list(words)


def find_paraphrases(page: Page) -> list[Spot]:
    """Spots for clauses that name no option by its words but say all that sets one apart."""
    clauses = sorted({*page.begins, *(mark.start() for mark in _CLAUSE.finditer(page.text))})
    taken = {bisect_right(clauses, spot.start) for spot in page.spots if spot.strong}
    by_clause: dict[int, list[Token]] = {}
    for word in page.words:
        by_clause.setdefault(bisect_right(clauses, word.start), []).append(word)
    return [
        _spot(said, page.options, option)
        for number, clause in by_clause.items()
        if number not in taken
        for option, said in _meant(page.text, clause, page.options)
    ]


def _meant(text: str, clause: list[Token], options: Options) -> list[tuple[int, list[Token]]]:
    """The options that a clause paraphrases, or else its parts between commas, with the words that do."""
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
