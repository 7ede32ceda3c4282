"""Limit a chain of thought at a server that has no field for it, but goes on with an answer that has begun.

The first request ends at the budget. Where the chain is open then, the second one has the server go on behind the
closing tag; where it is closed, behind what was said.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from dtbench.harness.core.errors import ModelError
from dtbench.harness.core.schema import Response
from dtbench.harness.extract.chain_tags import USUAL_TAGS, ChainTags
from dtbench.models.endpoint.http import Reply

CONTINUATION = {"continue_final_message": True, "add_generation_prompt": False}
"""The fields by which vLLM and SGLang go on with the last message."""
_CHAIN_FIELDS = ("reasoning", "reasoning_content")


class RequestStep(NamedTuple):
    """What a request has of its own where an answer takes several."""

    limit: int | None = None
    """The most tokens; None for those of the settings."""
    begun: str | None = None
    """What the model has said, with which the server goes on."""


WHOLE = RequestStep()
"""A request for a whole answer."""


class Said(NamedTuple):
    """A response, and the reply that it was read from."""

    response: Response
    reply: Reply


class _Message(NamedTuple):
    content: str
    chain: str
    """What the server sends apart."""

    @classmethod
    def of(cls, reply: Reply) -> _Message:
        message: dict[str, Any] = json.loads(reply.body)["choices"][0]["message"]
        content = message.get("content")
        chains = [text for name in _CHAIN_FIELDS if isinstance(text := message.get(name), str) and text]
        return cls(content if isinstance(content, str) else "", chains[0] if chains else "")

    def written(self, tags: ChainTags) -> str:
        """Return the message as the model wrote it."""
        if not self.chain:
            return self.content
        return f"{tags.opening}{self.chain}" + (f"{tags.closing}{self.content}" if self.content else "")


def continued_text(said: Said, begun: str, chain: ChainTags | None) -> str:
    """Return an answer that was begun, whole: where the server sends the rest of its chain apart, in its place."""
    message, tags = _Message.of(said.reply), chain or USUAL_TAGS
    is_open = begun.lower().rfind(tags.opening.lower()) > begun.lower().rfind(tags.closing.lower())
    if not (message.chain and is_open):
        return f"{begun}{message.content or message.chain}"
    return f"{begun}{message.chain}" + (f"{tags.closing}{message.content}" if message.content else "")


class TwoStepBudget:
    """Asks for answers in two requests; knows after the first long one whether the chat template opens chains."""

    def __init__(self, chain: ChainTags | None, longest: int | None) -> None:
        self._tags = chain or USUAL_TAGS
        self._longest = longest
        self._template_opens = False

    def first(self, budget: int) -> RequestStep:
        """Return the request that ends at the budget."""
        return RequestStep(budget if self._longest is None else min(budget, self._longest))

    async def ask(self, budget: int, send: Callable[[RequestStep], Awaitable[Said]]) -> Response:
        """Return the answer, with the tokens and seconds of all its requests, and whether its chain was cut."""
        said = await send(self.first(budget))
        left = None if self._longest is None else self._longest - budget
        if said.response.finish_reason != "length" or (left is not None and left <= 0):
            return dataclasses.replace(said.response, cut_at_budget=False)
        written = _Message.of(said.reply).written(self._tags)
        untagged = not (self._has(written, self._tags.opening) or self._has(written, self._tags.closing))
        if untagged and not self._template_opens:
            going_on = await _continued(said.response, send, RequestStep(left, written))
            self._template_opens = self._is_closed_only(going_on.text)
            if not self._template_opens:
                return going_on
            said = said._replace(
                response=dataclasses.replace(said.response, usage=going_on.usage, seconds=going_on.seconds)
            )
        if untagged:
            written = f"{self._tags.opening}\n{written}"
        is_cut = self._is_open(written)
        # On a line of its own, no tokenizer takes the tag for a part of the last word.
        begun = f"{written.rstrip()}\n{self._tags.closing}" if is_cut else written
        return dataclasses.replace(
            await _continued(said.response, send, RequestStep(left, begun)), cut_at_budget=is_cut
        )

    def _has(self, text: str, tag: str) -> bool:
        return tag.lower() in text.lower()

    def _is_open(self, text: str) -> bool:
        return text.lower().rfind(self._tags.opening.lower()) > text.lower().rfind(self._tags.closing.lower())

    def _is_closed_only(self, text: str) -> bool:
        """Whether a chain ends in a text without beginning there: then the template has opened it."""
        before, closing, _ = text.lower().partition(self._tags.closing.lower())
        return bool(closing) and self._tags.opening.lower() not in before


async def _continued(first: Response, send: Callable[[RequestStep], Awaitable[Said]], step: RequestStep) -> Response:
    """Return the answer that goes on from what was said, with the tokens and seconds of both requests."""
    try:
        said = await send(step)
    except ModelError as error:
        error.usage = dict(Counter(first.usage) + Counter(error.usage))
        raise
    message = _Message.of(said.reply)
    more = message.content or message.chain  # behind a closed chain, parsers may take the answer for another
    return dataclasses.replace(
        said.response,
        text=f"{step.begun}{more}",
        usage=dict(Counter(first.usage) + Counter(said.response.usage)),
        seconds=first.seconds + said.response.seconds,
        cut_at_budget=False,
    )
