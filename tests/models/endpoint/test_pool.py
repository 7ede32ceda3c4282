"""Several endpoints share the load, and one that goes away takes nothing with it."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

import pytest
from asking import PROMPT
from chat_server import Chat, Turn, chatting, nobody

from dtbench.harness.run.retry import RetryPolicy, generate_with_retries
from dtbench.models.endpoint.address import Address, parse_address
from dtbench.models.endpoint.health import COOL_DOWN
from dtbench.models.endpoint.http import AwayError, Request
from dtbench.models.endpoint.pool import EndpointPool
from dtbench.models.endpoint.server import Server
from dtbench.models.endpoint.settings import EndpointSettings


def request(to: Address) -> Request:
    return Request("POST", "/chat/completions", {}, lambda: [b"{}"])


async def asked(endpoints: EndpointPool, times: int) -> None:
    await asyncio.gather(*(endpoints.request(request, 10) for _ in range(times)))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def endpoints_of(*chats: Chat | str, clock: Clock | None = None) -> EndpointPool:
    where = [parse_address(chat if isinstance(chat, str) else chat.url) for chat in chats]
    return EndpointPool(where, clock or Clock())


def test_requests_in_flight_are_shared_evenly() -> None:
    with chatting(default=Turn(delay=0.1), together=20) as one, chatting(default=Turn(delay=0.1), together=20) as two:

        async def drive() -> None:
            endpoints = endpoints_of(one, two)
            await asked(endpoints, 40)
            await endpoints.aclose()

        asyncio.run(drive())
        assert (one.most_in_flight, two.most_in_flight) == (20, 20)


def test_the_faster_one_gets_more() -> None:
    with chatting(default=Turn(delay=0.002)) as fast, chatting(default=Turn(delay=0.5)) as slow:

        async def drive() -> None:
            endpoints = endpoints_of(fast, slow)
            await asyncio.gather(*(one_after_another(endpoints, 20) for _ in range(4)))
            await endpoints.aclose()

        async def one_after_another(endpoints: EndpointPool, times: int) -> None:
            for _ in range(times):
                await endpoints.request(request, 10)

        asyncio.run(drive())
        assert len(fast.asked) > 2 * len(slow.asked) > 0
        assert len(fast.asked) + len(slow.asked) == 80


def test_one_that_cannot_be_reached_is_left_out_and_its_requests_go_elsewhere() -> None:
    with chatting() as chat:

        async def drive() -> None:
            endpoints = endpoints_of(nobody(), chat)
            for _ in range(20):
                await endpoints.request(request, 10)
            assert endpoints.all[0].served == 1
            await endpoints.aclose()

        asyncio.run(drive())
        assert len(chat.asked) == 20


def test_one_that_was_away_is_tried_again_after_a_while() -> None:
    with chatting() as chat:

        async def drive() -> None:
            clock = Clock()
            endpoints = endpoints_of(nobody(), chat, clock=clock)
            for passes, served in ((0, 1), (COOL_DOWN - 1, 1), (2, 2), (1, 2)):
                clock.now += passes
                await asked(endpoints, 1)
                assert endpoints.all[0].served == served
            await endpoints.aclose()

        asyncio.run(drive())


def test_where_all_are_away_each_is_tried_and_named() -> None:
    first, second = nobody(), nobody()

    async def drive() -> None:
        endpoints = endpoints_of(first, second)
        for _ in range(2):
            with pytest.raises(AwayError) as raised:
                await endpoints.request(request, 10)
            assert str(raised.value).count("connection refused") == 2
            assert first in str(raised.value)
            assert second in str(raised.value)
        assert [endpoint.in_flight for endpoint in endpoints.all] == [0, 0]
        await endpoints.aclose()

    asyncio.run(drive())


def test_a_server_that_dies_in_the_middle_costs_no_answer() -> None:
    with chatting(default=Turn("stays", delay=0.01)) as stays, contextlib.ExitStack() as life:
        dies = life.enter_context(chatting(default=Turn("dies", delay=0.01)))

        async def drive() -> list[str]:
            server = Server.connect(f"{dies.url},{stays.url}", EndpointSettings())
            policy = RetryPolicy(attempts=2, first_wait=0.01)
            limit = asyncio.Semaphore(8)

            async def one() -> str:
                async with limit:
                    return (await generate_with_retries(server, PROMPT, policy)).text

            asked = [asyncio.create_task(one()) for _ in range(200)]
            while len(dies.asked) < 20:
                await asyncio.sleep(0.001)
            await asyncio.to_thread(life.close)
            told = await asyncio.gather(*asked)
            await server.aclose()
            return told

        told = asyncio.run(drive())
    assert len(told) == 200
    assert told.count("dies") >= 12
    assert told.count("stays") >= 100


def test_a_question_that_is_asked_once_more_goes_to_another() -> None:
    with chatting(default=Turn(status=503)) as one, chatting(default=Turn(status=503)) as two:

        async def drive() -> None:
            endpoints = endpoints_of(one, two)
            for number in range(20):
                before = (len(one.asked), len(two.asked))
                await endpoints.request(request, 10, number)
                await endpoints.request(request, 10, number)
                assert (len(one.asked), len(two.asked)) == (before[0] + 1, before[1] + 1)
            await endpoints.aclose()

        asyncio.run(drive())


def test_where_all_are_set_aside_they_are_asked_as_if_none_were() -> None:
    with chatting(default=Turn(status=500)) as one, chatting(default=Turn(status=500)) as two:

        async def drive() -> None:
            endpoints = endpoints_of(one, two)
            await asked(endpoints, 40)
            await endpoints.aclose()

        asyncio.run(drive())
        assert (len(one.asked), len(two.asked)) == (20, 20)


@pytest.mark.parametrize(
    "turn",
    [Turn("Perhaps (A)", finish_reason="abort"), Turn(body=b"OK"), Turn(message={"content": False})],
    ids=["given up", "no completion", "no text"],
)
def test_endpoints_whose_replies_have_no_answer_are_set_aside_as_those_that_fail(turn: Turn) -> None:
    with chatting(default=turn) as one, chatting(default=turn) as two, chatting(default=Turn(delay=0.05)) as good:

        async def drive() -> None:
            server = Server.connect(f"{one.url},{two.url},{good.url}", EndpointSettings())
            policy = RetryPolicy(attempts=5, first_wait=0.001)
            limit = asyncio.Semaphore(8)

            async def answer(number: int) -> None:
                async with limit:
                    await generate_with_retries(server, replace(PROMPT, id=str(number)), policy)

            await asyncio.gather(*(answer(number) for number in range(60)))
            await server.aclose()

        asyncio.run(drive())
    assert len(good.asked) == 60
    assert len(one.asked) + len(two.asked) <= 16  # three in a row each, and what was in flight by then
