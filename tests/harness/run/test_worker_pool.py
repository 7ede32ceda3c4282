"""How a pool of workers ends, and when its circuit breaker opens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from dtbench.harness.core.errors import MachineryError
from dtbench.harness.run.worker_pool import CircuitBreaker, Progress, WorkerPool


async def _pooled(*tasks: Callable[[], Awaitable[None]]) -> None:
    await WorkerPool(Progress(len(tasks))).run(tasks, _run, len(tasks))


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
        asyncio.run(_pooled(waits, _broken, _down))
    assert given_up == [True]
    assert caught.value.__suppress_context__


def test_errors_of_which_none_is_ours_stay_together() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(_pooled(_broken, _broken))
    assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError] * 2


def test_a_pool_that_is_cancelled_is_cancelled() -> None:
    async def cancelled() -> None:
        outer = asyncio.create_task(_pooled(lambda: asyncio.sleep(60)))
        await asyncio.sleep(0)
        outer.cancel()
        await outer

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())


def test_jobs_are_handled_by_so_many_at_a_time_until_a_stop_is_requested() -> None:
    pool, running, most = WorkerPool(Progress(100, done=40)), 0, 0

    async def handle(job: int) -> None:
        nonlocal running, most
        running, most = running + 1, max(most, running + 1)
        await asyncio.sleep(0)
        running -= 1
        pool.stop.requested |= job == 20

    asyncio.run(pool.run(range(60), handle, 4))
    assert (most, pool.progress.asked) == (4, 24)
    assert pool.progress.done == 40 + pool.progress.asked


@pytest.mark.parametrize(
    ("allowed", "seen", "over"),
    [
        (0, "........", False),
        (0, "xxxxxxx", False),
        (0, "xxxxxxxx", True),
        (100, "xxxxxxxx", True),
        (0, ".xxxxxxxx", True),
        (8, ".xxxxxxxx", False),
        (8, ".xxxxxxxxx", True),
        (0, "xxxx.xxxx", False),
        (0, "x.x.x.x.x.x.x.x.x.x.", False),
        (0, "aaaaaaaaaaaa", False),
        (0, "xxxxaaaaxxxx", True),
        (0, ".aaaaaaaaxxxx", False),
    ],
)
def test_a_run_ends_where_the_model_is_down_and_its_budget_spent(allowed: float, seen: str, over: bool) -> None:
    breaker = CircuitBreaker(allowed)
    for what in seen:
        if what == ".":
            breaker.add_success()
        else:
            breaker.add_failure("why", of_model=what == "x")
    assert breaker.is_open is over
