"""Where the chain of thought stands in a response: what the model wrote before it, in it and behind it."""

from __future__ import annotations

import re
from typing import NamedTuple

from dtbench.harness.extract.chain_tags import USUAL_TAGS, ChainTags
from dtbench.harness.extract.chains import BETWEEN_ANSWERS
from dtbench.harness.extract.tidy import split_text, with_think_tags

FILLER = "."
"""Stands for each word of a chain that says nothing."""


_TAG = re.compile(r"\s*[<\[◁][^<>\[\]◁▷]*[>\]▷]")
"""A tag at the beginning of a text, whose name may be a word of the chain."""


class ChainLayout(NamedTuple):
    """A response in parts, from which it can be begun again with another chain."""

    before: str
    """Up to the chain, its opening tag included."""
    chain: str
    between: str
    """From the chain to the answer: its closing tag."""

    def open_with(self, chain: str) -> str:
        """Return the beginning of an answer whose chain is still open: the model goes on with it."""
        return f"{self.before}{chain}".rstrip()

    def closed_with(self, chain: str) -> str:
        """Return the beginning of an answer whose chain has ended: the model gives its answer."""
        before = self.before if chain else self.before.rstrip()
        return f"{before}{chain}{self.between}".rstrip()

    def cut_at(self, share: float) -> str:
        """Return the first words of the chain, so large a share of them."""
        words = self.chain.split()
        end, text = 0, self.chain
        for word in words[: round(share * len(words))]:
            end = text.index(word, end) + len(word)
        return text[:end]

    def filler(self) -> str:
        """Return as many dots as the chain has words."""
        return " ".join([FILLER] * len(self.chain.split()))


def find_chain(text: str, own: ChainTags | None) -> ChainLayout | None:
    """Find the chain between tags in a response; None where there is none, or where it does not end.

    A chain that a server sends apart, or whose opening tag is the prompt's, gets the model's own tags, or the usual.
    """
    tags = own or USUAL_TAGS
    parts = split_text(with_think_tags(text, own))
    chain = parts.thinking.strip()
    if not chain or parts.open_chain or not parts.answer.strip():
        return None
    opened = _TAG.match(text)
    place = text.find(chain, 0 if opened is None else opened.end())
    if place < 0:  # several chains, which are read as one
        return ChainLayout(f"{tags.opening} ", chain, f" {tags.closing}")
    before, rest = text[:place], text[place + len(chain) :]
    between = rest[: max(0, rest.find(parts.answer.split(BETWEEN_ANSWERS)[-1].strip()))]
    if not before.strip():
        before = f"{tags.opening}{_space_of(between)}"
    if own is not None and own.opening.lower() not in before.lower():
        before, between = f"{tags.opening}{_space_of(before)}", f"{_space_of(between)}{tags.closing}"
    return ChainLayout(before, chain, between)


def _space_of(text: str) -> str:
    """Return the space at the side of a chain, which is mostly alike at both ends."""
    return "\n" if "\n" in text else " " if " " in text else ""
