"""Embeddings over an OpenAI-compatible endpoint, such as `vllm serve BAAI/bge-m3`."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Sequence
from typing import Any

from dtbench.harness.core.errors import MachineryError, ModelError
from dtbench.harness.run.retry import Policy, persist
from dtbench.models.endpoint.address import Address, parse_addresses
from dtbench.models.endpoint.connection import AwayError, DroppedError
from dtbench.models.endpoint.discover import discover_model
from dtbench.models.endpoint.keys import api_key, without
from dtbench.models.endpoint.pool import EndpointPool
from dtbench.models.endpoint.reply import GarbledError, Reply
from dtbench.models.endpoint.wire import reply_error, request_head
from dtbench.training.rewards.background import Background
from dtbench.training.rewards.cosines import ChainPair, Vector, cosines
from dtbench.training.rewards.settings import RewardSettings

EMBEDDINGS = "/embeddings"
AT_ONCE = 32
"""Texts in a request."""


class EmbeddingEndpoint:
    """Asks for the embeddings of texts, a number of them at once; connected when it is first asked."""

    def __init__(self, settings: RewardSettings) -> None:
        self.name = f"{settings.embedding} {settings.embedding_model or ''}".strip()
        self._settings = settings
        self._where = parse_addresses(settings.embedding)
        self._key = api_key()
        self._policy = Policy(attempts=settings.attempts, waits_in_all=settings.retry_budget)
        self._background: Background | None = None
        self._endpoints: EndpointPool | None = None
        self._model = settings.embedding_model

    def cosines(self, pairs: Sequence[ChainPair]) -> list[float]:
        """Of what the endpoint gives for their texts."""
        return cosines(pairs, self._embed)

    def close(self) -> None:
        """Close the connections."""
        if self._background is not None and self._background.is_ours:
            if self._endpoints is not None:
                self._background.run(self._endpoints.aclose())
            self._background.close()
        self._background = self._endpoints = None

    def _embed(self, texts: Sequence[str]) -> list[Vector]:
        if self._background is None or not self._background.is_ours:
            self._background, self._endpoints = Background(), None
        try:
            return self._background.run(self._embedded(texts))
        except ModelError as error:
            raise MachineryError(f"no embedding: {error}") from None

    async def _embedded(self, texts: Sequence[str]) -> list[Vector]:
        if self._endpoints is None:
            self._endpoints = EndpointPool(self._where)
        if self._model is None:
            self._model = (await discover_model(self._where, None, self._key)).model
        ask = functools.partial(self._part, self._endpoints, self._model)
        parts = [texts[start : start + AT_ONCE] for start in range(0, len(texts), AT_ONCE)]
        answers = await asyncio.gather(*(persist(functools.partial(ask, part), self._policy) for part in parts))
        return [vector for answer in answers for vector in answer.value]

    async def _part(self, endpoints: EndpointPool, model: str, texts: Sequence[str]) -> list[Vector]:
        """The embeddings of some texts, asked for once."""
        body = json.dumps({"model": model, "input": list(texts), "encoding_format": "float"}).encode()

        def request(to: Address) -> list[bytes]:
            head = request_head("POST", to, to.path + EMBEDDINGS, self._key)
            return [b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body)]

        try:
            return _vectors(await endpoints.request(request, self._settings.timeout), len(texts))
        except TimeoutError:
            raise ModelError(f"no answer within {self._settings.timeout:g} s", again=True) from None
        except (AwayError, DroppedError, GarbledError) as error:
            raise ModelError(str(error), again=True) from None
        except ModelError as error:
            told = without(str(error), [self._key])
            raise ModelError(told, again=error.again, retry_after=error.retry_after, too_many=error.too_many) from None


def _vectors(reply: Reply, count: int) -> list[Vector]:
    """One vector for each text, in their order; a ModelError where the reply holds something else."""
    if not 200 <= reply.status < 300:
        raise reply_error(reply)
    try:
        data: list[Any] = sorted(json.loads(reply.body)["data"], key=lambda one: one["index"])
        vectors: list[Vector] = [[float(value) for value in one["embedding"]] for one in data]
        places = [one["index"] for one in data]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise ModelError("the endpoint's reply holds no embeddings", again=True) from None
    if places != list(range(count)) or len({len(vector) for vector in vectors}) != 1 or not vectors[0]:
        raise ModelError(f"the endpoint's reply holds {len(vectors)} embeddings for {count} texts", again=True)
    return vectors
