"""An endpoint that fails again and again is set aside, told once, and tried again by and by."""

from __future__ import annotations

import pytest

from dtbench.models.endpoint.health import COOL_DOWN, FAILURES, MOST_COOL_DOWN, EndpointHealth


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def health(clock: Clock, said: list[str]) -> EndpointHealth:
    made = EndpointHealth("http://host/v1", clock)
    made.notify = said.append
    return made


def tried(health: EndpointHealth, *, works: bool) -> bool:
    """Whether a request of these was the one that tries the endpoint again."""
    on_trial = health.begin()
    if works:
        health.succeed(on_trial=on_trial)
    else:
        health.fail("it answered 500")
    health.end(on_trial=on_trial)
    return on_trial


def set_aside(health: EndpointHealth) -> None:
    for _ in range(FAILURES):
        tried(health, works=False)


def test_only_failures_in_a_row_set_an_endpoint_aside(health: EndpointHealth, said: list[str]) -> None:
    for _ in range(10):
        for works in [False] * (FAILURES - 1) + [True]:
            tried(health, works=works)
            assert health.is_fit
    set_aside(health)
    assert not health.is_fit
    assert said == [
        "http://host/v1 is set aside (it answered 500): its questions go elsewhere, and it is tried again later"
    ]


def test_one_that_cannot_be_reached_is_set_aside_at_once(health: EndpointHealth) -> None:
    health.fail("connection refused", at_once=True)
    assert not health.is_fit


def test_one_request_tries_it_again_and_no_other_meanwhile(
    health: EndpointHealth, clock: Clock, said: list[str]
) -> None:
    set_aside(health)
    clock.now += COOL_DOWN - 0.1
    assert not health.is_fit
    clock.now += 0.2
    assert health.is_fit
    assert health.begin()
    assert not health.is_fit
    assert not health.begin()
    health.succeed(on_trial=True)
    health.end(on_trial=True)
    assert health.is_fit
    assert said[1:] == ["http://host/v1 answers again"]


def test_a_try_that_says_nothing_leaves_the_next_request_to_try(health: EndpointHealth, clock: Clock) -> None:
    set_aside(health)
    clock.now += COOL_DOWN
    health.end(on_trial=health.begin())
    assert health.is_fit
    assert health.begin()


def test_the_pause_grows_with_each_failure_and_is_told_once(
    health: EndpointHealth, clock: Clock, said: list[str]
) -> None:
    set_aside(health)
    pauses = []
    for _ in range(8):
        paused = clock.now
        while not health.is_fit:
            clock.now += 0.5
        pauses.append(clock.now - paused)
        assert tried(health, works=False)
    assert pauses == [min(COOL_DOWN * 2**times, MOST_COOL_DOWN) for times in range(8)]
    assert len(said) == 1


def test_the_pause_is_short_again_only_after_it_has_worked_for_a_while(health: EndpointHealth, clock: Clock) -> None:
    for answered, pause in ((1, COOL_DOWN), (1, 2 * COOL_DOWN), (FAILURES, 4 * COOL_DOWN), (1, COOL_DOWN)):
        set_aside(health)
        clock.now += pause - 0.1
        assert not health.is_fit
        clock.now += 0.2
        for _ in range(answered + 1):
            tried(health, works=True)


def test_a_late_answer_to_an_earlier_request_brings_nothing_back(health: EndpointHealth, clock: Clock) -> None:
    early = health.begin()
    set_aside(health)
    health.succeed(on_trial=early)
    assert not health.is_fit
    health.fail("it answered 500")
    clock.now += COOL_DOWN
    assert health.is_fit
