"""The options of a question as sequences of words, and where a text names them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from typing import NamedTuple

from dtbench.harness.extract.formulas import without_formulas
from dtbench.harness.extract.patterns import lazy_pattern
from dtbench.harness.extract.tables import MEASURES, STOP_WORDS, UNITS
from dtbench.harness.extract.tidy import fold_signs
from dtbench.harness.extract.words import Token, cased_form, exact_form, normal_form, share_stem, stems, tokenize

_OWN_LABEL = lazy_pattern(r"\s*(?:[(\[]([A-Za-z1-9])[)\]]|([A-Za-z1-9])[).:](?=\s))\s*(?=\S)")
_NOTE = lazy_pattern(r"[A-Z](?:[b#♭♯]|m|M|maj|min|dim|sus|aug)?\d?|[IV]+")
_MINOR_CHORD = lazy_pattern(r"[A-G][b#]?m\d?")
_GOES_ON = lazy_pattern(r"[^\W_]|[.,:/]\d")
_ORDINALS = frozenset(("first", "second", "third", "fourth", "last", "middle"))
_TELLS_ORDER = lazy_pattern(r",|->|→|>|\b(?:then|before|after|followed|first|until)\b", re.IGNORECASE)
_ORDER_WORDS = STOP_WORDS | _ORDINALS | {"before", "after"}
_BACKWARDS = frozenset(("after", "preceded", "not"))
_YES_NO = frozenset(("yes", "no", "not", "none", "sure"))


class Mention(NamedTuple):
    """A place where an option stands word for word."""

    start: int
    end: int
    option: int


class Options:
    """The options of one question, prepared for search."""

    def __init__(self, choices: Sequence[str]) -> None:
        self.choices = tuple(choices)
        plain = [without_formulas(fold_signs(choice)).strip() for choice in choices]
        self.texts, self.numbered = _without_labels(plain)

    def __len__(self) -> int:
        return len(self.choices)

    @cached_property
    def words(self) -> list[tuple[str, ...]]:
        """Return the normal forms of each option's words, without articles."""
        return [_spell(text, self.normal) for text in self.texts]

    @cached_property
    def normal(self) -> Callable[[str], str]:
        """Return the function that normalises words; what would coincide (`dog`, `dogs`) stays as written."""
        if self.cased:
            return cased_form
        apart = len({_spell(text, normal_form) for text in self.texts})
        return exact_form if apart < len({text.casefold() for text in self.texts}) else normal_form

    @cached_property
    def cased(self) -> bool:
        """Whether options differ in nothing but the case of letters."""
        return len({text.casefold() for text in self.texts}) < len(set(self.texts))

    @cached_property
    def numeric(self) -> list[bool]:
        """Return for each option whether it is a number and nothing else."""
        return [bool(own) and all(map(_is_number, own)) for own in self.words]

    def count_in(self, text: str) -> int:
        """Count the options whose very text stands in a text."""
        return sum(own.lower() in text.lower() for own in self.texts)

    def contain(self, phrase: str) -> bool:
        """Whether some option has a phrase in its text."""
        return any(phrase.lower() in text.lower() for text in self.texts)

    @cached_property
    def slight(self) -> list[bool]:
        """Return for each option whether it is a number or one short word, which a text may well have in passing."""
        short = [len(own) == 1 and len(own[0]) < 4 for own in self.words]
        return [number or word for number, word in zip(self.numeric, short, strict=True)]

    @cached_property
    def have_letters(self) -> bool:
        """Whether some option contains a single letter, as notes and vitamins do."""
        return any(len(w) == 1 and w.isalpha() and w.isascii() for words in self.words for w in words)

    @cached_property
    def have_minor_chords(self) -> bool:
        """Whether some option is a chord such as Am, which texts spell out."""
        return any(_MINOR_CHORD.fullmatch(text) for text in self.texts)

    @cached_property
    def have_ordinals(self) -> bool:
        """Whether some option contains an ordinal itself."""
        return any(word in _ORDINALS for words in self.words for word in words)

    @cached_property
    def have_numbers(self) -> bool:
        """Whether some option begins with a digit, so that `option 3` may mean it."""
        return any(words and len(words[0]) == 1 and words[0].isdigit() for words in self.words)

    @cached_property
    def none_of_them(self) -> int | None:
        """Return the option that says that no other fits, where there is one."""
        none = [i for i, words in enumerate(self.words) if words and words[0] in {"none", "neither"}]
        return none[0] if len(none) == 1 else None

    @cached_property
    def distinctive(self) -> list[tuple[str, ...]]:
        """Return each option's words that are neither small words nor shared by all options."""
        sets = [{w for w in words if w not in STOP_WORDS} for words in self.words]
        common = set.intersection(*sets) if sets else set()
        return [
            tuple(dict.fromkeys(w for w in words if w in own - common))
            for words, own in zip(self.words, sets, strict=True)
        ]

    @cached_property
    def nested(self) -> dict[int, list[int]]:
        """Return for each option those that say all of it and more."""
        sets = [set(own) for own in self.distinctive]
        supersets = {i: [j for j, other in enumerate(sets) if own < other] for i, own in enumerate(sets) if own}
        return {i: longer for i, longer in supersets.items() if longer}

    def whole(self, text: str) -> int | None:
        """Return the option that equals a short text, punctuation and mark-up aside."""
        bare = text.strip() if self.cased else text.strip().casefold()
        for option, own in enumerate(self.texts):
            if (own if self.cased else own.casefold()) == bare:
                return option
        words = () if len(text) > 2000 or _OWN_LABEL.match(text) else _spell(text, self.normal)
        hits = [i for i, own in enumerate(self.words) if words and own == words]
        hits = hits or [i for i, own in enumerate(self.words) if words and "".join(own) == "".join(words)]
        return hits[0] if len({self.texts[i] for i in hits}) == 1 else None

    def mentions(self, words: list[Token]) -> list[Mention]:
        """Return where options stand in the text word for word; the longest wins where they overlap."""
        mentions: list[Mention] = []
        place = 0
        while place < len(words):
            length, option = self._at(words, place)
            if length:
                mentions.append(Mention(words[place].start, words[place + length - 1].end, option))
            place += length or 1
        return mentions

    def ends_at(self, option: int, text: str, place: int) -> int | None:
        """Return where an option's own text ends that begins at a place of a text; None where it does not begin."""
        own = self._bare[option]
        end = place + len(own)
        begins = own and (text[place:end] if self.cased else text[place:end].lower()) == own
        goes_on = begins and own[-1].isalnum() and _GOES_ON.match(text, end)
        return end if begins and not goes_on else None

    @cached_property
    def _bare(self) -> list[str]:
        return [(text if self.cased else text.lower()).rstrip(".") or text for text in self.texts]

    @cached_property
    def _by_first(self) -> dict[str, list[tuple[tuple[str, ...], int]]]:
        table: dict[str, list[tuple[tuple[str, ...], int]]] = {}
        for option, words in enumerate(self.words):
            if words:
                table.setdefault(words[0], []).append((words, option))
        for entries in table.values():
            entries.sort(key=lambda entry: -len(entry[0]))
        return table

    def _at(self, words: list[Token], place: int) -> tuple[int, int]:
        """Return how many words from here name an option, and which; (0, 0) where none does."""
        for sequence, option in self._by_first.get(words[place].norm, ()):
            if len(sequence) == 1:
                if not words[place].article and not _is_other_word(words, place, self.texts[option]):
                    return 1, option
            elif length := _length_of(sequence, words, place):
                return length, option
        return 0, 0

    def paraphrased(self, words: list[Token]) -> list[int]:
        """Return the options whose distinctive words all occur among these words, in any form."""
        stems_there = _stems_of(words)
        sets = {i: set(own) for i, own in enumerate(self.distinctive) if own and not _YES_NO.issuperset(own)}
        full = [i for i, own in sets.items() if all(_occurs(word, stems_there) for word in own)]
        full = [i for i in full if self._can_be_said_otherwise(i) and self._has_unit(i, words)]
        largest = [i for i in full if not any(sets[i] < sets[j] for j in full)]
        if len(largest) > 1 and all(sets[i] == sets[largest[0]] for i in largest):
            largest = self._in_order(largest, words)
        apart = all(sets[i].isdisjoint(sets[j]) for i in largest for j in largest if i < j)
        return largest if apart else []

    def _can_be_said_otherwise(self, option: int) -> bool:
        """Whether an option is told from the others by more than a number or the name of a note."""
        letters = all(len(word) == 1 and word.isascii() and word.isalpha() for word in self.distinctive[option])
        return not (letters or self.numeric[option])

    def _hints_by_words(self, option: int) -> bool:
        return self._can_be_said_otherwise(option) and not all(map(_is_number, self.distinctive[option]))

    def _has_unit(self, option: int, words: list[Token]) -> bool:
        """Whether a number that alone tells an option apart stands with that option's unit, or with none."""
        own = self.distinctive[option]
        if len(own) != 1 or not _is_number(own[0]) or own[0] not in self.words[option]:
            return True
        rest = self.words[option][self.words[option].index(own[0]) + 1 :]
        for place, token in enumerate(words):
            if token.norm == own[0]:
                after = words[place + 1 : place + 4]
                alone = not after or after[0].start - token.end > 1
                here, there = unit_of([word.norm for word in after]), unit_of(rest)
                if alone or not rest or here == there or not (here in MEASURES or there in MEASURES - {"time"}):
                    return True
        return False

    def _in_order(self, same: list[int], words: list[Token]) -> list[int]:
        """Return those of the options with the same words whose order is that of the text."""
        norms = [token.norm for token in words]
        places = {word: _first_occurrence(word, words) for word in self.distinctive[same[0]]}
        first = min((place for place in places.values() if place is not None), default=None)
        origin = next((token.start for token in words if token.norm == "from"), None)
        if first is None or "after" in norms or (origin is not None and origin > first):
            return []
        order = [word for word, place in sorted(places.items(), key=lambda item: item[1] or 0) if place is not None]
        return [i for i in same if [word for word in self.distinctive[i] if word in order] == order]

    @cached_property
    def both_of_them(self) -> int | None:
        """Return the option that says that two others are right together, where there is one."""
        both = [i for i, words in enumerate(self.words) if words and words[0] == "both"]
        return both[0] if len(both) == 1 else None

    def ordered(self, words: list[Token]) -> int | None:
        """Return the option that names the events in the order of the text, of options that differ in their order."""
        if _BACKWARDS.intersection(token.norm for token in words):
            return None
        contents = [tuple(dict.fromkeys(w for w in own if w not in _ORDER_WORDS)) for own in self.words]
        sets = [set(own) for own in contents]
        same = [i for i, own in enumerate(sets) if sets.count(own) > 1 and _TELLS_ORDER.search(self.texts[i])]
        same = [i for i in same if not any(map(_is_number, contents[i]))]
        matches = []
        for i in same:
            places = [_first_occurrence(word, words) for word in contents[i]]
            known = [place for place in places if place is not None]
            if len(set(known)) > 1 and known == sorted(known):
                matches.append(i)
        return matches[0] if len(matches) == 1 else None

    def says(self, token: str, option: int) -> bool:
        """Whether a word is a form of a distinctive word of an option."""
        return any(_occurs(word, {stems(token)[0]}) for word in self.distinctive[option])

    def hinted(self, words: list[Token], *, cued: bool) -> int | None:
        """Return the only option of which the text has any distinctive word, if it has most of them; half, if cued."""
        stems_there = _stems_of([token for token in words if token.norm not in STOP_WORDS])
        if not cued and sum(token.norm not in STOP_WORDS for token in words) > 12:
            return None
        shares = [
            sum(_occurs(word, stems_there) for word in own) / len(own) if own else 0.0 for own in self.distinctive
        ]
        hinted = [i for i, share in enumerate(shares) if share]
        if len(hinted) == 1 and not cued and not self._hints_by_words(hinted[0]):
            return None
        if (
            len(hinted) != 1
            or shares[hinted[0]] < (0.5 if cued else 0.6)
            or not _YES_NO.isdisjoint(self.words[hinted[0]])
        ):
            return None
        return hinted[0]

    def union(self, named: set[int]) -> int | None:
        """Return the option that says exactly what the named ones say together: a dog, a cat -> `Dog and cat`."""
        parts = {word for i in named for word in self.distinctive[i]}
        whole = [i for i, own in enumerate(self.distinctive) if len(own) > 1 and set(own) == parts]
        return whole[0] if len(whole) == 1 and len(named) > 1 else None


