"""The similarity of two chains as texts, from 0 to 1: the cosine of their embeddings, or of their n-grams."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from dtbench.harness.core.errors import MachineryError
from dtbench.training.recipe.reward_settings import NGRAMS, RewardSettings
from dtbench.training.rewards.cache import Cache, content_key
from dtbench.training.rewards.cosines import ChainPair, Embedder
from dtbench.training.rewards.counts import RewardCounts

_WORD = re.compile(r"\w+|[.,;:?!]")
MAX_NGRAM = 3


class NgramEmbedder:
    """Compares counts of n-grams of one to three words. It needs no model, and knows nothing of what words mean."""

    name = NGRAMS

    def cosines(self, pairs: Sequence[ChainPair]) -> list[float]:
        """Return the cosine of each pair."""
        return [ngram_cosine(pair.chain, pair.reference) for pair in pairs]

    def close(self) -> None:
        """Do nothing: there is nothing to release."""


def ngram_cosine(chain: str, reference: str) -> float:
    """Return the mean cosine over n-grams of each length, so that the order of words counts."""
    a, b = _WORD.findall(chain.casefold()), _WORD.findall(reference.casefold())
    cosines = [_cosine(_ngrams(a, length), _ngrams(b, length)) for length in range(1, MAX_NGRAM + 1)]
    return math.fsum(cosines) / len(cosines)


def _ngrams(words: Sequence[str], length: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[start : start + length]) for start in range(len(words) - length + 1))


def _cosine(a: Counter[tuple[str, ...]], b: Counter[tuple[str, ...]]) -> float:
    if not a and not b:
        return 1.0
    dot = math.fsum(count * b[ngram] for ngram, count in a.items() if ngram in b)
    norms = math.fsum(n * n for n in a.values()) * math.fsum(n * n for n in b.values())
    return min(1.0, dot / math.sqrt(norms)) if dot else 0.0


def open_embedder(settings: RewardSettings) -> Embedder:
    """Open the embedder that the recipe names."""
    if settings.embedding == NGRAMS:
        return NgramEmbedder()
    if "://" in settings.embedding:
        from dtbench.training.rewards.embedding_endpoint import EmbeddingEndpoint

        return EmbeddingEndpoint(settings)
    from dtbench.training.rewards.sentence_model import SentenceModel

    return SentenceModel(settings.embedding)


class ChainSimilarity:
    """Cached cosines of chains and references; if the embedder fails, n-grams replace it, which is counted."""

    def __init__(self, settings: RewardSettings, cache: Cache) -> None:
        self._settings = settings
        self._embedder: Embedder | None = None  # opened at first use: many recipes ask for no embedding
        self._cache = cache

    def cosines(self, pairs: Sequence[ChainPair], report: RewardCounts) -> list[float]:
        """Return the cosine of each pair."""
        embedder = self._embedder = self._embedder or open_embedder(self._settings)
        if isinstance(embedder, NgramEmbedder):
            return embedder.cosines(pairs)
        keys = [content_key("embedding", embedder.name, pair.chain, pair.reference) for pair in pairs]
        known = {key: float(entry["verdict"]) for key in keys if (entry := self._cache.get(key)) is not None}
        missing = {key: pair for key, pair in zip(keys, pairs, strict=True) if key not in known}
        report.counts["embedding_asked"] += len(pairs)
        report.counts["embedding_cached"] += len(pairs) - len(missing)
        if missing:
            try:
                cosines = embedder.cosines(list(missing.values()))
            except MachineryError as error:
                for key, pair in missing.items():
                    report.add_failure("embedding", pair.id, str(error))
                    known[key] = ngram_cosine(pair.chain, pair.reference)
            else:
                for key, cosine in zip(missing, cosines, strict=True):
                    self._cache.put(key, {"kind": "embedding", "verdict": cosine})
                    known[key] = cosine
        return [known[key] for key in keys]

    def close(self) -> None:
        """Close the embedder."""
        if self._embedder is not None:
            self._embedder.close()
            self._embedder = None
