"""The options of a question, and where a text mentions them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

from dtbench.harness.reading.lexicon import STOP_WORDS
from dtbench.harness.reading.tidy import fold
from dtbench.harness.reading.words import Token, akin, exact, plain, stems, tokens

_OWN_LABEL = re.compile(r"\s*(?:[(\[]([A-Za-z])[)\]]|([A-Za-z])[).:](?=\s))\s*(?=\S)")


class Mention(NamedTuple):
    """A place in a text that names an option."""

    start: int
    end: int
    index: int
    kind: str
    """`text`, `letter` or `ordinal`."""


class Options:
    """The options as sequences of words, ready to be looked for."""

    def __init__(self, choices: Sequence[str]) -> None:
        self.choices = tuple(choices)
        self.texts = _without_labels([fold(c).strip() for c in choices])
        self.normal = plain
        self.words = self._sequences()
        if len(set(self.words)) < len({t.casefold() for t in self.texts}):
            # Forms that would run together ("dog", "dogs") are told apart as written.
            self.normal = exact
            self.words = self._sequences()

    def _sequences(self) -> list[tuple[str, ...]]:
        return [tuple(t.norm for t in tokens(text, self.normal)) for text in self.texts]

    def __len__(self) -> int:
        return len(self.choices)

    @cached_property
    def have_letters(self) -> bool:
        """Some option holds a single letter, as notes and vitamins do."""
        return any(len(w) == 1 and w.isalpha() and w.isascii() for words in self.words for w in words)

    @cached_property
    def have_ordinals(self) -> bool:
        """Some option holds an ordinal itself."""
        return any(w in {"first", "second", "third", "fourth", "last", "middle"} for words in self.words for w in words)

    @cached_property
    def have_numbers(self) -> bool:
        """Some option is little more than a number."""
        return any(words and words[0].lstrip("+-")[:1].isdigit() for words in self.words)

    @cached_property
    def _by_first(self) -> dict[str, list[tuple[tuple[str, ...], int]]]:
        table: dict[str, list[tuple[tuple[str, ...], int]]] = {}
        for index, words in enumerate(self.words):
            if words:
                table.setdefault(words[0], []).append((words, index))
        for entries in table.values():
            entries.sort(key=lambda entry: -len(entry[0]))
        return table

    def whole(self, text: str) -> int | None:
        """The option that the whole of a short text is, punctuation and mark-up aside."""
        bare = text.strip().casefold()
        for index, own in enumerate(self.texts):
            if own.casefold() == bare:
                return index
        words = tuple(t.norm for t in tokens(text, self.normal))
        if not words:
            return None
        hits = [i for i, own in enumerate(self.words) if own == words]
        return hits[0] if len({self.texts[i] for i in hits}) == 1 else None

    def mentions(self, words: list[Token]) -> list[Mention]:
        """Where options stand in the text word for word; the longest wins where they overlap."""
        found: list[Mention] = []
        place = 0
        while place < len(words):
            hit = self._at(words, place)
            if hit is None:
                place += 1
                continue
            length, index = hit
            found.append(Mention(words[place].start, words[place + length - 1].end, index, "text"))
            place += length
        return found

    def _at(self, words: list[Token], place: int) -> tuple[int, int] | None:
        for sequence, index in self._by_first.get(words[place].norm, ()):
            n = len(sequence)
            if n == 1:
                raw = words[place].raw
                if len(raw) == 1 and raw.isascii() and raw.islower() and self.texts[index] != raw:
                    continue  # a lone small letter is not the note of that name
                return 1, index
            if place + n <= len(words) and all(words[place + k].norm == sequence[k] for k in range(1, n)):
                return n, index
        return None

    @cached_property
    def distinctive(self) -> list[tuple[str, ...]]:
        """Each option's words that are neither small words nor shared by all options."""
        sets = [{w for w in words if w not in STOP_WORDS} for words in self.words]
        common = set.intersection(*sets) if sets else set()
        return [
            tuple(dict.fromkeys(w for w in words if w in own - common))
            for words, own in zip(self.words, sets, strict=True)
        ]

    def paraphrased(self, words: list[Token]) -> list[int]:
        """The options of which everything that sets them apart is said by these words, in whatever form."""
        said = {stem for t in words for stem in stems(t.norm)[:1]}
        full = [i for i, own in enumerate(self.distinctive) if own and all(_is_said(w, said) for w in own)]
        most = max((len(self.distinctive[i]) for i in full), default=0)
        return [i for i in full if len(self.distinctive[i]) == most]


    def paraphrased_word(self, word: str, said: str) -> bool:
        """Whether one word of an option is said by this word."""
        return _is_said(word, {stems(said)[0]})


def _is_said(word: str, said: set[str]) -> bool:
    forms = stems(word)
    return any(form in said for form in forms) or any(akin(forms[0], other) for other in said)


def _without_labels(texts: list[str]) -> list[str]:
    marks = [_OWN_LABEL.match(t) for t in texts]
    if all(m and (m[1] or m[2]).upper() == chr(65 + i) for i, m in enumerate(marks)):
        return [t[m.end() :] for t, m in zip(texts, marks, strict=True) if m]
    return texts
