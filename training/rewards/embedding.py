"""How near two chains are as texts, from 0 to 1: the cosine of their embeddings, or of their n-grams."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from dtbench.harness.core.errors import MachineryError
from dtbench.training.rewards.cache import Cache, content_key
from dtbench.training.rewards.cosines import ChainPair, Embedder
from dtbench.training.rewards.counts import RewardCounts
from dtbench.training.rewards.settings import NGRAMS, RewardSettings

_WORD = re.compile(r"\w+|[.,;:?!]")
LONGEST_GRAM = 3


class Ngrams:
    """The cosine of counted runs of one to three words. No model: it knows words, and nothing of what they mean."""

    name = NGRAMS

    def cosines(self, pairs: Sequence[ChainPair]) -> list[float]:
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
        self._settings = settings
        self._cache = cache
        self._embedder: Embedder | None = None

    def of(self, pairs: Sequence[ChainPair], report: RewardCounts) -> list[float]:
        """The cosine of each pair."""
        self._embedder = self._embedder or embedder(self._settings)
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
        if self._embedder is not None:
            self._embedder.close()
            self._embedder = None

    def _entry(self, key: str) -> float:
        entry = self._cache.get(key)
        assert entry is not None
        return float(entry["verdict"])
