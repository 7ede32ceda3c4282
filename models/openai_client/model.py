"""A model behind a client of the package openai, as an endpoint by its URL is: the same requests, read the same way."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.installed import install_command
from dtbench.harness.store.known_secrets import remember_secret
from dtbench.harness.store.redact import mask_text
from dtbench.models.endpoint.access import Access
from dtbench.models.endpoint.address import parse_address
from dtbench.models.endpoint.discover import EndpointModel, discover_model
from dtbench.models.endpoint.hosts import Host, host_of_urls
from dtbench.models.endpoint.server import UNKNOWN, Server
from dtbench.models.endpoint.settings import EndpointSettings
from dtbench.models.openai_client.transport import AsyncOpenaiClient, OpenaiTransport

AZURE_ENDPOINT, AZURE_VERSION = "AZURE_OPENAI_ENDPOINT", "OPENAI_API_VERSION"
"""Variables of the environment that openai's client for Azure reads."""
OPENAI = "https://api.openai.com/v1"
"""Whom the client asks where nothing names another."""
_NO_KEY = "none"
"""What a server of one's own gets for a key, which the client does not do without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenaiSettings(EndpointSettings):
    """The settings of requests through openai's client."""

    azure_endpoint: str | None = None
    """Address of a resource of Azure, such as https://NAME.openai.azure.com; AZURE_OPENAI_ENDPOINT names it, too."""
    api_version: str | None = None
    """Version of Azure's API; OPENAI_API_VERSION names it, too."""


class OpenaiModel(Server):
    """A model that a client of openai reaches."""

    def __init__(self, client: AsyncOpenaiClient, settings: EndpointSettings, about: EndpointModel) -> None:
        address = parse_address(str(client.base_url))
        if isinstance(client.api_key, str) and client.api_key != _NO_KEY:
            remember_secret(client.api_key)
        host = host_of_urls([address.host], settings.host)
        super().__init__([address], settings, about, _without_key(Access.of(host, settings), host, settings), host)
        self._kind = type(client).__name__
        for endpoint in self._endpoints.all:
            endpoint.client = OpenaiTransport(client, address)

    def describe(self) -> Mapping[str, Any]:
        """Return what Server.describe() does, with the class of the client."""
        return {**super().describe(), "name": "openai", "client": self._kind}


def from_openai(client: AsyncOpenaiClient, model: str, **settings: Any) -> OpenaiModel:
    """Make a model of a client, such as `openai.AsyncOpenAI()`, and the name that it serves the model under.

    The settings are those of `-M` for an endpoint, such as temperature=0.0. The client is the model's from then on: it
    belongs to one event loop and is closed with the model, so each model, and each run of one, takes a client anew.
    """
    import inspect

    create = getattr(getattr(getattr(client, "chat", None), "completions", None), "create", None)
    if create is None:
        raise UserError(f"from_openai: an openai.AsyncOpenAI is expected, not {type(client).__name__}.")
    if not inspect.iscoroutinefunction(inspect.unwrap(create)):
        name = type(client).__name__
        raise UserError(f"from_openai: {name} waits for each answer alone: give an openai.Async{name} instead.")
    return OpenaiModel(client, EndpointSettings(model=model, **settings), EndpointModel(model, None))


def with_own_connections(client: Any) -> AsyncOpenaiClient:
    """Return a copy of a client that can be closed without closing it; itself where its connections are the user's."""
    from openai import DefaultAsyncHttpxClient

    own: Any = getattr(client, "_client", None)
    if not type(own).__module__.startswith("openai."):  # with proxies or certificates that a copy would lack
        used: AsyncOpenaiClient = client
        return used
    copy: AsyncOpenaiClient = client.copy(http_client=DefaultAsyncHttpxClient(timeout=own.timeout))
    return copy


def open_client(url: str | None, settings: OpenaiSettings, *, ask: bool = True) -> OpenaiModel:
    """Make a client for a URL, for Azure or for what openai's own variables name, and the model behind it.

    An endpoint at a URL is asked which model it serves, as without the client, unless it may not be.
    """
    client = _make_client(url, settings)
    about = EndpointModel(settings.model or UNKNOWN, None)
    if url is not None and ask:
        address = parse_address(url)
        access = Access.of(host_of_urls([address.host], settings.host), settings)
        with ThreadPoolExecutor(1) as thread:
            about = thread.submit(asyncio.run, discover_model([address], settings.model, access)).result()
    return OpenaiModel(client, settings, about)


def _without_key(access: Access, host: Host, settings: EndpointSettings) -> Access:
    """Return what the client does not send by itself."""
    own = {name.lower() for name in settings.headers or {}}
    headers = {name: text for name, text in access.headers.items() if name != host.key_header or name in own}
    return Access(headers, access.query, access.hint)


def _make_client(url: str | None, settings: OpenaiSettings) -> AsyncOpenaiClient:
    openai = _package()
    azure = settings.azure_endpoint or (os.environ.get(AZURE_ENDPOINT) if url is None else None)
    version = settings.api_version or os.environ.get(AZURE_VERSION)
    made: AsyncOpenaiClient
    try:
        if azure is None:
            made = openai.AsyncOpenAI(base_url=url, api_key=_key(url, settings))
        elif version is None:
            raise UserError(f"-M azure_endpoint: api_version is missing: give -M api_version=DATE, or {AZURE_VERSION}.")
        else:
            made = openai.AsyncAzureOpenAI(azure_endpoint=azure, api_version=version)
    except openai.OpenAIError as error:
        if (
            url is None
            and azure is None
            and not any(name in os.environ for name in ("OPENAI_API_KEY", "DTBENCH_API_KEY"))
        ):
            why = "its key is missing: set OPENAI_API_KEY, or name your own endpoint with --base-url"
            raise UserError(f"--backend openai: {why}.") from None
        raise UserError(f"--backend openai: {mask_text(' '.join(str(error).split()))}") from None
    return made


def _key(url: str | None, settings: EndpointSettings) -> str | None:
    """Return the key of the host at a URL; None leaves it to the client, which reads OPENAI_API_KEY."""
    host = host_of_urls([parse_address(url or OPENAI).host], settings.host)
    text = Access.of(host, settings).headers.get(host.key_header)
    return text.removeprefix("Bearer ") if text is not None else _NO_KEY if url is not None else None


def _package() -> Any:
    try:
        import openai
    except ImportError:
        raise UserError(f"--backend openai: the package openai is missing: `{install_command('openai')}`.") from None
    return openai