@lru_cache(maxsize=16384)
def _spell(text: str, normal: Callable[[str], str]) -> tuple[str, ...]:
    return tuple(token.norm for token in tokenize(text, normal) if not token.article)


def _length_of(sequence: tuple[str, ...], words: list[Token], place: int) -> int:
    """Return how many words from here spell the sequence, articles between them aside; 0 if they do not."""
    here = place
    for norm in sequence:
        while here < len(words) and words[here].norm != norm and here > place and _may_be_passed(words[here]):
            here += 1
        if here == len(words) or words[here].norm != norm:
            return 0
        here += 1
    return here - place


def _may_be_passed(word: Token) -> bool:
    return word.article or word.norm == "and"  # 6, 9 and 3


def _is_other_word(words: list[Token], place: int, option: str) -> bool:
    """Whether a word only looks like a note or a chord: `am` is not Am, `A minor` is not A."""
    if not _NOTE.fullmatch(option):
        return False
    raw = words[place].raw
    if raw.islower() and raw != option:
        return True
    return place + 1 < len(words) and words[place + 1].norm in {"minor", "major"}


def _first_occurrence(word: str, words: list[Token]) -> int | None:
    return next((token.start for token in words if _occurs(word, {stems(token.norm)[0]})), None)


def _stems_of(words: list[Token]) -> set[str]:
    return {stems(token.norm)[0] for token in words if not token.article}


def _occurs(word: str, present: set[str]) -> bool:
    forms = stems(word)
    return any(form in present for form in forms) or any(share_stem(forms[0], stem) for stem in present)


def unit_of(words: Sequence[str]) -> str:
    """Return the unit that words begin with, in one spelling."""
    if tuple(words[:3]) == ("beat", "per", "minute"):
        return "bpm"
    return UNITS.get(words[0], words[0]) if words else ""


def _is_number(word: str) -> bool:
    return word.lstrip("+-√±^")[:1].isdigit()


def _without_labels(texts: list[str]) -> tuple[list[str], bool]:
    """Strip letters or numbers in front of the texts, and return whether they were numbers."""
    marks = [_OWN_LABEL.match(text) for text in texts]
    for numbered, names in ((False, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"), (True, "123456789")):
        if all(mark and (mark[1] or mark[2]).upper() == names[i : i + 1] for i, mark in enumerate(marks)):
            return [text[mark.end() :] for text, mark in zip(texts, marks, strict=True) if mark], numbered
    return texts, False
