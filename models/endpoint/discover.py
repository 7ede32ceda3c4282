"""What an endpoint says of itself: which models it serves, and which version of what it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import NamedTuple

from dtbench.harness.core.errors import MachineryError, UserError, did_you_mean, one_line
from dtbench.models.endpoint.address import Address
from dtbench.models.endpoint.connection import AwayError, Connections, DroppedError
from dtbench.models.endpoint.reply import GarbledError
from dtbench.models.endpoint.wire import request_head

PATIENCE = 15.0
"""Seconds for one look-up; an endpoint that is slower is asked for answers all the same."""
ATTEMPTS = 3
"""Of a look-up whose connection breaks; what does not speak HTTP at all is told after these."""
BETWEEN = 0.3
SHOWN = 20


class EndpointModel(NamedTuple):
    """What a run is told of the endpoint."""

    model: str
    version: str | None
    """The version of the server, where it says one."""


async def discover_model(where: Sequence[Address], wanted: str | None, key: str | None) -> EndpointModel:
    """What all that can be reached serve; an error where none can be, or where one does not serve what is wanted."""
    asked = await asyncio.gather(*(_ask(address, key) for address in where))
    there = [(address, said) for address, said in zip(where, asked, strict=True) if not isinstance(said, AwayError)]
    if not there:
        reasons = "; ".join(f"{address} ({said})" for address, said in zip(where, asked, strict=True))
        raise MachineryError(f"no endpoint can be reached: {reasons}. Is the server running, and is the port right?")
    names = {_chosen(address, said.models, wanted) for address, said in there}
    if len(names) > 1:
        served = " and ".join(sorted(names))
        raise UserError(f"the endpoints serve different models ({served}): name one that all serve with -M model=NAME.")
    return EndpointModel(names.pop(), next((said.version for _, said in there if said.version), None))


class _ModelList(NamedTuple):
    models: Sequence[str] | None
    version: str | None


async def _ask(address: Address, key: str | None) -> _ModelList | AwayError:
    connections = Connections(address)
    try:
        models = await _get(connections, address, f"{address.path}/models", key)
        version = await _get(connections, address, f"{address.root}/version", key)
    except AwayError as error:
        return error
    finally:
        await connections.aclose()
    if isinstance(models, Exception) and isinstance(version, Exception):
        return AwayError(f"{models or 'no answer'}; does it speak http{'' if address.secure else 's'}?")
    version = version.get("version") if isinstance(version, dict) else None
    return _ModelList(_names(models), one_line(version)[:80] if isinstance(version, str) else None)


async def _get(connections: Connections, address: Address, path: str, key: str | None) -> object:
    """What is there, as JSON; None where that cannot be read, an error where no reply came at any of the attempts."""
    head = request_head("GET", address, path, key)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            reply = await connections.request(lambda: [head + b"\r\n"], PATIENCE)
            break
        except TimeoutError as error:
            return error
        except (DroppedError, GarbledError) as error:
            if attempt == ATTEMPTS:
                return error
            await asyncio.sleep(BETWEEN)
    try:
        return json.loads(reply.body) if reply.status == 200 else None
    except (ValueError, RecursionError):
        return None


def _names(models: object) -> Sequence[str] | None:
    listed = models.get("data") if isinstance(models, dict) else None
    if not isinstance(listed, list):
        return None
    names = [entry.get("id") for entry in listed if isinstance(entry, dict)]
    return [name for name in names if isinstance(name, str)] or None


def _chosen(address: Address, names: Sequence[str] | None, wanted: str | None) -> str:
    # A proxy may list a pattern such as `openai/*`, which no name can be held to.
    if wanted is not None and (names is None or wanted in names or any("*" in name for name in names)):
        return wanted
    if wanted is not None and names is not None:
        raise UserError(f"{address} serves no model {wanted!r}. {_listed(wanted, names)}")
    if names is None:
        raise UserError(f"{address} does not say which models it serves: name one with -M model=NAME.")
    if len(names) > 1:
        raise UserError(f"{address} serves {len(names)} models: name one with -M model=NAME. {_listed('', names)}")
    return names[0]


def _listed(wanted: str, names: Sequence[str]) -> str:
    told = one_line(did_you_mean(wanted, names))
    if len(names) <= SHOWN:
        return told
    close = told.partition("Known: ")[0]
    return f"{close}Known: {one_line(', '.join(names[:SHOWN]))} and {len(names) - SHOWN} more."
