"""An endpoint that has answered is waited for; one that never did is not."""

from __future__ import annotations

import asyncio

from dtbench.models.endpoint.pool import RETRY_EVERY, ReconnectWait


class Clock:
    """A clock that stands still but for sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def reconnect_wait(seconds: float, clock: Clock, said: list[str] | None = None) -> ReconnectWait:
    made = ReconnectWait(seconds, clock=clock, sleep=clock.sleep)
    if said is not None:
        made.notify = said.append
    return made


def test_one_that_never_answered_is_not_waited_for() -> None:
    clock = Clock()
    assert not asyncio.run(reconnect_wait(60, clock).wait())
    assert clock.now == 0


def test_one_that_has_answered_is_waited_for_that_long_and_no_longer() -> None:
    async def away() -> int:
        gone.reset()
        looks = 0
        while await gone.wait():
            looks += 1
        return looks

    clock, said = Clock(), list[str]()
    gone = reconnect_wait(60, clock, said)
    assert 60 / (1.5 * RETRY_EVERY) <= asyncio.run(away()) <= 60 / (0.5 * RETRY_EVERY) + 1
    assert 60 <= clock.now < 60 + 1.5 * RETRY_EVERY
    assert len(said) == 1
    assert "waiting up to 60 s" in said[0]


def test_each_absence_begins_anew() -> None:
    async def twice() -> list[bool]:
        gone.reset()
        first = await gone.wait()
        gone.reset()
        clock.now += 100
        return [first, await gone.wait()]

    clock, said = Clock(), list[str]()
    gone = reconnect_wait(60, clock, said)
    assert asyncio.run(twice()) == [True, True]
    assert ["is reachable again" in line for line in said] == [False, True, False]
