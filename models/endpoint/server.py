"""A model behind an OpenAI-compatible chat endpoint, which gets the clip as `input_audio` or `audio_url`."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

from dtbench.harness.core.errors import ModelError
from dtbench.harness.core.model import Notify, RequestPreview
from dtbench.harness.core.schema import Prompt, Response, has_sound, with_system
from dtbench.models.endpoint.access import Access
from dtbench.models.endpoint.address import CHAT, Address, parse_addresses
from dtbench.models.endpoint.constrained import forced_sampling, with_letter_logprobs
from dtbench.models.endpoint.discover import EndpointModel, discover_model
from dtbench.models.endpoint.finder import Exchange, Formed, FormFinder, PromptKind
from dtbench.models.endpoint.form import LONGEST, RequestForm
from dtbench.models.endpoint.hosts import UNKNOWN_HOST, Host, host_of_owner, host_of_urls
from dtbench.models.endpoint.http import AwayError, DroppedError, GarbledError, Reply, Request
from dtbench.models.endpoint.parse import parse_response, refused_context
from dtbench.models.endpoint.pool import EndpointPool, ReconnectWait
from dtbench.models.endpoint.preflight import FirstAttempt, try_first_question
from dtbench.models.endpoint.refusal import sent_fields
from dtbench.models.endpoint.settings import EndpointSettings
from dtbench.models.endpoint.two_step import CONTINUATION, WHOLE, RequestStep, Said, TwoStepBudget, continued_text
from dtbench.models.endpoint.wire import chat_body, fixed_fields, preview_body

_LOG = logging.getLogger(__name__)
UNKNOWN = "MODEL"
"""Stands for the name of a model that no endpoint was asked for."""
_TRYING = {"user-agent": "dtbench (preflight)"}
"""Tells the first try of a question from the question itself in the log of a server."""
_HIGH_BIT = 1 << 31
"""Of a seed; an endpoint that takes only smaller seeds refuses one with it."""


class Server:
    """A model behind one or several endpoints; its connections belong to the event loop that first uses them."""

    listens = True
    forces = True
    stereo = True
    """Whether it hears channels apart, as far as is known."""
    sampling_source = ""
    """What decides on sampling that no setting names, for the record; empty where it is not known."""
    budgeted = False
    """Whether its prompts limit their chains, for the record."""

    def __init__(
        self,
        where: Sequence[Address],
        settings: EndpointSettings,
        about: EndpointModel,
        access: Access | None = None,
        host: Host = UNKNOWN_HOST,
    ) -> None:
        self.rate = settings.rate
        self.limit_seconds = settings.limit_seconds
        self.system = settings.system
        self.limits_chains = settings.think_budget_field is not None or host.continues
        self.prefills = host.continues
        self.price = settings.price
        self._settings = settings
        self._about = about
        self._host = host
        self._access = access or Access()
        self._endpoints = EndpointPool(where, fault=self._fault)
        self._reconnect = ReconnectWait(settings.reconnect_timeout)
        self._headers = {to: self._access.headers_for(to) for to in where}
        self._paths = {to: self._access.path(to, CHAT) for to in where}
        self._free = settings.sampling()
        self._seed = self._free.pop("seed", None)
        self._limit: int | None = self._free.get("max_tokens", self._free.get("max_completion_tokens"))
        by_field = settings.think_budget_field is not None or not host.continues
        self._two_step = None if by_field else TwoStepBudget(settings.chain, self._limit)
        self._forced = forced_sampling(settings)
        self._forms = FormFinder(host.form(settings))
        self._encoded: dict[tuple[RequestForm, tuple[str, ...], int | None, RequestStep], bytes] = {}

    @classmethod
    def connect(cls, urls: str, settings: EndpointSettings, *, ask: bool = True) -> Self:
        """Ask the endpoints at these URLs which model they serve, and return it; works inside a running loop, too.

        Without asking, the model has the name of the settings, or UNKNOWN.
        """
        where = parse_addresses(urls)
        host = host_of_urls([address.host for address in where], settings.host)
        access = Access.of(host, settings)
        if not ask:
            return cls(where, settings, EndpointModel(settings.model or UNKNOWN, None), access, host)
        with ThreadPoolExecutor(1) as thread:
            about = thread.submit(asyncio.run, discover_model(where, settings.model, access)).result()
        if host is UNKNOWN_HOST:
            host = host_of_owner(about.owner) or host
        return cls(where, settings, about, access, host)

    async def generate(self, prompt: Prompt) -> Response:
        """Send the prompt to one of the endpoints, once; wait for endpoints that are away for a while.

        While it is not known how they take requests, a refused one is sent again in another form. Where the context
        leaves less than the longest answer may have, it is sent again without that limit.
        """
        prompt = with_system(prompt, self.system)

        async def send(step: RequestStep) -> Said:
            formed = await self._formed(prompt, step)
            return Said(self._response(prompt, formed), formed.exchange.reply)

        if prompt.begun:
            said = await send(RequestStep(begun=prompt.begun))
            text = continued_text(said, prompt.begun, self._settings.chain)
            return dataclasses.replace(said.response, text=text)
        if self._two_step is not None and prompt.think_budget is not None:
            return await self._two_step.ask(prompt.think_budget, send)
        return (await send(WHOLE)).response

    def _response(self, prompt: Prompt, formed: Formed) -> Response:
        exchange, form, _ = formed
        response = parse_response(*exchange, self._access.hint)
        if self._forms.settle(_kind(prompt), form) and form != self._forms.first:
            changes = form.differences(self._forms.first, self._sampling(prompt))
            what = f"the endpoint takes requests in another form: {'; '.join(changes)}"
            self._reconnect.notify(what)
            _LOG.warning("%s", what)
        if prompt.letters:
            return with_letter_logprobs(response, exchange.reply, prompt.letters, self._settings.chain)
        return response

    async def _formed(self, prompt: Prompt, step: RequestStep = WHOLE, *, trying: bool = False) -> Formed:
        """Send the prompt in the form that the endpoint takes; raise a ModelError where no reply comes."""

        async def send(form: RequestForm) -> Exchange:
            request = functools.partial(self._request, prompt=prompt, form=form, step=step, trying=trying)
            return await self._exchange(request, (prompt.id, prompt.repeat, prompt.text))

        def fields(form: RequestForm) -> set[str]:
            body = json.loads(self._fixed(form, prompt, step) + b"}")
            if prompt.think_budget is not None:  # without it, chains would be as long as they like
                body.pop((self._settings.think_budget_field or "").partition(".")[0], None)
            return sent_fields(body, form, seeded=self._seed_of(prompt) is not None)

        with self._transport_errors():
            formed = await self._forms.exchange(_kind(prompt), fields, send)
            return formed if prompt.letters else await self._within_context(formed, send)

    @contextlib.contextmanager
    def _transport_errors(self) -> Iterator[None]:
        """Raise a ModelError where no reply comes."""
        try:
            yield
        except TimeoutError:
            message = f"no answer within {self._settings.timeout:g} s"
            late = ModelError(message, again=True, timed_out=True)
            late.elsewhere = len(self._endpoints.all) > 1
            raise late from None
        except AwayError as error:
            raise ModelError(f"the endpoint cannot be reached: {error}", again=True) from None
        except DroppedError as error:
            raise ModelError(str(error), again=True) from None
        except GarbledError as error:
            raise ModelError(str(error), again=error.again) from None

    async def _within_context(self, formed: Formed, send: Callable[[RequestForm], Awaitable[Exchange]]) -> Formed:
        """Send a request again without its longest answer where that does not fit into the context."""
        context = refused_context(formed.exchange.reply)
        if self._limit is None or context is None:
            return formed
        if context <= self._limit:  # so it is for every prompt
            self._free = {name: value for name, value in self._free.items() if name not in LONGEST}
            self._encoded.clear()
        unlimited = dataclasses.replace(formed.form, left_out=formed.form.left_out | {*LONGEST})
        return formed._replace(exchange=await send(unlimited))

    async def _exchange(self, request: Callable[[Address], Request], question: object) -> Exchange:
        while True:
            started = time.perf_counter()
            try:
                reply = await self._endpoints.request(request, self._settings.timeout, question)
            except AwayError:
                if not await self._reconnect.wait():
                    raise
            else:
                self._reconnect.reset()
                return Exchange(reply, time.perf_counter() - started)

    async def start(self, notify: Notify) -> None:
        """Report through `notify` when an endpoint is away; there is nothing to start."""
        self._reconnect.notify = notify
        self._endpoints.report_to(notify)

    async def preflight(self, prompt: Prompt, notify: Notify) -> Mapping[str, Any]:
        """Try how the endpoint takes this prompt, and return the form of its request; its answer is dropped.

        Raise a UserError where no question could be answered: a wrong key or model, or one that hears nothing.
        """
        await self.start(notify)
        if self._settings.seed is not None and prompt.seed is not None:
            notify(
                f"-M seed={self._settings.seed} is not used: each question has a seed of its own, drawn from --seed."
            )
        prompt = with_system(prompt, self.system)
        seeded = prompt if prompt.seed is None else dataclasses.replace(prompt, seed=prompt.seed | _HIGH_BIT)
        where = " or ".join(str(endpoint.address) for endpoint in self._endpoints.all)
        await try_first_question(self._trial, seeded, notify, where)
        form = self._forms.form_for(_kind(prompt))
        known = {"host": self._host.name} if self._host.name else {}
        return {**known, "form": form.as_json(forced=bool(prompt.letters))}

    async def _trial(self, prompt: Prompt) -> FirstAttempt:
        status = 0
        try:
            formed = await self._formed(prompt, self._first_step(prompt), trying=True)
            status = formed.exchange.reply.status
            self._response(prompt, formed)
        except ModelError as error:
            return FirstAttempt(error, status)
        return FirstAttempt(None, status)

    def _first_step(self, prompt: Prompt) -> RequestStep:
        if prompt.begun:
            return RequestStep(begun=prompt.begun)
        if self._two_step is None or prompt.think_budget is None:
            return WHOLE
        return self._two_step.first(prompt.think_budget)

    def _request(self, to: Address, prompt: Prompt, form: RequestForm, step: RequestStep, *, trying: bool) -> Request:
        """Return the request, whose body is made when it is sent."""
        headers = {**_TRYING, **self._headers[to]} if trying else self._headers[to]
        return Request("POST", self._paths[to], headers, lambda: self._body(prompt, form, step))

    def _body(self, prompt: Prompt, form: RequestForm, step: RequestStep) -> list[bytes]:
        seed = form.seed_of(self._seed_of(prompt))
        fixed = self._fixed(form, prompt, step)
        return chat_body(fixed, prompt, seed, form.audio_part, seed_field=form.seed or "seed", begun=step.begun)

    def _fixed(self, form: RequestForm, prompt: Prompt, step: RequestStep) -> bytes:
        key = form, tuple(prompt.letters), prompt.think_budget, step._replace(begun=step.begun and "")
        if key not in self._encoded:
            fields = form.fields(self._sampling(prompt, step), prompt.letters)
            self._encoded[key] = fixed_fields(self._about.model, fields)
        return self._encoded[key]

    def _sampling(self, prompt: Prompt, step: RequestStep = WHOLE) -> Mapping[str, Any]:
        if prompt.letters:
            return self._forced
        fields = self._settings.with_budget(self._free, prompt.think_budget)
        if step.limit is not None:
            fields = {name: value for name, value in fields.items() if name not in LONGEST} | {LONGEST[0]: step.limit}
        return fields if step.begun is None else fields | CONTINUATION

    def _seed_of(self, prompt: Prompt) -> int | None:
        return self._seed if prompt.seed is None else prompt.seed

    def preview(self, prompt: Prompt, clip: str | None) -> RequestPreview:
        """Return the request that would be sent first."""
        prompt = with_system(prompt, self.system)
        form, step = self._forms.form_for(_kind(prompt)), self._first_step(prompt)
        first, *others = [endpoint.address.url(CHAT) for endpoint in self._endpoints.all]
        more = f" or {len(others)} more" if others else ""
        return RequestPreview(
            f"POST {first}{more}", preview_body(lambda one: self._body(one, form, step), prompt, clip)
        )

    def describe(self) -> Mapping[str, Any]:
        """Return the URLs, the name and the version of the model, and its sampling."""
        settings = self._settings
        given = {"query": settings.query, "headers": None if settings.headers is None else list(settings.headers)}
        return {
            "name": "server",
            "model": self._about.model,
            "urls": [str(endpoint.address) for endpoint in self._endpoints.all],
            "version": self._about.version,
            "sampling": settings.sampling(),
            **({"sampling_source": self.sampling_source} if self.sampling_source else {}),
            "timeout": settings.timeout,
            "audio_part": self._forms.first.audio_part,
            "rate": self.rate,
            "limit_seconds": self.limit_seconds,
            **self._endpoints.describe_proxies(),
            **({"host": self._host.name} if self._host.name else {}),
            **{name: value for name, value in given.items() if value is not None},
            **({} if settings.chain is None else {"chain": list(settings.chain)}),
            **({"think_budget": "two requests"} if self.budgeted and self._two_step is not None else {}),
        }

    @staticmethod
    def _fault(reply: Reply) -> str:
        """Say why a successful reply has no answer, where that is not for the question but for the endpoint."""
        if not 200 <= reply.status < 300:
            return ""
        try:
            parse_response(reply, 0.0)
        except ModelError as error:
            return str(error) if error.again and not error.too_many else ""
        return ""

    async def aclose(self) -> None:
        """Close every connection."""
        await self._endpoints.aclose()


def _kind(prompt: Prompt) -> PromptKind:
    return PromptKind(bool(prompt.letters), has_sound(prompt))
