"""Constrain a chat endpoint to one letter, and read the log-probabilities that come with it.

vLLM constrains by structured output, and its log-probabilities are those within the structure: the letters share all of
the probability. Other endpoints take no structure, and some no log-probabilities: what an endpoint refuses is left out
of the next request, and from its first answer on the fields stay the same.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from dtbench.harness.core.schema import OptionLogprobs, Response
from dtbench.harness.extract.tidy import split_text, with_think_tags
from dtbench.harness.score.forced_choice import FORCED_SAMPLING, TokenLogprob, letter_of, option_logprobs
from dtbench.models.endpoint.http import Reply
from dtbench.models.endpoint.parse import parse_response, reply_error
from dtbench.models.endpoint.settings import EndpointSettings
from dtbench.models.endpoint.wire import fixed_fields

REFUSED = {400, 422}
"""Statuses with which endpoints refuse fields that they do not know."""
_STRUCTURE, _LOGPROBS = "structured_outputs", "logprobs"
_FIELD_SETS = ({_STRUCTURE, _LOGPROBS}, {_LOGPROBS}, {_STRUCTURE}, set[str]())
"""What a request asks for beside the answer: tried in this order until the endpoint accepts one."""


class Exchange(NamedTuple):
    """A reply, and how long it took."""

    reply: Reply
    seconds: float


class ConstrainedChoice:
    """Asks an endpoint for letters, with the first set of fields that it accepts."""

    def __init__(self, model: str, settings: EndpointSettings) -> None:
        self._model = model
        longest = "max_completion_tokens" if settings.max_completion_tokens is not None else "max_tokens"
        self._usual = {
            **settings.further(),
            "temperature": FORCED_SAMPLING["temperature"],
            longest: FORCED_SAMPLING["max_tokens"],
        }
        self._chain = settings.chain
        self._accepted = 0
        self._answered = False

    async def answer(self, letters: Sequence[str], exchange: Callable[[bytes], Awaitable[Exchange]]) -> Response:
        """Return the letter that the endpoint answers; raise a ModelError where it refuses every set of fields."""
        attempt = self._accepted
        first: Reply | None = None
        while True:
            reply, seconds = await exchange(self._fields(attempt, letters))
            if reply.status not in REFUSED or self._answered:
                break
            first = first or reply
            attempt += 1
            if attempt == len(_FIELD_SETS):
                raise reply_error(first)
        response = parse_response(reply, seconds)
        if not self._answered:
            self._accepted, self._answered = attempt, True
        text = with_think_tags(response.text, self._chain)
        return dataclasses.replace(response, option_logprobs=_letter_logprobs(reply, text, letters))

    def first_fields(self, letters: Sequence[str]) -> bytes:
        """Return the fields of the first request, which an endpoint may refuse."""
        return self._fields(self._accepted, letters)

    def _fields(self, attempt: int, letters: Sequence[str]) -> bytes:
        fields: dict[str, Any] = {}
        if _LOGPROBS in _FIELD_SETS[attempt]:
            fields |= {_LOGPROBS: True, "top_logprobs": FORCED_SAMPLING["top_logprobs"]}
        if _STRUCTURE in _FIELD_SETS[attempt]:
            fields[_STRUCTURE] = {"choice": list(letters)}
        return fixed_fields(self._model, {**self._usual, **fields})


def _letter_logprobs(reply: Reply, text: str, letters: Sequence[str]) -> OptionLogprobs | None:
    """Return the log-probabilities of the letters at the token of the answer; None where that is no letter."""
    letter = letter_of(split_text(text).answer, letters)
    if letter is None:
        return None
    for position in _positions(json.loads(reply.body)):
        if letter_of(position.token.token, letters) == letter:
            return option_logprobs(position.candidates, letters)
    return None


class _Position(NamedTuple):
    token: TokenLogprob
    candidates: Sequence[TokenLogprob]
    """The tokens that might stand there, the one that does among them."""


def _positions(answer: Mapping[str, Any]) -> Iterator[_Position]:
    """Yield the positions of the answer that have log-probabilities."""
    logprobs = answer["choices"][0].get("logprobs")
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    for entry in content if isinstance(content, list) else ():
        token = _token(entry)
        if token is not None:
            listed = entry.get("top_logprobs")
            top = [other for other in map(_token, listed if isinstance(listed, list) else ()) if other is not None]
            yield _Position(token, top if token in top else [token, *top])


def _token(entry: object) -> TokenLogprob | None:
    """Read a token with its log-probability; None where the entry has none."""
    if not isinstance(entry, dict):
        return None
    token, logprob = entry.get("token"), entry.get("logprob")
    if not isinstance(token, str) or isinstance(logprob, bool) or not isinstance(logprob, int | float):
        return None
    return TokenLogprob(token, min(0.0, float(logprob))) if math.isfinite(logprob) else None
