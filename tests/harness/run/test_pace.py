"""How many calls a judge gets at once."""

from __future__ import annotations

import asyncio

from dtbench.harness.run.pace import AdaptiveConcurrency


def test_a_refusal_halves_it_and_replies_bring_it_back() -> None:
    pace = AdaptiveConcurrency(16)
    pace.add_refusal()
    assert pace.allowed == 8
    for _ in range(200):
        pace.add_success()
    assert pace.allowed == 16
    assert pace.refusals == 1


def test_it_never_stops_altogether() -> None:
    pace = AdaptiveConcurrency(4)
    for _ in range(20):
        pace.add_refusal()
    assert pace.allowed >= 1


def test_requests_refused_together_slow_it_down_once() -> None:
    async def together() -> None:
        for _ in range(8):
            await pace.__aenter__()
        for _ in range(8):
            pace.add_refusal()

    pace = AdaptiveConcurrency(8)
    asyncio.run(together())
    assert pace.allowed == 4


def test_no_more_than_allowed_are_in_flight() -> None:
    seen = [0]
    now = [0]

    async def one() -> None:
        async with pace:
            now[0] += 1
            seen.append(now[0])
            await asyncio.sleep(0)
            now[0] -= 1

    async def many() -> None:
        await asyncio.gather(*(one() for _ in range(40)))

    pace = AdaptiveConcurrency(6)
    pace.add_refusal()
    asyncio.run(many())
    assert max(seen) == 3
