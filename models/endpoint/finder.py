"""Find the form in which an endpoint takes requests, without losing a question meanwhile.

While no answer has come, each request goes from form to form by what is refused; the form of the first answer stands
from then on, and whatever was refused in another one is sent again in it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from dtbench.models.endpoint.form import RequestForm
from dtbench.models.endpoint.http import Reply
from dtbench.models.endpoint.refusal import Asked, next_form, refusal_words

MOST_FORMS = 8
"""How many forms one request is tried in."""


class Exchange(NamedTuple):
    """A reply, and how long it took."""

    reply: Reply
    seconds: float


class PromptKind(NamedTuple):
    """What of a prompt decides which form its request takes."""

    forced: bool
    has_clip: bool


class Formed(NamedTuple):
    """The exchange that a request ended with, and the form that it went in."""

    exchange: Exchange
    form: RequestForm
    refused: int
    """How often it was refused before."""


class FormFinder:
    """The forms in which an endpoint takes the prompts of a run."""

    def __init__(self, first: RequestForm) -> None:
        self.first = first
        self._settled: dict[PromptKind, RequestForm] = {}

    def form_for(self, kind: PromptKind) -> RequestForm:
        """Return the form in which a prompt of this kind is sent at first."""
        if kind in self._settled:
            return self._settled[kind]
        return next(iter(self._settled.values()), self.first)

    def settle(self, kind: PromptKind, form: RequestForm) -> bool:
        """Keep to the form of an answer, the first of its kind; return whether it is."""
        if kind in self._settled:
            return False
        self._settled[kind] = form
        return True

    async def exchange(
        self,
        kind: PromptKind,
        fields: Callable[[RequestForm], set[str]],
        send: Callable[[RequestForm], Awaitable[Exchange]],
    ) -> Formed:
        """Send a request, in other forms while it is refused; return the last exchange, or the first refusal."""
        form, tried = self.form_for(kind), list[RequestForm]()
        first: Exchange | None = None
        while True:
            exchange = await send(form)
            words = refusal_words(exchange.reply)
            if words is None:
                return Formed(exchange, form, len(tried))
            first = first or exchange
            tried.append(form)
            settled = self._settled.get(kind)
            following = settled or next_form(form, words, Asked(fields(form), kind.has_clip, kind.forced), tried)
            if following is None or following in tried or len(tried) == MOST_FORMS:
                return Formed(first, form, len(tried))
            form = following
