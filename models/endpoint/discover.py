"""Ask endpoints which model they serve, and which version of which server they run."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from dtbench.harness.core.errors import MachineryError, UserError, did_you_mean, one_line
from dtbench.harness.store.redact import mask_text
from dtbench.models.endpoint.access import Access
from dtbench.models.endpoint.address import Address
from dtbench.models.endpoint.http import AwayError, DroppedError, GarbledError, HttpClient, Reply, Request

LOOK_UP_TIMEOUT = 15.0
"""Seconds for one look-up; an endpoint that is slower is asked for answers all the same."""
ATTEMPTS = 3
"""Of a look-up whose connection breaks; a server that does not speak HTTP is reported after these."""
PAUSE = 0.3
"""Seconds between two attempts."""
MOST_NAMES = 20
"""Names of models that a message lists."""
_DEPLOYMENT = re.compile(r"/deployments/([^/]+)")
"""The name of Azure's model, which stands in its URL."""


class EndpointModel(NamedTuple):
    """The model that an endpoint serves."""

    model: str
    version: str | None
    """Of the server, where it says one."""
    owner: str | None = None
    """Of the model, as the list says it: a server may write its own name there."""


async def discover_model(
    where: Sequence[Address], requested: str | None, access: Access | None = None
) -> EndpointModel:
    """Return the one model that all endpoints within reach serve.

    Raise where none can be reached, where they serve different models, or where one lacks the requested model.
    """
    access = access or Access()
    results = await asyncio.gather(*(_look_up(address, access) for address in where))
    pairs = list(zip(where, results, strict=True))
    reachable = [(address, served) for address, served in pairs if not isinstance(served, AwayError)]
    if not reachable:
        reasons = "; ".join(f"{address} ({error})" for address, error in pairs)
        raise MachineryError(f"no endpoint can be reached: {reasons}. Is the server running, and is the port right?")
    names = {_select(address, served, requested, access) for address, served in reachable}
    if len(names) > 1:
        listing = " and ".join(sorted(names))
        raise UserError(
            f"the endpoints serve different models ({listing}): choose one that all of them serve with -M model=NAME."
        )
    version = next((served.version for _, served in reachable if served.version), None)
    owners = {served.owner for _, served in reachable}
    return EndpointModel(names.pop(), version, owners.pop() if len(owners) == 1 else None)


class _Served(NamedTuple):
    models: Sequence[str] | None
    version: str | None
    owner: str | None
    status: int
    """Of the list of models."""


async def _look_up(address: Address, access: Access) -> _Served | AwayError:
    client, headers = HttpClient(address), access.headers_for(address)
    try:
        models = await _get(client, Request("GET", access.path(address, "/models"), headers), address)
        version = await _get(client, Request("GET", "/version", headers, of_root=True))
    except AwayError as error:
        return error
    finally:
        await client.aclose()
    if isinstance(models, Exception) and isinstance(version, Exception):
        return AwayError(f"{models or 'no answer'}; does it speak http{'' if address.secure else 's'}?")
    found = version.body.get("version") if isinstance(version, _LookUp) and isinstance(version.body, dict) else None
    listing = models if isinstance(models, _LookUp) else _LookUp(None, 0)
    told = one_line(mask_text(found))[:80] if isinstance(found, str) else None
    return _Served(_names(listing.body), told, _owner(listing.body), listing.status)


class _LookUp(NamedTuple):
    body: object
    """The JSON at a path; None where it is none."""
    status: int


async def _get(client: HttpClient, request: Request, asked: Address | None = None) -> _LookUp | Exception:
    """Return what is at a path; the error where no attempt brings a reply.

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
        return _LookUp(json.loads(reply.body) if reply.status == 200 else None, reply.status)
    except (ValueError, RecursionError):
        return _LookUp(None, reply.status)


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


def _owner(models: object) -> str | None:
    """Return the one owner that a list names for all its models."""
    entries = models.get("data") if isinstance(models, dict) else None
    owners = [entry.get("owned_by") for entry in entries or () if isinstance(entry, dict)]
    return owners[0] if owners and isinstance(owners[0], str) and set(owners) == {owners[0]} else None


def _select(address: Address, served: _Served, requested: str | None, access: Access) -> str:
    names = served.models
    if names is None and requested is None and (deployment := _DEPLOYMENT.search(address.path)):
        return deployment[1]
    # A proxy may list a pattern such as `openai/*`, against which no name can be checked.
    if requested is not None and (names is None or _is_listed(requested, names) or any("*" in name for name in names)):
        return requested
    if requested is not None and names is not None:
        raise UserError(f"{address} serves no model {requested!r}. {_known_names(requested, names)}")
    if names is None:
        refused = served.status in {401, 403} and access.hint
        why = f" answered {served.status} ({access.hint}), and" if refused else ""
        raise UserError(f"{address}{why} does not list its models: name one with -M model=NAME.")
    if len(names) > 1:
        raise UserError(
            f"{address} serves {len(names)} models: choose one with -M model=NAME. {_known_names('', names)}"
        )
    return names[0]


def _is_listed(requested: str, names: Sequence[str]) -> bool:
    """Whether a list has this name, be it as Gemini's `models/NAME`."""
    return requested in names or f"models/{requested}" in names


def _known_names(requested: str, names: Sequence[str]) -> str:
    hint = one_line(did_you_mean(requested, names))
    if len(names) <= MOST_NAMES:
        return hint
    nearest = hint.partition("Known: ")[0]
    return f"{nearest}Known: {one_line(', '.join(names[:MOST_NAMES]))} and {len(names) - MOST_NAMES} more."
