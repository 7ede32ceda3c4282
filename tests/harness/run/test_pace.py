"""When the requests of a run are sent: how many at once, how far apart, and what a refusal changes."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from asking import PROMPT
from simulated_time import simulated, simulated_clock

from dtbench.harness.core.errors import ModelError, WithdrawnError
from dtbench.harness.core.schema import Prompt, Response
from dtbench.harness.run.pace import AdaptiveConcurrency, Pace, PacedModel
from dtbench.harness.run.retry import RetryPolicy, generate_with_retries
from dtbench.harness.run.worker_pool import Stop


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


@dataclass
class Host:
    """An endpoint that takes so many requests in a window, and refuses the others as hosts do."""

    allowed: float = 10
    window: float = 60.0
    hints: bool = True
    """Whether a refusal says how long to wait."""
    sliding: bool = False
    """Whether the window is that before each request, or begins anew at fixed times."""
    latency: float = 0.5
    free_from: float = float("inf")
    """When the limit falls."""
    used_up: bool = False
    fails: int = 0
    """How many requests fail before the others are answered."""
    listens = False
    rate = 16000
    limit_seconds: float | None = None
    taken: list[float] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)
    refused: int = 0

    async def generate(self, prompt: Prompt) -> Response:
        now = asyncio.get_running_loop().time()
        self.sent.append(now)
        begin = now - self.window if self.sliding else now // self.window * self.window
        inside = [time for time in self.taken if time > begin or (time == begin and not self.sliding)]
        if len(inside) >= self.allowed and now < self.free_from:
            self.refused += 1
            await asyncio.sleep(0.02)
            left = (inside[0] if self.sliding and inside else begin) + self.window - now
            hint = left if self.hints else None
            raise ModelError("too many", again=True, too_many=True, retry_after=hint, used_up=self.used_up)
        self.taken.append(now)
        await asyncio.sleep(self.latency)
        if len(self.taken) <= self.fails:
            raise ModelError("broken", again=True)
        return Response("(A)")

    def describe(self) -> Mapping[str, Any]:
        return {"name": "host"}

    async def aclose(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True)
class Course:
    """How so many questions were asked of a host."""

    responses: list[Response]
    seconds: float
    stop: Stop
    host: Host
    lines: list[str]


def course(host: Host, questions: int, rpm: float | None = None, concurrency: int = 16) -> Course:
    async def ask() -> Course:
        stop, responses, lines = Stop(), list[Response](), list[str]()
        pace = Pace(concurrency, rpm, stop=stop, notify=lines.append, clock=simulated_clock())
        model, numbers = PacedModel(host, pace), iter(range(questions))

        async def work() -> None:
            for _ in numbers:
                try:
                    responses.append(await generate_with_retries(model, PROMPT, RetryPolicy()))
                except WithdrawnError:
                    return

        began = asyncio.get_running_loop().time()
        await asyncio.gather(*(work() for _ in range(concurrency)))
        return Course(responses, asyncio.get_running_loop().time() - began, stop, host, lines)

    return simulated(ask())


@pytest.mark.parametrize("sliding", [False, True], ids=["fixed windows", "sliding window"])
@pytest.mark.parametrize("hints", [True, False], ids=["with Retry-After", "without a hint"])
@pytest.mark.parametrize("allowed", [10, 100, 300])
def test_a_limit_of_a_minute_loses_no_question_and_is_used_to_the_full(
    allowed: int, hints: bool, sliding: bool
) -> None:
    host = Host(allowed, hints=hints, sliding=sliding)
    through = course(host, 10 * allowed, concurrency=64)
    assert len(through.responses) == 10 * allowed
    assert {response.attempts for response in through.responses} == {1}, "a refusal is no attempt"
    assert through.seconds < (1.2 if hints else 1.4) * 600
    assert host.refused < 64 + 0.2 * 10 * allowed
    assert not through.stop.requested
    assert len(through.lines) == 1, "the user is told once"


def test_what_an_endpoint_asks_for_is_waited_for_however_long_it_is() -> None:
    through = course(Host(hints=True, window=900.0), 30)
    assert len(through.responses) == 30
    assert "the endpoint's rate limit: waiting 15 min" in through.lines[0], through.lines


@dataclass
class Busy(Host):
    """An endpoint that refuses two of three requests, however far apart they are: others use it, too."""

    async def generate(self, prompt: Prompt) -> Response:
        self.sent.append(asyncio.get_running_loop().time())
        if len(self.sent) % 3:
            raise ModelError("busy", again=True, too_many=True, retry_after=1.0 if self.hints else None)
        return Response("(A)")


@pytest.mark.parametrize("hints", [True, False], ids=["with Retry-After", "without a hint"])
def test_refusals_that_no_pace_avoids_do_not_slow_a_run_down_without_end(hints: bool) -> None:
    through = course(Busy(hints=hints), 100)
    assert len(through.responses) == 100
    assert not through.stop.requested
    assert through.seconds < 100 * 3 * 3, "three requests for each, of which none waits long"


def test_slow_answers_are_not_slowed_further() -> None:
    """100 requests a minute of 30 s each: 16 in flight are fewer than the limit allows."""
    through = course(Host(100, latency=30.0), 320)
    assert through.seconds == pytest.approx(600, rel=0.05)


def test_once_the_limit_falls_the_run_is_as_fast_as_before() -> None:
    host = Host(10, latency=0.1, free_from=3600.0 + 120.0)
    course(host, 2000)
    lately = host.sent[-400:]
    assert (lately[-1] - lately[0]) / 400 == pytest.approx(0.1 / 16, rel=0.3)


def test_requests_of_a_given_rate_are_evenly_spaced_retries_included() -> None:
    host = Host(1000, fails=7)
    through = course(host, 60, rpm=30)
    assert len(through.responses) == 60
    assert len(host.sent) == 67
    assert [round(later - sooner, 6) for sooner, later in itertools.pairwise(host.sent)] == [2.0] * 66


def test_an_endpoint_that_takes_nothing_for_half_an_hour_ends_the_run_which_goes_on_later() -> None:
    host = Host(0, hints=False)
    through = course(host, 50)
    assert through.responses == []
    assert "takes no request for more than 30 min: too many. Nothing is lost: the same command" in through.stop.reason
    assert 1200 < through.seconds <= 1800
    assert host.refused < 16 + 40


def test_a_quota_that_is_used_up_ends_the_run_at_once_with_the_answers_in_flight() -> None:
    host = Host(10, used_up=True, latency=5.0)
    through = course(host, 50)
    assert len(through.responses) == 10
    assert through.stop.reason.startswith("a quota is used up: too many. Nothing is lost")
    assert through.seconds < 10


def test_without_a_run_to_end_a_request_fails_that_would_wait_too_long() -> None:
    async def ask() -> None:
        pace = Pace(1, patience=30.0, clock=simulated_clock())
        await generate_with_retries(PacedModel(Host(0), pace), PROMPT, RetryPolicy())

    with pytest.raises(ModelError, match=r"takes no request for more than 0\.5 min: too many") as raised:
        simulated(ask())
    assert not raised.value.again


def test_a_wish_to_stop_is_not_kept_waiting_by_a_limit() -> None:
    async def ask() -> float:
        stop = Stop()
        pace = Pace(16, stop=stop, clock=simulated_clock())
        model = PacedModel(Host(0, hints=True), pace)
        began = asyncio.get_running_loop().time()
        waiting = [asyncio.ensure_future(model.generate(PROMPT)) for _ in range(40)]
        await asyncio.sleep(3.0)
        assert pace.waiting > 30
        stop.requested = True
        assert {type(one) for one in await asyncio.gather(*waiting, return_exceptions=True)} == {WithdrawnError}
        return asyncio.get_running_loop().time() - began

    assert simulated(ask()) < 4


def test_a_request_that_is_cancelled_while_it_waits_lets_the_next_one_in() -> None:
    async def ask() -> str:
        pace = Pace(1, 6, clock=simulated_clock())
        model = PacedModel(Host(), pace)
        await model.generate(PROMPT)
        first, second = (asyncio.ensure_future(model.generate(PROMPT)) for _ in range(2))
        await asyncio.sleep(1.0)
        first.cancel()
        return (await second).text

    assert simulated(ask()) == "(A)"
