"""Prepare a text for reading: its words, the options it names, and its sentences."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field

from dtbench.harness.extract.options import Options
from dtbench.harness.extract.patterns import lazy_pattern
from dtbench.harness.extract.spots import Spot, find_spots
from dtbench.harness.extract.words import Token, tokenize

_STOP = lazy_pattern(r"[.!?]+(?=[\s\"')\]*_]|$|[\u3040-\u9fff\uac00-\ud7af])|[\n\f]+")
_ABBREVIATION = lazy_pattern(r"(?:\b(?:e\.g|i\.e|vs|mr|mrs|dr|approx|etc|ca)|(?:^|\n)\s*\d{1,2})$", re.IGNORECASE)
_IDIOM = lazy_pattern(
    r"\b(?:(?:minor|major) (?:problem|issue|detail|error|change|difference)"
    r"|in light of|all right|right away|right now|double bass|at least one|one and the same|one another|one by one"
    r"|no one|(?:this|that|which|each|every|any|the other|another) one"
    r"|one of (?:the|these|those|them|us|his|her|their))\b",
    re.IGNORECASE,
)
_GROWN_UP = lazy_pattern(r"\bgrown-up(s?)\b", re.IGNORECASE)
_MINOR = lazy_pattern(r"\b([A-G][b#]?)[ -]minor\b")
_ANY_WORD = lazy_pattern(r"[^\W_]")
_OWN_NUMBER = lazy_pattern(r"(?<=answer is )[1-9]\b(?!\.\d)|(?<![\w.:,])[1-9](?=[).:\]]|\s*$|[.!]?\s*\n|\s-\s)")


@dataclass(frozen=True, slots=True)
class Page:
    """A prepared text, which every later step reads."""

    text: str
    """As written, but for idioms: where options are looked for."""
    cues: str
    """The same with the options' own words masked: where everything else is looked for."""
    options: Options
    words: list[Token]
    spots: list[Spot]
    begins: list[int]
    """Where sentences begin."""
    found_cues: dict[tuple[int, tuple[tuple[int, int], ...]], list[re.Match[str]]] = field(default_factory=dict)
    """Cues found so far, by sentence and by the options named in it."""

    def sentence(self, place: int) -> int:
        """Return the number of the sentence at a place, from 1."""
        return bisect_right(self.begins, place)

    def span(self, sentence: int) -> tuple[int, int]:
        """Return where a sentence begins and ends."""
        end = self.begins[sentence] if sentence < len(self.begins) else len(self.text)
        return self.begins[sentence - 1], end

    def next_sentence(self, sentence: int) -> int:
        """Return the number of the first sentence after this one that has a word; 0 at the end."""
        word = _ANY_WORD.search(self.cues, self.span(sentence)[1])
        return self.sentence(word.start()) if word else 0

    def lower(self, sentence: int) -> str:
        """Return a sentence in small letters, with the options' own words masked."""
        begin, end = self.span(sentence)
        return self.cues[begin:end].lower()

    def words_in(self, begin: int, end: int) -> list[Token]:
        """Return the words of a part of the text."""
        first = bisect_left(self.words, begin, key=_start)
        return self.words[first : bisect_left(self.words, end, key=_start)]


def lay_out(text: str, options: Options) -> Page:
    """Prepare a folded text."""
    text = _IDIOM.sub(lambda idiom: idiom[0] if options.contain(idiom[0]) else " " * len(idiom[0]), text)
    text = _GROWN_UP.sub(lambda word: f"adult{word[1]}".ljust(len(word[0])), text)
    if options.numbered:
        text = _OWN_NUMBER.sub(lambda number: chr(ord("A") + int(number[0]) - 1), text)
    if options.have_minor_chords:
        text = _MINOR.sub(lambda chord: f"{chord[1]}m".ljust(len(chord[0])), text)
    words = tokenize(text, options.normal)
    spots = find_spots(text, words, options)
    return Page(text, _mask(text, spots), options, words, spots, _sentences(text, spots))


def _mask(text: str, spots: list[Spot]) -> str:
    """Mask the words of options that are named: `No` as an option is no negation, `I don't know` no refusal."""
    parts, place = [], 0
    for spot in spots:
        if spot.kind != "letter":
            parts += [text[place : spot.start], "x" * (spot.end - spot.start)]
            place = spot.end
    return "".join([*parts, text[place:]]) if parts else text


def _start(token: Token) -> int:
    return token.start


def _sentences(text: str, spots: list[Spot]) -> list[int]:
    """Return where sentences begin; the dot of a label such as `A.` or of an abbreviation ends none."""
    labels = {spot.label_at + 1 for spot in spots if spot.label_at is not None and spot.kind != "letter"}
    begins = [0]
    for stop in _STOP.finditer(text):
        place = stop.start()
        if stop[0] == "." and (place in labels or _ABBREVIATION.search(text, max(0, place - 8), place)):
            continue
        begins.append(stop.end())
    return begins
