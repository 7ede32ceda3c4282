"""How a group of tasks ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from dtbench.harness.core.errors import MachineryError
from dtbench.harness.run.task_group import task_group


async def _grouped(*tasks: Callable[[], Awaitable[None]]) -> None:
    async with task_group() as group:
        for task in tasks:
            group.create_task(_run(task))


async def _run(task: Callable[[], Awaitable[None]]) -> None:
    await task()


async def _down() -> None:
    raise MachineryError("the endpoint is down")


async def _broken() -> None:
    raise ZeroDivisionError


def test_an_error_of_ours_comes_out_as_itself_and_the_other_tasks_are_given_up() -> None:
    given_up = []

    async def waits() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            given_up.append(True)
            raise

    with pytest.raises(MachineryError, match=r"^the endpoint is down$") as caught:
        asyncio.run(_grouped(waits, _broken, _down))
    assert given_up == [True]
    assert caught.value.__suppress_context__


def test_errors_of_which_none_is_ours_stay_together() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(_grouped(_broken, _broken))
    assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError] * 2


def test_a_group_that_is_cancelled_is_cancelled() -> None:
    async def cancelled() -> None:
        outer = asyncio.create_task(_grouped(lambda: asyncio.sleep(60)))
        await asyncio.sleep(0)
        outer.cancel()
        await outer

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())
