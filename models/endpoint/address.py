"""The address and the key of an endpoint, which are masked from here on wherever something is stored or printed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from dtbench.harness.core.errors import UserError, one_line
from dtbench.harness.store.known_secrets import is_secret_name, remember_login

CHAT = "/chat/completions"
EXAMPLE = "http://127.0.0.1:8000/v1"
_HOST = re.compile(
    r"(?:localhost|\d+(?:\.\d+){3}|\[[\da-fA-F:]+\])(?::\d{1,5})?(?:/\S*)?|[\w-]+(?:\.[\w-]+)*:\d{2,5}(?:/\S*)?"
)
"""An endpoint without its scheme."""
ANY_KEY = "DTBENCH_API_KEY"
"""The variable of the environment with a key for whichever endpoint; it stands before those of a host."""


class Address(NamedTuple):
    """The base of an OpenAI-compatible API."""

    secure: bool
    host: str
    port: int
    path: str
    """Without a slash at its end, such as `/v1`."""
    login: str | None = None
    """`user:password` of the URL; never shown."""
    query: str = ""
    """The query string of the URL, which every request gets; it holds no secret."""

    @property
    def authority(self) -> str:
        """Return host and port as a Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"

    @property
    def root(self) -> str:
        """Return the path of the server itself, which is above that of its API."""
        return self.path.removesuffix("/v1")

    def __str__(self) -> str:
        """Return the URL without its login."""
        return self.url("")

    def url(self, path: str) -> str:
        """Return the URL of a path below this one, without its login."""
        query = f"?{self.query}" if self.query else ""
        return f"http{'s' * self.secure}://{self.authority}{self.path}{path}{query}"


class NamedEndpoint(NamedTuple):
    """An endpoint in place of a checkpoint, and the options of requests to it."""

    url: str
    options: Mapping[str, str]


def complete_url(text: str) -> str:
    """Put `http://` before a host and a port, as in `localhost:8000/v1`; return any other text as it is."""
    parts = [part.strip() for part in text.split(",")]
    hosts = [_HOST.fullmatch(part) is not None and not Path(part).exists() for part in parts]
    return (
        ",".join(f"http://{part}" if host else part for part, host in zip(parts, hosts, strict=True))
        if any(hosts)
        else text
    )


def name_endpoint(base_url: str, model: str, options: Mapping[str, str]) -> NamedEndpoint:
    """Return the endpoint of `--base-url`, where `--model` is the name that it serves the model under."""
    url = complete_url(base_url)
    if "://" not in url:
        raise UserError(f"--base-url {base_url.rpartition('@')[2] or repr('')}: a URL is expected, such as {EXAMPLE}.")
    refuse_wrong_urls(base_url, "--base-url")
    if "://" in complete_url(model):
        raise UserError(f"--model {model}, --base-url {base_url}: the endpoint is named twice; give --base-url alone.")
    if model and options.get("model", model) != model:
        raise UserError(f"--model {model}, -M model={options['model']}: the model is named twice; give --model alone.")
    return NamedEndpoint(url, {**options, "model": model} if model else options)


def parse_addresses(text: str) -> list[Address]:
    """Parse the URLs of one or several endpoints, separated by commas."""
    return list(dict.fromkeys(parse_address(url.strip()) for url in text.split(",")))


def refuse_wrong_urls(text: str, flag: str) -> None:
    """Raise a UserError that names the option for what is no URL of one or several endpoints."""
    for url in complete_url(text).split(","):
        _parsed_url(url.strip(), flag)


def _parsed_url(url: str, flag: str = "--model") -> SplitResult:
    """Split a URL; a UserError that says what of it is wrong."""
    shown = one_line(url.rpartition("@")[2])[:120]
    what = f"{flag} {shown!r}: not the URL of an endpoint; {EXAMPLE}, for example, is expected"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        odd = " (a port is 1 to 65535)" if "port" in str(error).lower() else ""
        raise UserError(f"{what}{odd}.") from None
    scheme = parts.scheme.lower()
    if scheme not in {"http", "https"}:
        raise UserError(f"{what}, with http:// or https://.")
    if not _is_host(parts.hostname or "") or port == 0 or not url.isascii() or not url.isprintable() or " " in url:
        raise UserError(f"{what}.")
    return parts


def parse_address(url: str) -> Address:
    """Parse a URL; one without a path gets `/v1`, which nearly every endpoint has."""
    parts = _parsed_url(url)
    host, port = parts.hostname or "", parts.port
    if parts.fragment or any(_is_secret(name) for name, _ in parse_qsl(parts.query, keep_blank_values=True)):
        shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        what = "has a # in it" if parts.fragment else "has a key in its query string, where it would be stored"
        raise UserError(
            f"--model {shown}: {what}; the base URL of an API is expected, such as {EXAMPLE}, and its key in a "
            f"variable of the environment ({ANY_KEY})."
        )
    path = parts.path.rstrip("/").removesuffix(CHAT).rstrip("/") or "/v1"
    login = None if parts.username is None else f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    if login is not None:
        remember_login(login)
    secure = parts.scheme.lower() == "https"
    return Address(secure, host, port or (443 if secure else 80), path, login, parts.query)


def _is_secret(parameter: str) -> bool:
    return is_secret_name(parameter) or parameter.lower() in {"key", "sig", "code"}


def _is_host(host: str) -> bool:
    """Whether a host has labels as names have them: none is empty, none is longer than 63 characters."""
    return all(0 < len(label) < 64 for label in host.removesuffix(".").split("."))
