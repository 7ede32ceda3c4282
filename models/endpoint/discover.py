"""Ask endpoints which model they serve, and which version of which server they run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from dtbench.harness.core.errors import MachineryError, UserError, did_you_mean, one_line
from dtbench.harness.store.redact import mask_text
from dtbench.models.endpoint.address import Address
from dtbench.models.endpoint.http import AwayError, DroppedError, GarbledError, HttpClient, Reply, Request
from dtbench.models.endpoint.wire import request_headers

LOOK_UP_TIMEOUT = 15.0
"""Seconds for one look-up; an endpoint that is slower is asked for answers all the same."""
ATTEMPTS = 3
"""Of a look-up whose connection breaks; a server that does not speak HTTP is reported after these."""
PAUSE = 0.3
"""Seconds between two attempts."""
MOST_NAMES = 20
"""Names of models that a message lists."""


class EndpointModel(NamedTuple):
    """The model that an endpoint serves."""

    model: str
    version: str | None
    """Of the server, where it says one."""


async def discover_model(where: Sequence[Address], requested: str | None, key: str | None) -> EndpointModel:
    """Return the one model that all endpoints within reach serve.

    Raise where none can be reached, where they serve different models, or where one lacks the requested model.
    """
    results = await asyncio.gather(*(_look_up(address, key) for address in where))
    pairs = list(zip(where, results, strict=True))
    reachable = [(address, served) for address, served in pairs if not isinstance(served, AwayError)]
    if not reachable:
        reasons = "; ".join(f"{address} ({error})" for address, error in pairs)
        raise MachineryError(f"no endpoint can be reached: {reasons}. Is the server running, and is the port right?")
    names = {_select(address, served.models, requested) for address, served in reachable}
    if len(names) > 1:
        listing = " and ".join(sorted(names))
        raise UserError(
            f"the endpoints serve different models ({listing}): choose one that all of them serve with -M model=NAME."
        )
    return EndpointModel(names.pop(), next((served.version for _, served in reachable if served.version), None))


class _Served(NamedTuple):
    models: Sequence[str] | None
    version: str | None


async def _look_up(address: Address, key: str | None) -> _Served | AwayError:
    client, headers = HttpClient(address), request_headers(address, key)
    try:
        models = await _get(client, Request("GET", "/models", headers), address)
        version = await _get(client, Request("GET", "/version", headers, of_root=True))
    except AwayError as error:
        return error
    finally:
        await client.aclose()
    if isinstance(models, Exception) and isinstance(version, Exception):
        return AwayError(f"{models or 'no answer'}; does it speak http{'' if address.secure else 's'}?")
    version = version.get("version") if isinstance(version, dict) else None
    return _Served(_names(models), one_line(mask_text(version))[:80] if isinstance(version, str) else None)


async def _get(client: HttpClient, request: Request, asked: Address | None = None) -> object:
    """Return the JSON at a path; None where it is none, the error where no attempt brings a reply.

    Raise a UserError where the address that was asked has moved to another host, to which no key is sent unasked.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            reply = await client.request(request, LOOK_UP_TIMEOUT)
            break
        except TimeoutError as error:
            return error
        except (DroppedError, GarbledError) as error:
            if attempt == ATTEMPTS or (isinstance(error, GarbledError) and not error.again):
                return error
            await asyncio.sleep(PAUSE)
    if asked is not None and 300 <= reply.status < 400:
        _refuse_redirect(asked, request.path, reply)
    try:
        return json.loads(reply.body) if reply.status == 200 else None
    except (ValueError, RecursionError):
        return None


def _refuse_redirect(asked: Address, path: str, reply: Reply) -> None:
    target = urlsplit(urljoin(f"{asked}{path}", reply.headers.get("location", "")))
    where = one_line(f"{target.scheme}://{target.netloc.rpartition('@')[2]}{target.path}".removesuffix(path))[:200]
    if not where.startswith(f"{str(asked).removesuffix(asked.path)}/"):
        raise UserError(f"--model {asked} redirects to {where} ({reply.status}): use that address.")


def _names(models: object) -> Sequence[str] | None:
    entries = models.get("data") if isinstance(models, dict) else None
    if not isinstance(entries, list):
        return None
    names = [entry.get("id") for entry in entries if isinstance(entry, dict)]
    return [name for name in names if isinstance(name, str)] or None


def _select(address: Address, names: Sequence[str] | None, requested: str | None) -> str:
    # A proxy may list a pattern such as `openai/*`, against which no name can be checked.
    if requested is not None and (names is None or requested in names or any("*" in name for name in names)):
        return requested
    if requested is not None and names is not None:
        raise UserError(f"{address} serves no model {requested!r}. {_known_names(requested, names)}")
    if names is None:
        raise UserError(f"{address} does not list its models: name one with -M model=NAME.")
    if len(names) > 1:
        raise UserError(
            f"{address} serves {len(names)} models: choose one with -M model=NAME. {_known_names('', names)}"
        )
    return names[0]


def _known_names(requested: str, names: Sequence[str]) -> str:
    hint = one_line(did_you_mean(requested, names))
    if len(names) <= MOST_NAMES:
        return hint
    nearest = hint.partition("Known: ")[0]
    return f"{nearest}Known: {one_line(', '.join(names[:MOST_NAMES]))} and {len(names) - MOST_NAMES} more."
