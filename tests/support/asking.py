"""One prompt, and what becomes of it at an endpoint."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from chat_server import Chat, Turn, chatting

from dtbench.harness.core.errors import ModelError
from dtbench.harness.core.schema import Prompt, Response
from dtbench.models.endpoint.server import Server
from dtbench.models.endpoint.settings import EndpointSettings

PROMPT = Prompt("Which bird?\n(A) Crow\n(B) Jay", Path("clip"), choices=("Crow", "Jay"), id="secret-id", repeat=3)


def answers(chat: Chat, *prompts: Prompt, **settings: object) -> list[Response]:
    """The answers to prompts that are asked one after the other."""

    async def ask() -> list[Response]:
        server = Server.connect(chat.url, EndpointSettings(**settings))  # type: ignore[arg-type]
        try:
            return [await server.generate(prompt) for prompt in prompts]
        finally:
            await server.aclose()

    return asyncio.run(ask())


def failure(turn: Turn, **settings: object) -> ModelError:
    """The error of the first request that is answered so."""
    with chatting(turn) as chat, pytest.raises(ModelError) as raised:
        answers(chat, PROMPT, **settings)
    assert "\n" not in str(raised.value)
    return raised.value
