"""An endpoint held to one letter: what it is asked, what it may refuse, and what is read of its odds."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from asking import PROMPT, answers
from chat_server import Asked, Turn, chatting

from dtbench.harness.core.errors import ModelError
from dtbench.models.endpoint.finder import Exchange, FormFinder, PromptKind
from dtbench.models.endpoint.form import STRUCTURE, RequestForm
from dtbench.models.endpoint.http import Reply

FORCED = dataclasses.replace(PROMPT, letters=("A", "B"))
SURE = {"B": math.log(0.7), "A": math.log(0.3)}
WHOLE = {
    "model": "tiny",
    "messages": [{"role": "user", "content": PROMPT.text}],
    "temperature": 0,
    "max_tokens": 1,
    "logprobs": True,
    "top_logprobs": 20,
    "structured_outputs": {"choice": ["A", "B"]},
}


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DTBENCH_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def refuses(*names: str, turn: Turn) -> Callable[[Asked], Turn]:
    """An endpoint that does not know these fields."""

    def choose(asked: Asked) -> Turn:
        unknown = [name for name in names if name in asked.json()]
        return Turn(status=400, body=b'{"error":{"message":"unknown %b"}}' % unknown[0].encode()) if unknown else turn

    return choose


def test_one_letter_is_asked_for_greedily_whatever_is_set_for_free_answers() -> None:
    with chatting(Turn("B", tokens=[SURE], finish_reason="length")) as chat:
        answers(chat, FORCED, temperature=0.7, top_p=0.9, max_tokens=512, repetition_penalty=1.1)
    assert chat.asked[0].json() == WHOLE


def test_fields_of_the_user_stay_and_an_endpoint_may_know_the_longest_answer_by_its_other_name() -> None:
    template = {"chat_template_kwargs": {"enable_thinking": False}}
    with chatting(Turn("B", tokens=[SURE])) as chat:
        answers(chat, FORCED, max_completion_tokens=64, extra=template)
    asked = {name: value for name, value in WHOLE.items() if name != "max_tokens"}
    assert chat.asked[0].json() == {**asked, **template, "max_completion_tokens": 1}


def test_every_letter_has_its_log_probability() -> None:
    with chatting(Turn("B", tokens=[{**SURE, "<unk>": -9999.0}])) as chat:
        (response,) = answers(chat, FORCED)
    assert response.text == "B"
    assert response.option_logprobs is not None
    assert response.option_logprobs.logprobs == pytest.approx([math.log(0.3), math.log(0.7)])
    assert response.option_logprobs.below is None


def test_forms_of_a_letter_add_up() -> None:
    with chatting(Turn("B", tokens=[{"B": math.log(0.5), " B": math.log(0.2), "(A": math.log(0.1)}])) as chat:
        (response,) = answers(chat, FORCED)
    assert response.option_logprobs is not None
    assert response.option_logprobs.logprobs == pytest.approx([math.log(0.1), math.log(0.7)])


def test_the_odds_are_those_of_the_token_that_is_the_answer() -> None:
    with chatting(Turn("\nB", tokens=[{"\n": -0.1, "A": -2.0}, SURE, {"<end>": 0.0}])) as chat:
        (response,) = answers(chat, FORCED)
    assert response.option_logprobs is not None
    assert response.option_logprobs.logprobs == pytest.approx([math.log(0.3), math.log(0.7)])


def test_the_answer_counts_among_the_tokens_where_the_endpoint_lists_only_others() -> None:
    other = {"token": "A", "logprob": -1.0}
    told = {"content": [{"token": "B", "logprob": -0.6, "top_logprobs": [other]}]}
    with chatting(Turn(body=completion("B", told))) as chat:
        (response,) = answers(chat, FORCED)
    assert response.option_logprobs is not None
    assert response.option_logprobs.logprobs == (-1.0, -0.6)


@pytest.mark.parametrize(
    "told",
    [
        None,
        {},
        {"content": None},
        {"content": [None, 3]},
        {"content": [{"token": "B"}]},
        {"content": [{"token": "B", "logprob": "high"}]},
        {"content": [{"token": "B", "logprob": True}]},
        {"content": [{"token": "Be", "logprob": -0.1, "top_logprobs": [{"token": "B", "logprob": -1}]}]},
    ],
)
def test_an_endpoint_that_tells_nothing_still_answers(told: object) -> None:
    with chatting(Turn(body=completion("B", told))) as chat:
        (response,) = answers(chat, FORCED)
    assert (response.text, response.option_logprobs) == ("B", None)


def test_no_token_is_more_than_certain_and_one_that_is_no_number_is_passed_over() -> None:
    tokens = [{"token": "B", "logprob": 0.25}, {"token": "A", "logprob": math.nan}]
    told = {"content": [{**tokens[0], "top_logprobs": [*tokens, "A"]}]}
    with chatting(Turn(body=completion("B", told))) as chat:
        (response,) = answers(chat, FORCED)
    assert response.option_logprobs is not None
    assert response.option_logprobs.logprobs == (None, 0.0)
    assert response.option_logprobs.below is not None
    assert response.option_logprobs.below < -100


def test_an_answer_that_is_no_letter_has_no_odds() -> None:
    with chatting(Turn("The", tokens=[{"The": -0.5, "A": -1.0, "B": -2.0}])) as chat:
        (response,) = answers(chat, FORCED)
    assert (response.text, response.option_logprobs) == ("The", None)


@pytest.mark.parametrize(
    ("unknown", "left"),
    [
        (("structured_outputs",), ["logprobs", "top_logprobs"]),
        (("logprobs",), ["structured_outputs"]),
        (("structured_outputs", "logprobs"), []),
    ],
)
def test_what_an_endpoint_refuses_is_left_out_from_then_on(unknown: tuple[str, ...], left: list[str]) -> None:
    turn = Turn("B", tokens=[SURE] if "logprobs" in left else ())
    with chatting(choose=refuses(*unknown, turn=turn)) as chat:
        first, second = answers(chat, FORCED, FORCED)
        asked = [set(one.json()) for one in chat.asked]
    assert first.text == second.text == "B"
    assert (first.option_logprobs is not None) == ("logprobs" in left)
    assert asked[-1] == asked[-2] == {"model", "messages", "temperature", "max_tokens", *left}
    assert len(asked) == 2 + (1 if left else 2)  # once for each field that is refused by its name


def test_a_refusal_after_an_answer_is_a_refusal() -> None:
    turns = [Turn("B", tokens=[SURE]), Turn(status=400)]
    with chatting(*turns) as chat, pytest.raises(ModelError, match="the endpoint answered 400"):
        answers(chat, FORCED, FORCED)
    assert len(chat.asked) == 2


def test_what_is_refused_in_every_form_is_told_as_it_was_first_and_changes_nothing() -> None:
    turns = [Turn(status=400, body=b'{"error":{"message":"clip %d is broken"}}' % number) for number in (1, 2, 3, 4)]
    with chatting(*turns, default=Turn("B", tokens=[SURE])) as chat:
        with pytest.raises(ModelError, match="clip 1 is broken"):
            answers(chat, FORCED)
        (response,) = answers(chat, FORCED)
        assert chat.asked[-1].json() == WHOLE
    assert response.option_logprobs is not None


def test_an_answer_that_comes_late_in_a_lesser_form_does_not_take_the_better_one_away() -> None:
    better_is_there = asyncio.Event()
    forms = FormFinder(RequestForm())
    kind = PromptKind(forced=True, has_clip=False)

    async def refused_at_first(form: RequestForm) -> Exchange:
        if STRUCTURE in form.asks:
            return Exchange(Reply(400, {}, b"{}"), 0.0)
        await better_is_there.wait()
        return Exchange(Reply(200, {}, b"{}"), 0.0)

    async def taken(form: RequestForm) -> Exchange:
        assert STRUCTURE in form.asks
        return Exchange(Reply(200, {}, b"{}"), 0.0)

    async def ask(send: Callable[[RequestForm], Awaitable[Exchange]]) -> RequestForm:
        formed = await forms.exchange(kind, lambda form: set(), send)
        forms.settle(kind, formed.form)
        return formed.form

    async def both() -> None:
        late = asyncio.create_task(ask(refused_at_first))
        await asyncio.sleep(0)
        await ask(taken)
        better_is_there.set()
        assert STRUCTURE not in (await late).asks
        await ask(taken)

    asyncio.run(both())


def test_a_busy_endpoint_is_not_taken_for_one_that_refuses() -> None:
    with chatting(Turn(status=503)) as chat, pytest.raises(ModelError, match="answered 503") as raised:
        answers(chat, FORCED)
    assert raised.value.again
    assert len(chat.asked) == 1


def test_free_answers_are_asked_for_as_before() -> None:
    with chatting() as chat:
        answers(chat, PROMPT, temperature=0.5)
        assert chat.asked[0].json() == {"model": "tiny", "temperature": 0.5, "messages": WHOLE["messages"]}


def completion(text: str, logprobs: object) -> bytes:
    message: Mapping[str, Any] = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "length", "logprobs": logprobs}
    return json.dumps({"choices": [choice]}).encode()
