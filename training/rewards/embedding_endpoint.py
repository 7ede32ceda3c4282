"""Embeddings over an OpenAI-compatible endpoint, such as `vllm serve BAAI/bge-m3`."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Sequence

from dtbench.harness.core.errors import MachineryError, ModelError
from dtbench.harness.run.retry import RetryPolicy, retry
from dtbench.models.endpoint.access import Access
from dtbench.models.endpoint.address import Address, parse_addresses
from dtbench.models.endpoint.discover import discover_model
from dtbench.models.endpoint.embeddings import EMBEDDINGS, read_embeddings
from dtbench.models.endpoint.hosts import host_of_urls
from dtbench.models.endpoint.http import AwayError, DroppedError, GarbledError, Request
from dtbench.models.endpoint.pool import EndpointPool
from dtbench.models.endpoint.settings import EndpointSettings
from dtbench.training.recipe.reward_settings import RewardSettings
from dtbench.training.rewards.background import BackgroundClient
from dtbench.training.rewards.cosines import ChainPair, Vector, pair_cosines

TEXTS_A_REQUEST = 32


class EmbeddingEndpoint:
    """Requests the embeddings of texts in batches; connects at first use."""

    def __init__(self, settings: RewardSettings) -> None:
        self.name = f"{settings.embedding} {settings.embedding_model or ''}".strip()
        self._settings = settings
        self._addresses = parse_addresses(settings.embedding)
        host = host_of_urls([address.host for address in self._addresses], None)
        self._access = Access.of(host, EndpointSettings())
        self._policy = RetryPolicy(attempts=settings.attempts, retry_budget=settings.retry_budget)
        self._background = BackgroundClient(functools.partial(EndpointPool, self._addresses), EndpointPool.aclose)
        self._model = settings.embedding_model

    def cosines(self, pairs: Sequence[ChainPair]) -> list[float]:
        """Return the cosine of each pair."""
        try:
            return pair_cosines(pairs, lambda texts: self._background.run(functools.partial(self._request_all, texts)))
        except ModelError as error:
            raise MachineryError(f"no embedding: {error}") from None

    def close(self) -> None:
        """Close the connections."""
        self._background.close()

    async def _request_all(self, texts: Sequence[str], endpoints: EndpointPool) -> list[Vector]:
        if self._model is None:
            self._model = (await discover_model(self._addresses, None, self._access)).model
        request = functools.partial(self._request, endpoints, self._model)
        batches = [texts[start : start + TEXTS_A_REQUEST] for start in range(0, len(texts), TEXTS_A_REQUEST)]
        answers = await asyncio.gather(*(retry(functools.partial(request, batch), self._policy) for batch in batches))
        return [vector for answer in answers for vector in answer.value]

    async def _request(self, endpoints: EndpointPool, model: str, texts: Sequence[str]) -> list[Vector]:
        """Return the embeddings of some texts, requested once."""
        body = json.dumps({"model": model, "input": list(texts), "encoding_format": "float"}).encode()

        def message(to: Address) -> Request:
            return Request("POST", self._access.path(to, EMBEDDINGS), self._access.headers_for(to), lambda: [body])

        try:
            reply = await endpoints.request(message, self._settings.timeout, body)
            return [*read_embeddings(reply, len(texts)).vectors]
        except TimeoutError:
            raise ModelError(f"no answer within {self._settings.timeout:g} s", again=True) from None
        except (AwayError, DroppedError) as error:
            raise ModelError(str(error), again=True) from None
        except GarbledError as error:
            raise ModelError(str(error), again=error.again) from None
