"""A model behind an OpenAI-compatible embeddings endpoint: how near an answer is to each option."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dtbench.harness.core.errors import ModelError
from dtbench.harness.core.model import Notify
from dtbench.harness.core.schema import Prompt, Response
from dtbench.models.endpoint.address import Address
from dtbench.models.endpoint.finder import Exchange
from dtbench.models.endpoint.http import Reply, Request
from dtbench.models.endpoint.parse import reply_error, token_counts
from dtbench.models.endpoint.preflight import FirstAttempt, try_first_question
from dtbench.models.endpoint.server import Server

EMBEDDINGS = "/embeddings"


class Embeddings(NamedTuple):
    """What an endpoint gives for some texts."""

    vectors: list[list[float]]
    usage: Mapping[str, int]
    """Tokens, under the names of the endpoint."""


class EmbeddingServer(Server):
    """Compares a text with options by the vectors that an endpoint gives for them."""

    listens = False
    forces = False

    async def generate(self, prompt: Prompt) -> Response:
        """Return a JSON list with the cosine of the angle between the text and each option, in their order."""
        exchange = await self._embed(prompt)
        return self._similarities(prompt, exchange)

    async def preflight(self, prompt: Prompt, notify: Notify) -> Mapping[str, Any]:
        """Try the first answer; raise a UserError where the endpoint would refuse every one."""
        await self.start(notify)
        where = " or ".join(str(endpoint.address) for endpoint in self._endpoints.all)
        await try_first_question(self._trial, prompt, notify, where)
        return {}

    def describe(self) -> Mapping[str, Any]:
        """Return the URLs, the name and the version of the model; it samples nothing."""
        about = super().describe()
        return {name: value for name, value in about.items() if name not in {"sampling", "audio_part", "rate"}}

    async def _trial(self, prompt: Prompt) -> FirstAttempt:
        status = 0
        try:
            exchange = await self._embed(prompt)
            status = exchange.reply.status
            self._similarities(prompt, exchange)
        except ModelError as error:
            return FirstAttempt(error, status)
        return FirstAttempt(None, status)

    async def _embed(self, prompt: Prompt) -> Exchange:
        fields = {"model": self._about.model, "input": [prompt.text, *prompt.choices], "encoding_format": "float"}
        body = json.dumps({**fields, **(self._settings.extra or {})}).encode()

        def request(to: Address) -> Request:
            return Request("POST", self._access.path(to, EMBEDDINGS), self._headers[to], lambda: [body])

        with self._transport_errors():
            return await self._exchange(request, (prompt.id, prompt.repeat, prompt.text))

    def _similarities(self, prompt: Prompt, exchange: Exchange) -> Response:
        reply, seconds = exchange
        vectors, usage = read_embeddings(reply, 1 + len(prompt.choices), self._access.hint)
        first, *others = map(_unit, vectors)
        cosines = [math.fsum(one * two for one, two in zip(first, other, strict=True)) for other in others]
        return Response(json.dumps([round(cosine, 6) for cosine in cosines]), "stop", usage, seconds)

    @staticmethod
    def _fault(reply: Reply) -> str:
        """Return nothing: a reply without vectors is refused where it is read."""
        return ""


def read_embeddings(reply: Reply, count: int, key_hint: str = "") -> Embeddings:
    """Return as many vectors of one length as there are texts, in their order; a ModelError for any other reply."""
    if not 200 <= reply.status < 300:
        raise reply_error(reply, key_hint)
    try:
        answer = json.loads(reply.body)
        entries = sorted(answer["data"], key=lambda one: one["index"])
        places = [one["index"] for one in entries]
        vectors = [[float(number) for number in one["embedding"]] for one in entries]
        usage = token_counts(answer.get("usage"))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise ModelError("the endpoint's reply holds no embeddings", again=True) from None
    if places != list(range(count)) or len({len(vector) for vector in vectors}) != 1 or not vectors[0]:
        raise ModelError(f"the endpoint's reply holds {len(vectors)} embeddings for {count} texts", again=True)
    if not all(math.isfinite(number) for vector in vectors for number in vector):
        raise ModelError("the endpoint's reply holds embeddings with what is not a number", again=True)
    return Embeddings(vectors, usage)


def _unit(vector: Sequence[float]) -> list[float]:
    """Return a vector of length 1; of no length, as it is."""
    length = math.hypot(*vector)
    return [number / length for number in vector] if length else [*vector]
