"""Pairs of chains, and the cosine of their vectors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from dtbench.harness.core.errors import MachineryError

Vector = Sequence[float]


class ChainPair(NamedTuple):
    """A chain and its reference."""

    id: str
    chain: str
    reference: str


class Embedder(Protocol):
    """Says how near texts are."""

    name: str
    """Tells one embedding from another: under it cosines are kept."""

    def cosines(self, pairs: Sequence[ChainPair]) -> list[float]:
        """The cosine of each pair; a MachineryError where they cannot be had."""
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...


def cosines(pairs: Sequence[ChainPair], embed: Callable[[list[str]], Iterable[Vector]]) -> list[float]:
    """The cosine of each pair; texts that stand several times are embedded once."""
    texts = list(dict.fromkeys(text for pair in pairs for text in (pair.chain, pair.reference)))
    vectors = dict(zip(texts, embed(texts), strict=True))
    return [cosine(vectors[pair.chain], vectors[pair.reference]) for pair in pairs]


def cosine(one: Vector, other: Vector) -> float:
    """From 0 to 1; a MachineryError for vectors that have no direction."""
    shared = math.fsum(float(a) * float(b) for a, b in zip(one, other, strict=True))
    lengths = math.fsum(float(a) ** 2 for a in one) * math.fsum(float(b) ** 2 for b in other)
    value = shared / math.sqrt(lengths) if lengths > 0 else math.nan
    if not math.isfinite(value):
        raise MachineryError("an embedding has no direction (zeros, or no numbers)")
    return min(1.0, max(0.0, value))
