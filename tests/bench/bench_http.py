"""What a request costs this process, against an endpoint in another one that answers at once; printed.

The bars are 0.5 ms of CPU without a clip and 1.0 ms with one of 10 s. openai's client and httpx send the same bodies in
the same run, in turn; what is not installed is left out.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import importlib
import importlib.util
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from bench_page import note
from chat_server import chatting_elsewhere

from dtbench.harness.core.schema import Prompt
from dtbench.harness.run.retry import RetryPolicy, generate_with_retries
from dtbench.models.endpoint.server import Server
from dtbench.models.endpoint.settings import EndpointSettings

REQUESTS = {"dtbench": 5000, "httpx": 500, "openai": 500}
IN_FLIGHT = 64
CLIP = bytes(44) + bytes(range(250)) * 1280  # 10 s at 16 kHz, 16 bit


class Sender(NamedTuple):
    """Sends the request of a number, and closes what it has open."""

    send: Callable[[int], Awaitable[object]]
    aclose: Callable[[], Awaitable[object]]


Make = Callable[[str, bytes | None], Sender]


@pytest.mark.parametrize("wav", [None, CLIP], ids=["no clip", "10 s clip"])
def test_what_a_request_costs(wav: bytes | None) -> None:
    with chatting_elsewhere() as url:
        made: dict[str, Make] = {"dtbench": _dtbench, "httpx": _httpx, "openai": _openai}
        for name, make in made.items():
            if name == "dtbench" or importlib.util.find_spec(name):
                cpu, wall = min(asyncio.run(_driven(make, url, wav, REQUESTS[name])) for _ in range(2))
                clip = "10 s clip" if wav else "no clip"
                note(f"A request of a client alone, {clip}: CPU", f"{name}'s client", cpu)
                print(f"HTTP, {clip}, {name}: {cpu:.3f} ms of CPU, {wall:.3f} ms of wall a request")


async def _driven(make: Make, url: str, wav: bytes | None, count: int) -> list[float]:
    numbers = iter(range(count))
    sender = make(url, wav)

    async def work() -> None:
        for number in numbers:
            await sender.send(number)

    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    await sender.aclose()
    return [1000 * cpu / count, 1000 * wall / count]


def _words(number: int) -> str:
    return f"Which bird calls in {number}?\n(A) Crow\n(B) Jay"


def _dtbench(url: str, wav: bytes | None) -> Sender:
    server = Server.connect(url, EndpointSettings(temperature=0.0, max_tokens=512))

    async def send(number: int) -> object:
        prompt = Prompt(_words(number), Path("clip"), id=str(number), wav=wav)
        return await generate_with_retries(server, prompt, RetryPolicy())

    return Sender(send, server.aclose)


def _messages(number: int, wav: bytes | None) -> list[dict[str, object]]:
    words = {"type": "text", "text": _words(number)}
    if wav is None:
        return [{"role": "user", "content": _words(number)}]
    clip = {"data": base64.b64encode(wav).decode(), "format": "wav"}
    return [{"role": "user", "content": [{"type": "input_audio", "input_audio": clip}, words]}]


def _httpx(url: str, wav: bytes | None) -> Sender:
    httpx: Any = importlib.import_module("httpx")
    client = httpx.AsyncClient(limits=httpx.Limits(max_connections=None), timeout=600)

    async def send(number: int) -> object:
        body = {"model": "tiny", "messages": _messages(number, wav), "temperature": 0.0, "max_tokens": 512}
        return (await client.post(f"{url}/chat/completions", json=body)).json()["choices"]

    return Sender(send, client.aclose)


def _openai(url: str, wav: bytes | None) -> Sender:
    openai: Any = importlib.import_module("openai")
    client = openai.AsyncOpenAI(base_url=url, api_key="none", timeout=600)

    async def send(number: int) -> object:
        sampling = {"temperature": 0.0, "max_tokens": 512}
        answer = await client.chat.completions.create(model="tiny", messages=_messages(number, wav), **sampling)
        return answer.choices

    return Sender(send, client.close)
