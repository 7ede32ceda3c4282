"""Constrain a chat endpoint to one letter, and read the log-probabilities that come with it.

vLLM constrains by structured output, and its log-probabilities are those within the structure: the letters share all of
the probability. Other endpoints take no structure, and some no log-probabilities; finder.py finds what they take.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from dtbench.harness.core.schema import OptionLogprobs, Response
from dtbench.harness.extract.chain_tags import ChainTags
from dtbench.harness.extract.tidy import split_text, with_think_tags
from dtbench.harness.score.forced_choice import FORCED_SAMPLING, TokenLogprob, letter_of, option_logprobs
from dtbench.models.endpoint.http import Reply
from dtbench.models.endpoint.settings import EndpointSettings


def forced_sampling(settings: EndpointSettings) -> dict[str, Any]:
    """Return the sampling of an answer of one letter, whatever is set for free ones."""
    return {
        **settings.further(),
        "temperature": FORCED_SAMPLING["temperature"],
        "max_tokens": FORCED_SAMPLING["max_tokens"],
    }


def with_letter_logprobs(response: Response, reply: Reply, letters: Sequence[str], chain: ChainTags | None) -> Response:
    """Return the response with the log-probability of each letter, where the reply has them."""
    text = with_think_tags(response.text, chain)
    return dataclasses.replace(response, option_logprobs=_letter_logprobs(reply, text, letters))


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
