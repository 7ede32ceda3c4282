"""A chat endpoint held to one letter: vLLM's structured output, and the log-probabilities that come with it.

vLLM tells them as they are within the structure, so the letters have all of the probability. Others take no structure,
and some no log-probabilities: what an endpoint refuses is left out, from the first answer that comes on.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from dtbench.harness.core.schema import OptionLogprobs, Response
from dtbench.harness.extract.tidy import split_text
from dtbench.harness.score.forced_choice import FORCED_SAMPLING, TokenLogprob, letter_of, odds_of
from dtbench.models.endpoint.reply import Reply
from dtbench.models.endpoint.settings import EndpointSettings
from dtbench.models.endpoint.wire import fixed_fields, parse_response, reply_error

REFUSED = {400, 422}
"""What endpoints say to fields that they do not know."""
_STRUCTURE, _LOGPROBS = "structured_outputs", "logprobs"
_WAYS = ({_STRUCTURE, _LOGPROBS}, {_LOGPROBS}, {_STRUCTURE}, set[str]())
"""What is asked for beside the answer, until an endpoint takes it."""


class Exchange(NamedTuple):
    """A reply, and how long it took."""

    reply: Reply
    seconds: float


class ConstrainedChoice:
    """Asks an endpoint for letters, with as much of what that takes as it knows."""

    def __init__(self, model: str, settings: EndpointSettings) -> None:
        self._model = model
        longest = "max_completion_tokens" if settings.max_completion_tokens is not None else "max_tokens"
        self._usual = {
            **(settings.extra or {}),
            "temperature": FORCED_SAMPLING["temperature"],
            longest: FORCED_SAMPLING["max_tokens"],
        }
        self._way = 0
        self._answered = False

    async def answer(self, letters: Sequence[str], exchange: Callable[[bytes], Awaitable[Exchange]]) -> Response:
        """The answer to a request with these fixed fields; a ModelError where none of the ways brings one."""
        way = self._way
        first: Reply | None = None
        while True:
            reply, seconds = await exchange(self._fields(way, letters))
            if reply.status not in REFUSED or self._answered:
                break
            first = first or reply
            way += 1
            if way == len(_WAYS):
                raise reply_error(first)
        said = parse_response(reply, seconds)
        if not self._answered:
            self._way, self._answered = way, True
        return dataclasses.replace(said, odds=_odds(reply, said.text, letters))

    def _fields(self, way: int, letters: Sequence[str]) -> bytes:
        held: dict[str, Any] = {}
        if _LOGPROBS in _WAYS[way]:
            held |= {_LOGPROBS: True, "top_logprobs": FORCED_SAMPLING["top_logprobs"]}
        if _STRUCTURE in _WAYS[way]:
            held[_STRUCTURE] = {"choice": list(letters)}
        return fixed_fields(self._model, {**self._usual, **held})


def _odds(reply: Reply, text: str, letters: Sequence[str]) -> OptionLogprobs | None:
    """What the reply tells of the letters, at the token that is the answer; None where the answer is no letter."""
    said = letter_of(split_text(text).said, letters)
    if said is None:
        return None
    for place in _places(json.loads(reply.body)):
        if letter_of(place.own.token, letters) == said:
            return odds_of(place.tokens, letters)
    return None


class _Place(NamedTuple):
    own: TokenLogprob
    tokens: Sequence[TokenLogprob]
    """What might stand there, the own one among them."""


def _places(answer: Mapping[str, Any]) -> Iterator[_Place]:
    """The tokens of the answer that log-probabilities came with."""
    told = answer["choices"][0].get("logprobs")
    content = told.get("content") if isinstance(told, dict) else None
    for entry in content if isinstance(content, list) else ():
        own = _token(entry)
        if own is not None:
            others = entry.get("top_logprobs")
            top = [one for one in map(_token, others if isinstance(others, list) else ()) if one is not None]
            yield _Place(own, top if own in top else [own, *top])


def _token(entry: object) -> TokenLogprob | None:
    """A token with its log-probability; None where it is not one."""
    if not isinstance(entry, dict):
        return None
    token, logprob = entry.get("token"), entry.get("logprob")
    if not isinstance(token, str) or isinstance(logprob, bool) or not isinstance(logprob, int | float):
        return None
    return TokenLogprob(token, min(0.0, float(logprob))) if math.isfinite(logprob) else None
