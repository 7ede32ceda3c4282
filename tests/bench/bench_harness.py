"""What the harness adds to a real vLLM server: `dtbench run` beside a client that only sends prepared bodies.

Both ask the same kind of 512 questions with as many in flight, in turn and each time with clips that the server has
not heard, so that neither finds what the other has left in its caches. The bar is a ratio of 1.05.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from bench_page import note
from called_birds import TASK, calls, write_birds
from command import COMMAND
from measured import Cost, measured
from runs import lines_of, status
from vllm_process import serving

from dtbench.harness.audio.prepare import prepare_audio
from dtbench.harness.run.plan import PromptForm, TaskPlan
from dtbench.models.endpoint.address import CHAT, parse_address
from dtbench.models.endpoint.settings import EndpointSettings
from dtbench.models.endpoint.wire import chat_body, fixed_fields
from dtbench.tasks import registry as task_registry

REQUESTS = int(os.environ.get("DTBENCH_BENCH_REQUESTS", "512"))
IN_FLIGHT = 16
ROUNDS = 3
TOKENS = 16
SETTINGS = EndpointSettings(temperature=0.0, max_tokens=TOKENS, extra={"ignore_eos": True})
OPTIONS = ("temperature=0", f"max_tokens={TOKENS}", 'extra={"ignore_eos":true}')
SUPPORT = Path(__file__).parents[1] / "support"
RUNNING = "DTBENCH_BENCH_VLLM"
"""The variable that names the URL of a server of the tiny checkpoint that runs already, such as http://127.0.0.1:8000."""


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    if running := os.environ.get(RUNNING):
        yield running
        return
    if importlib.util.find_spec("vllm") is None:
        pytest.skip("vLLM is not installed (`make vllm`): what the harness adds to it is not measured")
    write = [sys.executable, "-m", "tiny_checkpoints", "qwen2-audio", str(tmp_path / "tiny")]
    subprocess.run(write, check=True, cwd=SUPPORT)
    with serving(tmp_path / "tiny", tmp_path / "server.log") as server:
        yield server.url


def test_dtbench_run_beside_a_bare_client(url: str, tmp_path: Path) -> None:
    unheard = iter(range(int(time.time()) % 100_000 * 10_000, 10**10, REQUESTS))
    _bare(url, _data(tmp_path, next(unheard), IN_FLIGHT * 2))  # the first requests of a server are slow
    start = min((_dtbench(url, _data(tmp_path, next(unheard), 1), 1) for _ in range(2)), key=lambda cost: cost.wall)
    bare: list[Cost] = []
    ours: list[Cost] = []
    for number in range(ROUNDS):
        for side in ("bare", "ours") if number % 2 else ("ours", "bare"):
            data = _data(tmp_path, next(unheard), REQUESTS)
            if side == "bare":
                bare.append(_bare(url, data))
            else:
                ours.append(_dtbench(url, data, REQUESTS))
    print(f"\n{REQUESTS} questions to a vLLM server, {IN_FLIGHT} in flight, {os.cpu_count()} cores, seconds")
    print(f"bare client, prepared bodies   {_told(bare)}")
    print(f"dtbench run, whole process     {_told(ours)}")
    print(f"dtbench run of one question    {_told([start])}")
    rounds = ", ".join(f"{one.wall / other.wall:.3f}" for one, other in zip(ours, bare, strict=True))
    print(f"ratio of each round            {rounds}")
    ours_least, bare_least = min(cost.wall for cost in ours), min(cost.wall for cost in bare)
    without = (ours_least - start.wall) / bare_least
    whole = ours_least / bare_least
    part = f"{REQUESTS} questions to a vLLM server, {IN_FLIGHT} in flight: seconds"
    note(part, "dtbench run, whole process", ours_least)
    note(part, "a bare client with bodies that were prepared", bare_least)
    print(f"ratio of the least: {whole:.3f} whole, {without:.3f} less the run of one question (the bar is 1.05)")


def _told(costs: Sequence[Cost]) -> str:
    walls = ", ".join(f"{cost.wall:.2f}" for cost in costs)
    return f"wall {walls}; least CPU {min(cost.cpu for cost in costs):.2f}"


def _data(folder: Path, first: int, count: int) -> Path:
    """A new folder of questions, with clips of its own from this number on."""
    data = folder / f"data{first}"
    write_birds(data, calls(count, first))
    return data


def _dtbench(url: str, data: Path, count: int) -> Cost:
    out = data / "out"
    options = [word for option in OPTIONS for word in ("-M", option)]
    where = ["--model", url, "--task-file", str(TASK), "--data-dir", str(data), "--out", str(out)]
    command = [*COMMAND, "run", *where, *options, "--concurrency", str(IN_FLIGHT)]
    cost = measured(command, data, dict(os.environ), data / "said.txt")
    assert (status(out), lines_of(out, "birds")) == ("done", count)
    return cost


def _bare(url: str, data: Path) -> Cost:
    """From the first byte sent to the last answer; the bodies are those that dtbench sends."""
    requests = list(_requests(url, data))
    cpu = time.process_time()
    wall = asyncio.run(_send(url, requests))
    return Cost(wall, time.process_time() - cpu, 0.0)


def _requests(url: str, data: Path) -> Iterator[bytes]:
    where = parse_address(url)
    head = f"POST {where.path}{CHAT} HTTP/1.1\r\nhost: {where.authority}\r\ncontent-type: application/json\r\n".encode()
    fixed = fixed_fields("tiny", SETTINGS.sampling())
    task = task_registry.task_from_file(TASK)
    loaded = task.load(data)
    plan = TaskPlan(task, loaded, 1, PromptForm(None, "clip", 0, 0))
    for place in range(len(plan.data.samples)):
        prompt = plan.prompt(place, 0)
        wav = prepare_audio(prompt.audio, SETTINGS.rate, None).wav
        body = b"".join(chat_body(fixed, type(prompt)(prompt.text, prompt.audio, prompt.system, wav=wav), prompt.seed))
        yield b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body)


async def _send(url: str, requests: Sequence[bytes]) -> float:
    left = iter(requests)
    parts = urlsplit(url)

    async def work() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for request in left:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
    return time.perf_counter() - started
