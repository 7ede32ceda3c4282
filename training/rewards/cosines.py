"""The cosine similarity of a chain and its reference, from vectors of their texts."""

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
    """Compares texts by their embeddings."""

    name: str
    """Identifies the embedding: cosines are cached under it."""

    def cosines(self, pairs: Sequence[ChainPair]) -> list[float]:
        """Return the cosine of each pair; a MachineryError where embedding fails."""
        ...

    def close(self) -> None:
        """Release connections or a model."""
        ...


def pair_cosines(pairs: Sequence[ChainPair], embed: Callable[[list[str]], Iterable[Vector]]) -> list[float]:
    """Return the cosine of each pair; a text that occurs several times is embedded once."""
    texts = list(dict.fromkeys(text for pair in pairs for text in (pair.chain, pair.reference)))
    vectors = dict(zip(texts, embed(texts), strict=True))
    return [vector_cosine(vectors[pair.chain], vectors[pair.reference]) for pair in pairs]


def vector_cosine(a: Vector, b: Vector) -> float:
    """Return the cosine, clipped to 0..1; a MachineryError for vectors without a direction."""
    dot = math.fsum(float(x) * float(y) for x, y in zip(a, b, strict=True))
    norms = math.fsum(float(x) ** 2 for x in a) * math.fsum(float(y) ** 2 for y in b)
    value = dot / math.sqrt(norms) if norms > 0 else math.nan
    if not math.isfinite(value):
        raise MachineryError("an embedding has no direction (zeros, or no numbers)")
    return min(1.0, max(0.0, value))
