"""The key, the headers and the query string of requests to an endpoint; none of its secrets is ever stored."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from dtbench.harness.core.errors import UserError
from dtbench.harness.store.known_secrets import remember_secret
from dtbench.models.endpoint.address import ANY_KEY, Address
from dtbench.models.endpoint.hosts import Host
from dtbench.models.endpoint.secret_values import VARIABLE, is_secret_value
from dtbench.models.endpoint.settings import EndpointSettings


@dataclass(frozen=True, slots=True)
class Access:
    """What every request to an endpoint carries beside its body."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """With the key; names in lower case."""
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    hint: str = ""
    """Where the key comes from, for messages about it."""

    @classmethod
    def of(cls, host: Host, settings: EndpointSettings) -> Access:
        """Read keys and headers from the environment; a UserError where one cannot be sent."""
        names = [settings.key_variable] if settings.key_variable else [ANY_KEY, *host.key_variables]
        key = _key(names)
        if key is None and settings.key_variable:
            raise UserError(f"-M key_variable={settings.key_variable}: this variable of the environment is not set.")
        if key is not None:
            remember_secret(key)
        headers = {} if key is None else {host.key_header: _bearer(host.key_header, key)}
        for name, text in {**host.headers, **(settings.headers or {})}.items():
            headers[name.lower()] = _expanded("headers", name, text)
        query = {
            name: _expanded("query", name, text) for name, text in {**host.query, **(settings.query or {})}.items()
        }
        return cls(headers, query, f"the key comes from {' or '.join(names)}")

    def headers_for(self, address: Address) -> Mapping[str, str]:
        """Return the headers of a request to an address, whose login stands before a key."""
        if address.login is None:
            return self.headers
        basic = base64.b64encode(address.login.encode()).decode("ascii")
        return {**self.headers, "authorization": f"Basic {basic}"}

    def path(self, address: Address, path: str) -> str:
        """Return a path with the query string of an address and of the settings."""
        query = "&".join(filter(None, (address.query, urlencode(self.query))))
        return f"{path}?{query}" if query else path


def _bearer(header: str, key: str) -> str:
    return f"Bearer {key}" if header == "authorization" else key


def _key(names: Sequence[str]) -> str | None:
    for name in names:
        key = os.environ.get(name, "").strip()
        if key and not (key.isascii() and key.isprintable()):
            raise UserError(
                f"the environment variable {name} is not a valid key: it has characters that a header cannot carry."
            )
        if key:
            return key
    return None


def _expanded(setting: str, name: str, text: str) -> str:
    """Return the text with variables of the environment in place, which are secrets from here on."""

    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match[1], "").strip()
        if not found:
            raise UserError(f"-M {setting}: {name!r} names the variable {match[1]}, which is not set.")
        remember_secret(found)
        return found

    whole = VARIABLE.sub(value, text)
    if is_secret_value(name, text):
        remember_secret(text)
    if not (whole.isascii() and whole.isprintable()):
        raise UserError(f"-M {setting}: {name!r} has characters that a request cannot carry.")
    return whole
