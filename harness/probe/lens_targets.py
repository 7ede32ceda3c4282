"""Find the tokens of a forced text that the lens reads: pure functions of texts and tokens."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dtbench.harness.core.task import option_letter
from dtbench.harness.extract.answer import extract
from dtbench.harness.extract.chain_tags import USUAL_TAGS, ChainTags

Encode = Callable[[str], Sequence[int]]
"""Returns the tokens of a text, without special ones."""
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class LensTarget:
    """One token of a forced text that is read."""

    kind: str
    place: int
    """Of the token among those of the forced text: what is read is what the model expects there."""
    token: int
    options: tuple[int, ...] = ()
    """Where the token names an option, the tokens that would name each; all different."""
    right: int = 0
    """Which of the options is right."""
    other: int | None = None
    """What another question has at such a place; None where it is the same token."""


class TokenizedText(NamedTuple):
    """A forced text by its tokens."""

    tokens: Sequence[int]
    pieces: Sequence[str]
    """What each token adds to the text."""

    @property
    def text(self) -> str:
        """Return the whole text."""
        return "".join(self.pieces)

    def token_at(self, place: int) -> int | None:
        """Return which token writes the character at a place; None beyond the end."""
        end = 0
        for number, piece in enumerate(self.pieces):
            end += len(piece)
            if place < end:
                return number
        return None


class WrittenParts(NamedTuple):
    """Where the parts of a forced text begin, in characters."""

    opening: int | None
    """None where the prompt has opened the chain, or there is none."""
    chain: int
    chain_end: int
    """The beginning of the closing tag; where the chain begins if there is none."""
    answer: int | None
    """None where the chain is never closed."""


class OptionsAsked(NamedTuple):
    """The options of a question, and which is right."""

    choices: Sequence[str]
    right: str | None


def part_text(text: str, tags: ChainTags | None) -> WrittenParts:
    """Find the chain of thought of a forced text by its tags, and what follows it."""
    opening, closing = tags or USUAL_TAGS
    low = text.lower()
    start = len(text) - len(text.lstrip())
    opened = low.startswith(opening.lower(), start)
    end = low.find(closing.lower())
    if not opened and end < 0:
        return WrittenParts(None, start, start, start)
    chain = start + len(opening) if opened else 0
    if end < 0:
        return WrittenParts(start, chain, len(text), None)
    return WrittenParts(start if opened else None, chain, end, end + len(closing))


def chain_targets(written: TokenizedText, parts: WrittenParts, words: Collection[str]) -> Iterator[LensTarget]:
    """Yield the opening tag, the first token after it, and the first token of each word for what is heard."""
    if parts.opening is not None:
        yield from _target("opening", written, parts.opening)
    text = written.text
    inside = text[parts.chain : parts.chain_end]
    if inside.strip():
        yield from _target("first", written, parts.chain + len(inside) - len(inside.lstrip()))
    seen: set[int] = set()
    for match in _WORD.finditer(text, parts.chain, parts.chain_end):
        place = written.token_at(match.start())
        if match[0].lower() in words and place is not None and place not in seen:
            seen.add(place)
            yield LensTarget("content", place, written.tokens[place])


def _target(kind: str, written: TokenizedText, at: int) -> Iterator[LensTarget]:
    place = written.token_at(at)
    if place is not None:
        yield LensTarget(kind, place, written.tokens[place])


def answer_target(
    kind: str, written: TokenizedText, start: int, asked: OptionsAsked, encode: Encode
) -> LensTarget | None:
    """Return the token at which the answer becomes one option and no other; None where the text names none."""
    text = written.text
    said = _named_option(text[start:], asked.choices)
    if said is None:
        return None
    begin, spelt, names = said[0] + start, said[1], said[2]
    spellings = [list(encode(text[:begin] + name)) for name in names]
    own = spellings[names.index(spelt)]
    if own[: len(own) - 1] != list(written.tokens[: len(own) - 1]):  # it would be cut into other tokens than these
        place = written.token_at(begin)
        return None if place is None else LensTarget(kind, place, written.tokens[place])
    place = next(
        (at for at, column in enumerate(zip(*spellings, strict=False)) if len({*column}) > 1), len(written.tokens) - 1
    )
    options = tuple(one[place] for one in spellings if len(one) > place)
    token = written.tokens[place]
    if len({*options}) < len(names) or token not in options or asked.right is None or asked.right not in asked.choices:
        return LensTarget(kind, place, token)
    return LensTarget(kind, place, token, options, list(asked.choices).index(asked.right))


def _named_option(answer: str, choices: Sequence[str]) -> tuple[int, str, list[str]] | None:
    """Return where an answer names an option, as which text, and how it would name each; None where none is named."""
    choice = extract(answer, choices).choice
    if choice is None:
        return None
    number = list(choices).index(choice)
    letters = [option_letter(place) for place in range(len(choices))]
    lettered = re.search(rf"(?<!\w){letters[number]}(?!\w)", answer)
    worded = re.search(rf"(?<!\w){re.escape(choice)}(?!\w)", answer, re.IGNORECASE)
    if lettered and (not worded or lettered.start() < worded.start()):
        return lettered.start(), letters[number], letters
    if worded:
        names = [*choices]
        names[number] = worded[0]
        return worded.start(), worded[0], names
    return None


def with_others(texts: Sequence[Sequence[LensTarget]]) -> list[list[LensTarget]]:
    """Give each target, as its null, the token that the next question has at a place of the same kind."""
    tokens = [_by_kind(targets) for targets in texts]
    given = []
    for number, targets in enumerate(texts):
        counts: dict[str, int] = {}
        own = []
        for target in targets:
            place = counts.get(target.kind, 0)
            counts[target.kind] = place + 1
            others = tokens[(number + 1) % len(texts)].get(target.kind, [])
            other = others[place % len(others)] if others else None
            own.append(dataclasses.replace(target, other=None if other == target.token else other))
        given.append(own)
    return given


def _by_kind(targets: Sequence[LensTarget]) -> dict[str, list[int]]:
    tokens: dict[str, list[int]] = {}
    for target in targets:
        tokens.setdefault(target.kind, []).append(target.token)
    return tokens
