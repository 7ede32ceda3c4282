"""Asking again: how often, how long between, and when no more."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from asking import PROMPT
from chat_server import Turn, chatting

from dtbench.harness.core.errors import ModelError
from dtbench.harness.core.model import Model
from dtbench.harness.core.schema import Prompt, Response
from dtbench.harness.run.retry import RetryPolicy, generate_with_retries
from dtbench.models.endpoint.server import Server
from dtbench.models.endpoint.settings import EndpointSettings
from dtbench.models.plain.baselines import First


class Failing(First):
    """Fails as it is told, then answers."""

    def __init__(self, *errors: ModelError) -> None:
        self.left = list(errors)
        self.asked = 0

    async def generate(self, prompt: Prompt) -> Response:
        self.asked += 1
        if self.left:
            raise self.left.pop(0)
        return await super().generate(prompt)


class Waits:
    """A clock that is only told how long it would have been slept on."""

    def __init__(self, chances: Iterable[float] = ()) -> None:
        self.slept: list[float] = []
        self.chances = list(chances)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def policy(self, attempts: int = 5, max_wait: float = 60.0, retry_budget: float = 300.0) -> RetryPolicy:
        return RetryPolicy(
            attempts,
            max_wait=max_wait,
            retry_budget=retry_budget,
            sleep=self.sleep,
            jitter=lambda: self.chances.pop(0) if self.chances else 1.0,
        )


def busy(retry_after: float | None = None) -> ModelError:
    return ModelError("busy", again=True, retry_after=retry_after)


def asked(model: Model, policy: RetryPolicy) -> Response:
    return asyncio.run(generate_with_retries(model, PROMPT, policy))


def test_an_answer_at_once_is_one_attempt_without_a_wait() -> None:
    waits = Waits()
    assert asked(Failing(), waits.policy()).attempts == 1
    assert waits.slept == []


def test_waits_double_and_the_attempts_are_counted() -> None:
    waits = Waits()
    assert asked(Failing(*(busy() for _ in range(4))), waits.policy()).attempts == 5
    assert waits.slept == [1, 2, 4, 8]


def test_waits_are_spread_over_their_whole_length() -> None:
    waits = Waits([0.0, 0.25, 1.0])
    asked(Failing(busy(), busy(), busy()), waits.policy())
    assert waits.slept == [0.0, 0.5, 4.0]


def test_no_wait_is_longer_than_the_longest() -> None:
    waits = Waits()
    asked(Failing(*(busy() for _ in range(9)), busy(3600)), waits.policy(20, 5, 1000))
    assert waits.slept == [1, 2, 4, *[5] * 7]


def test_the_endpoint_is_given_at_least_the_time_it_asks_for() -> None:
    waits = Waits([0.0, 0.5])
    asked(Failing(busy(7), busy(7)), waits.policy())
    assert waits.slept == [7, 8]


def test_the_attempts_are_bounded_and_the_last_error_is_the_one_that_counts() -> None:
    waits = Waits()
    model = Failing(*(ModelError(f"no {number}", again=True) for number in range(1, 10)))
    with pytest.raises(ModelError, match=r"^no 5$") as raised:
        asked(model, waits.policy())
    assert (model.asked, raised.value.attempts, len(waits.slept)) == (5, 5, 4)


def test_the_waits_for_one_prompt_are_bounded_in_all() -> None:
    waits = Waits()
    model = Failing(*(busy(30) for _ in range(100)))
    with pytest.raises(ModelError) as raised:
        asked(model, waits.policy(100, 40, 100))
    assert sum(waits.slept) <= 100
    assert raised.value.attempts == model.asked == 4


def test_what_asking_again_cannot_help_is_asked_once() -> None:
    waits = Waits()
    model = Failing(ModelError("no such model", again=False), busy())
    with pytest.raises(ModelError, match="no such model") as raised:
        asked(model, waits.policy())
    assert (model.asked, raised.value.attempts, waits.slept) == (1, 1, [])


def test_another_error_is_not_swallowed() -> None:
    class Broken(First):
        async def generate(self, prompt: Prompt) -> Response:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asked(Broken(), Waits().policy())


def test_a_model_that_gives_up_late_can_be_cancelled_while_it_waits() -> None:
    async def drive() -> None:
        task = asyncio.create_task(generate_with_retries(Failing(busy(50)), PROMPT, RetryPolicy()))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(drive())


def test_an_endpoint_that_fails_in_five_ways_is_asked_until_it_answers() -> None:
    turns = [
        Turn(status=429, headers={"retry-after": "3"}),
        Turn(status=503),
        Turn(drop="half way"),
        Turn(body=b'{"choices": []}'),
        Turn("", finish_reason=None),
        Turn("(B) Jay"),
    ]
    waits = Waits()
    with chatting(*turns) as chat:

        async def drive() -> Response:
            server = Server.connect(chat.url, EndpointSettings())
            try:
                return await generate_with_retries(server, PROMPT, waits.policy(6))
            finally:
                await server.aclose()

        told = asyncio.run(drive())
        assert len(chat.asked) == 6
    assert (told.text, told.attempts) == ("(B) Jay", 6)
    assert waits.slept == [4, 2, 4, 8, 16]


def test_the_default_is_five_attempts_with_waits_under_five_minutes() -> None:
    policy = RetryPolicy()
    assert policy.attempts == 5
    assert policy.retry_budget <= 300
    assert all(0 <= policy.wait(attempt, None) <= 60 for attempt in range(1, 2000))


class Slow(First):
    """Takes too long so often, then answers; it samples, unless it says otherwise."""

    def __init__(self, times: int, temperature: float | None = None, *, elsewhere: bool = False) -> None:
        self.times = times
        self.temperature = temperature
        self.elsewhere = elsewhere
        self.seeds: list[int | None] = []

    def describe(self) -> Mapping[str, Any]:
        return {"name": "slow", "sampling": {} if self.temperature is None else {"temperature": self.temperature}}

    async def generate(self, prompt: Prompt) -> Response:
        self.seeds.append(prompt.seed)
        if len(self.seeds) <= self.times:
            error = ModelError("no answer within 600 s", again=True, timed_out=True)
            error.usage = {"completion_tokens": 5}
            error.elsewhere = self.elsewhere
            raise error
        return await super().generate(prompt)


def slowly(model: Slow, **fields: Any) -> Response:
    prompt = dataclasses.replace(PROMPT, seed=2**32 - 5, **fields)
    return asyncio.run(generate_with_retries(model, prompt, Waits().policy()))


@pytest.mark.parametrize("temperature", [None, 0.7])
def test_a_request_that_took_too_long_is_sent_once_more_with_another_seed(temperature: float | None) -> None:
    model = Slow(1, temperature)
    response = slowly(model)
    assert (response.attempts, response.seed) == (2, model.seeds[1])
    assert model.seeds[0] == 2**32 - 5
    assert model.seeds[1] not in {None, model.seeds[0]}
    assert response.lost_usage == {"completion_tokens": 5}
    again = Slow(1, temperature)
    slowly(again)
    assert again.seeds == model.seeds, "the same at every start"


def test_a_second_time_it_has_failed_and_says_what_allows_more() -> None:
    model = Slow(5)
    with pytest.raises(ModelError, match=r"^no answer within 600 s: -M timeout=SECONDS .* -M max_tokens=N") as raised:
        slowly(model)
    assert (len(model.seeds), raised.value.attempts, raised.value.usage) == (2, 2, {"completion_tokens": 10})


@pytest.mark.parametrize(("temperature", "fields"), [(0.0, {}), (0.7, {"letters": ("A", "B")})])
def test_a_model_that_would_write_the_same_again_is_not_asked_again(
    temperature: float, fields: Mapping[str, Any]
) -> None:
    model = Slow(5, temperature)
    with pytest.raises(ModelError, match="-M timeout=SECONDS"):
        slowly(model, **fields)
    assert len(model.seeds) == 1


def test_where_a_retry_goes_to_another_endpoint_the_same_request_is_sent_there_once() -> None:
    model = Slow(1, 0.0, elsewhere=True)
    response = slowly(model)
    assert model.seeds == [2**32 - 5, 2**32 - 5]
    assert (response.attempts, response.seed) == (2, None)
    model = Slow(5, 0.0, elsewhere=True)
    with pytest.raises(ModelError, match="-M timeout=SECONDS"):
        slowly(model)
    assert len(model.seeds) == 2
