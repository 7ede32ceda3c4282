"""What a request costs this process, against an endpoint in another one that answers at once; printed.

The bars are 0.5 ms of CPU without a clip and 1.0 ms with one of 10 s.
"""

from __future__ import annotations

import asyncio
import gc
import time
from pathlib import Path

import pytest
from chat_server import chatting_elsewhere

from dtbench.harness.core.schema import Prompt
from dtbench.harness.run.retry import RetryPolicy, generate_with_retries
from dtbench.models.endpoint.server import Server
from dtbench.models.endpoint.settings import EndpointSettings

REQUESTS = 5000
IN_FLIGHT = 64
CLIP = bytes(44) + bytes(range(250)) * 1280  # 10 s at 16 kHz, 16 bit


@pytest.mark.parametrize("wav", [None, CLIP], ids=["no clip", "10 s clip"])
def test_what_a_request_costs(wav: bytes | None) -> None:
    with chatting_elsewhere() as url:
        server = Server.connect(url, EndpointSettings(temperature=0.0, max_tokens=512))
        cpu, wall = min(asyncio.run(_driven(server, wav)) for _ in range(2))
    print(f"HTTP, {'10 s clip' if wav else 'no clip'}: {cpu:.3f} ms of CPU, {wall:.3f} ms of wall a request")


async def _driven(server: Server, wav: bytes | None) -> tuple[float, float]:
    numbers = iter(range(REQUESTS))

    async def work() -> None:
        for number in numbers:
            prompt = Prompt(f"Which bird calls in {number}?\n(A) Crow\n(B) Jay", Path("clip"), id=str(number), wav=wav)
            await generate_with_retries(server, prompt, RetryPolicy())

    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    await server.aclose()
    return 1000 * cpu / REQUESTS, 1000 * wall / REQUESTS
