"""The proxy that the environment names for an endpoint: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY.

They are read as curl and Go read them: the names in lower case come first, a name in NO_PROXY stands for its subdomains
as well, and addresses may be networks such as 10.0.0.0/8. No proxy can reach an address of this machine itself, so the
loopback never goes through one, and neither does a server that dtbench starts.
"""

from __future__ import annotations

import binascii
import ipaddress
import os
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from dtbench.harness.core.errors import UserError, one_line
from dtbench.harness.store.known_secrets import remember_login
from dtbench.models.endpoint.address import Address


class Proxy(NamedTuple):
    """A proxy for HTTP."""

    url: str
    """Without its login."""
    variable: str
    """Of the environment, which names it."""
    login: str | None = None
    """`user:password`; never shown."""

    @property
    def headers(self) -> dict[str, str]:
        """Return the header that holds the login."""
        if self.login is None:
            return {}
        return {"proxy-authorization": f"Basic {binascii.b2a_base64(self.login.encode(), newline=False).decode()}"}

    def refusal(self, status: int) -> str:
        """Say in one line that the proxy did not let a request through."""
        if status != 407:
            return f"the proxy {self.url} of {self.variable} answered {status}"
        if self.login is not None:
            return f"the proxy {self.url} refuses the login that {self.variable} has (407)"
        example = f"{self.variable}=http://USER:PASSWORD@{self.url.partition('://')[2]}"
        return f"the proxy {self.url} asks for a login (407): {example}"

    def __str__(self) -> str:
        """Return its URL without its login."""
        return self.url


def find_proxy(address: Address, environment: Mapping[str, str] = os.environ) -> Proxy | None:
    """Return the proxy by which the environment wants an address to be asked; None where it wants none."""
    if _is_loopback(address.host) or _is_exempt(address, _value("no_proxy", environment)[1]):
        return None
    for name in ("https_proxy" if address.secure else "http_proxy", "all_proxy"):
        variable, text = _value(name, environment)
        if text:
            return _parse_proxy(text, variable, address.host)
    return None


def _value(name: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """Return which of the two spellings of a variable is set, and its value."""
    found = name if name in environment else name.upper()
    return found, environment.get(found, "").strip()


def _parse_proxy(text: str, variable: str, host: str) -> Proxy:
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port
    except ValueError:
        parts, port = urlsplit("//"), None
    if parts.scheme not in {"http", "https"} or not parts.hostname or not text.isascii():
        shown = one_line(text.rpartition("@")[2])[:80]
        raise UserError(
            f"the environment variable {variable} names {shown!r}: a proxy such as http://proxy:3128 is expected; "
            f"NO_PROXY={host} goes without one."
        )
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    login = None if parts.username is None else f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    if login is not None:
        remember_login(login)
    return Proxy(f"{parts.scheme}://{name}{'' if port is None else f':{port}'}", variable, login)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _is_exempt(address: Address, exempt: str) -> bool:
    return any(_matches(address, entry.strip().lower()) for entry in exempt.split(",") if entry.strip())


def _matches(address: Address, entry: str) -> bool:
    if entry == "*":
        return True
    host = address.host.lower()
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        pass  # one of the two is a name
    name, colon, port = entry.rpartition(":")
    if colon and port.isdigit():
        if int(port) != address.port:
            return False
        entry = name.strip("[]")
    bare = entry.removeprefix("*").lstrip(".")
    return bool(bare) and (host == bare or host.endswith(f".{bare}"))
