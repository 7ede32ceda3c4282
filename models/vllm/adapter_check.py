"""Check, before a run asks anything, that an engine answers differently with an adapter than without."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from dtbench.harness.core.errors import MachineryError
from dtbench.harness.core.schema import Prompt
from dtbench.models.endpoint.address import CHAT, Address
from dtbench.models.endpoint.http import AwayError, DroppedError, GarbledError, HttpClient, Request
from dtbench.models.endpoint.wire import chat_body, fixed_fields

_ASKED = {"temperature": 0, "max_tokens": 8, "ignore_eos": True, "logprobs": True, "top_logprobs": 20}
"""Of a bare engine, which has no other limits yet."""


class _Likely(NamedTuple):
    """The first tokens of an answer, and how likely each and the nearest others were."""

    tokens: list[str]
    logprobs: list[dict[str, float]]


async def adapter_difference(
    address: Address, prompt: Prompt, *, tuned: str, base: str, seconds: float, headers: Mapping[str, str] | None = None
) -> float | None:
    """Return by how much the log-probabilities of the first token differ at most; None where all tokens are equal.

    The headers are those of every request, such as the key of the engine.
    """
    client = HttpClient(address)
    try:
        one, other = [await _likely(client, prompt, model, headers or {}, seconds) for model in (tuned, base)]
    finally:
        await client.aclose()
    if one == other or not one.logprobs or not other.logprobs:
        return None
    first, second = one.logprobs[0], other.logprobs[0]
    return max((abs(first[token] - second[token]) for token in first.keys() & second.keys()), default=float("inf"))


async def _likely(
    client: HttpClient, prompt: Prompt, model: str, headers: Mapping[str, str], seconds: float
) -> _Likely:
    headers = {"content-type": "application/json", "accept": "application/json", **headers}
    request = Request("POST", CHAT, headers, lambda: chat_body(fixed_fields(model, _ASKED), prompt, None))
    try:
        reply = await client.request(request, seconds)
        content: Any = json.loads(reply.body)["choices"][0]["logprobs"]["content"]
        return _Likely(
            [step["token"] for step in content],
            [{near["token"]: near["logprob"] for near in step["top_logprobs"]} for step in content],
        )
    except (AwayError, DroppedError, GarbledError, TimeoutError) as error:
        raise MachineryError(f"whether the adapter is on cannot be asked: {error or 'no answer came'}.") from None
    except (ValueError, LookupError, TypeError):
        shown = reply.body[:200].decode("utf-8", "replace")
        raise MachineryError(f"whether the adapter is on cannot be asked: vLLM replied {shown!r}.") from None
