"""How near two chains are as texts, from 0 to 1: the cosine of their embeddings, or of their n-grams."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from dtbench.harness.errors import MachineryError
from dtbench.training.rewards.cache import Cache, content_key
from dtbench.training.rewards.report import Report
from dtbench.training.rewards.settings import NGRAMS, RewardSettings

_WORD = re.compile(r"\w+|[.,;:?!]")
LONGEST_GRAM = 3
Vector = Sequence[float]


class Pair(NamedTuple):
    """A chain and its reference."""

    id: str
    chain: str
    reference: str


class Embedder(Protocol):
    """Says how near texts are."""

    name: str
    """Tells one embedding from another: under it cosines are kept."""

    def cosines(self, pairs: Sequence[Pair]) -> list[float]:
        """The cosine of each pair; a MachineryError where they cannot be had."""
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...


class Ngrams:
    """The cosine of counted runs of one to three words. No model: it knows words, and nothing of what they mean."""

    name = NGRAMS

    def cosines(self, pairs: Sequence[Pair]) -> list[float]:
        """From the two texts alone."""
        return [ngram_cosine(pair.chain, pair.reference) for pair in pairs]

    def close(self) -> None:
        """Nothing is held."""


def ngram_cosine(chain: str, reference: str) -> float:
    """The mean over the lengths of runs, so that words in another order are less near."""
    said, wanted = _WORD.findall(chain.casefold()), _WORD.findall(reference.casefold())
    cosines = [_cosine(_runs(said, length), _runs(wanted, length)) for length in range(1, LONGEST_GRAM + 1)]
    return math.fsum(cosines) / len(cosines)


def _runs(words: Sequence[str], length: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[place : place + length]) for place in range(len(words) - length + 1))


def _cosine(one: Counter[tuple[str, ...]], other: Counter[tuple[str, ...]]) -> float:
    if not one and not other:
        return 1.0
    shared = math.fsum(count * other[run] for run, count in one.items() if run in other)
    lengths = math.fsum(n * n for n in one.values()) * math.fsum(n * n for n in other.values())
    return min(1.0, shared / math.sqrt(lengths)) if shared else 0.0


def cosines(pairs: Sequence[Pair], embed: Callable[[list[str]], Iterable[Vector]]) -> list[float]:
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


def embedder(settings: RewardSettings) -> Embedder:
    """What the recipe names."""
    if settings.embedding == NGRAMS:
        return Ngrams()
    if "://" in settings.embedding:
        from dtbench.training.rewards.embedding_endpoint import EmbeddingEndpoint

        return EmbeddingEndpoint(settings)
    from dtbench.training.rewards.sentence_model import SentenceModel

    return SentenceModel(settings.embedding)


class Nearness:
    """Cosines of pairs, each asked for once; where an embedder fails, n-grams stand in, counted."""

    def __init__(self, settings: RewardSettings, cache: Cache) -> None:
        self._embedder = embedder(settings)
        self._cache = cache

    def of(self, pairs: Sequence[Pair], report: Report) -> list[float]:
        """The cosine of each pair."""
        if isinstance(self._embedder, Ngrams):
            return self._embedder.cosines(pairs)
        keys = [content_key("embedding", self._embedder.name, pair.chain, pair.reference) for pair in pairs]
        missing = {key: pair for key, pair in zip(keys, pairs, strict=True) if self._cache.get(key) is None}
        report.counts["embedding_asked"] += len(pairs)
        report.counts["embedding_cached"] += len(pairs) - len(missing)
        instead: dict[str, float] = {}
        if missing:
            try:
                found = self._embedder.cosines(list(missing.values()))
            except MachineryError as error:
                for key, pair in missing.items():
                    report.failed("embedding", pair.id, str(error))
                    instead[key] = ngram_cosine(pair.chain, pair.reference)
            else:
                for key, value in zip(missing, found, strict=True):
                    self._cache.put(key, {"kind": "embedding", "verdict": value})
        return [instead[key] if key in instead else float(self._entry(key)) for key in keys]

    def close(self) -> None:
        """Let go of the embedder."""
        self._embedder.close()

    def _entry(self, key: str) -> float:
        entry = self._cache.get(key)
        assert entry is not None
        return float(entry["verdict"])
