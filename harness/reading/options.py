"""The options of a question, and where a text mentions them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import NamedTuple

from dtbench.harness.reading.lexicon import STOP_WORDS
from dtbench.harness.reading.tidy import fold
from dtbench.harness.reading.words import Token, akin, exact, plain, stems, tokens

_OWN_LABEL = re.compile(r"\s*(?:[(\[]([A-Za-z1-9])[)\]]|([A-Za-z1-9])[).:](?=\s))\s*(?=\S)")


_NOTE = re.compile(r"[A-Z](?:[b#♭♯]|m|M|maj|min|dim|sus|aug)?\d?|[IV]+")


_YES_NO = frozenset(("yes", "no", "not", "none", "sure"))


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
        self.texts, self.numbered = _without_labels([fold(c).strip() for c in choices])
        self.normal = plain
        self.words = self._sequences()
        if len(set(self.words)) < len({t.casefold() for t in self.texts}):
            # Forms that would run together ("dog", "dogs") are told apart as written.
            self.normal = exact
            self.words = self._sequences()

    def _sequences(self) -> list[tuple[str, ...]]:
        return [self._spelled(text) for text in self.texts]

    def _spelled(self, text: str) -> tuple[str, ...]:
        return _spell(text, exactly=self.normal is exact)

    def __len__(self) -> int:
        return len(self.choices)

    @cached_property
    def have_letters(self) -> bool:
        """Some option holds a single letter, as notes and vitamins do."""
        return any(len(w) == 1 and w.isalpha() and w.isascii() for words in self.words for w in words)

    @cached_property
    def none_of_them(self) -> int | None:
        """The option that says that no other fits, where there is one."""
        found = [i for i, words in enumerate(self.words) if words and words[0] in {"none", "neither"}]
        return found[0] if len(found) == 1 else None

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
        words = self._spelled(text) if len(text) < 2000 else ()
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
        first = words[place]
        for sequence, index in self._by_first.get(first.norm, ()):
            if len(sequence) == 1:
                if not first.article and not _is_other_word(words, place, self.texts[index]):
                    return 1, index
                continue
            length = _length_of(sequence, words, place)
            if length:
                return length, index
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

    @cached_property
    def nested(self) -> dict[int, list[int]]:
        """For each option, those that say all of it and more."""
        sets = [set(own) for own in self.distinctive]
        found = {i: [j for j, other in enumerate(sets) if own < other] for i, own in enumerate(sets) if own}
        return {i: longer for i, longer in found.items() if longer}

    def union(self, named: set[int]) -> int | None:
        """The option that says exactly what the named ones say together: a dog, a cat -> `Dog and cat`."""
        if len(named) < 2:
            return None
        parts = {w for i in named for w in self.distinctive[i]}
        whole = [i for i, own in enumerate(self.distinctive) if len(own) > 1 and set(own) - {"and"} == parts - {"and"}]
        return whole[0] if len(whole) == 1 else None

    def paraphrased(self, words: list[Token]) -> list[int]:
        """The options of which everything that sets them apart is said by these words, in whatever form."""
        said = {stems(t.norm)[0] for t in words}
        full = [i for i, own in enumerate(self.distinctive) if own and all(_is_said(w, said) for w in own)]
        full = [i for i in full if not _YES_NO.issuperset(self.distinctive[i])]
        sets = {i: set(self.distinctive[i]) for i in full}
        largest = [i for i in full if not any(sets[i] < sets[j] for j in full)]
        if len(largest) > 1 and all(sets[i] == sets[largest[0]] for i in largest):
            largest = self._in_order(largest, words)
        apart = all(sets[i].isdisjoint(sets[j]) for i in largest for j in largest if i < j)
        return largest if apart else []

    def hinted(self, words: list[Token]) -> int | None:
        """The only option of which the text says at least half of what sets it apart, and of the others nothing."""
        said = {stems(t.norm)[0] for t in words if t.norm not in STOP_WORDS}
        shares = [sum(_is_said(w, said) for w in own) / len(own) if own else 0 for own in self.distinctive]
        found = [i for i, share in enumerate(shares) if share]
        return found[0] if len(found) == 1 and shares[found[0]] >= 0.5 and not _YES_NO & set(self.words[found[0]]) else None

    def _in_order(self, same: list[int], words: list[Token]) -> list[int]:
        """Of options with the same words, those whose order is that of the text."""
        norms = [t.norm for t in words]
        if "after" in norms or norms.count("from") > 1:
            return []
        order = [w for w in dict.fromkeys(norms) if w in self.distinctive[same[0]]]
        if "from" in norms and norms.index("from") > norms.index(order[0]) if order else True:
            return []
        return [i for i in same if [w for w in self.distinctive[i] if w in order] == order]

    def paraphrased_word(self, word: str, said: str) -> bool:
        """Whether one word of an option is said by this word."""
        return _is_said(word, {stems(said)[0]})


@lru_cache(maxsize=16384)
def _spell(text: str, *, exactly: bool) -> tuple[str, ...]:
    return tuple(t.norm for t in tokens(text, exact if exactly else plain) if not t.article)


def _length_of(sequence: tuple[str, ...], words: list[Token], place: int) -> int:
    """How many words from here spell the sequence, articles between them aside; 0 if they do not."""
    here = place
    for wanted in sequence:
        while here < len(words) and words[here].norm != wanted and words[here].article and here > place:
            here += 1
        if here == len(words) or words[here].norm != wanted:
            return 0
        here += 1
    return here - place


def _is_other_word(words: list[Token], place: int, option: str) -> bool:
    """Whether a word only looks like a note or a chord: `am` is not Am, `A minor` is not A."""
    if not _NOTE.fullmatch(option):
        return False
    raw = words[place].raw
    if raw.islower() and raw != option:
        return True
    return place + 1 < len(words) and words[place + 1].norm in {"minor", "major"}


def _is_said(word: str, said: set[str]) -> bool:
    forms = stems(word)
    return any(form in said for form in forms) or any(akin(forms[0], other) for other in said)


def _without_labels(texts: list[str]) -> tuple[list[str], bool]:
    """The texts without letters or numbers of their own in front, and whether these were numbers."""
    marks = [_OWN_LABEL.match(t) for t in texts]
    for numbered, names in ((False, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"), (True, "123456789")):
        if all(m and (m[1] or m[2]).upper() == names[i : i + 1] for i, m in enumerate(marks)):
            return [t[m.end() :] for t, m in zip(texts, marks, strict=True) if m], numbered
    return texts, False
