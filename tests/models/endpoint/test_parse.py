"""What an endpoint sends in place of an answer, what stands for one, and which of its counts are believed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asking import PROMPT, answers, failure
from chat_server import Turn, chatting

from dtbench.harness.core.schema import Response

NONE = "the endpoint's reply has no answer: "


def completion(message: Any, *, reason: Any = "stop", usage: Any = None, **beside: Any) -> Turn:
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return Turn(body=json.dumps({"choices": [choice], "usage": usage, **beside}).encode())


def said(turn: Turn) -> Response:
    with chatting(turn) as chat:
        return answers(chat, PROMPT)[0]


@pytest.mark.parametrize(
    "reason",
    [
        *("abort", "aborted", "error", "Error", "cancelled", "canceled", "timeout", "failed"),
        *("insufficient_system_resource", "network_error", "OTHER", "MALFORMED_RESPONSE"),
        *("function_call_filter: MALFORMED_FUNCTION_CALL",),
    ],
)
@pytest.mark.parametrize("text", ["Perhaps (A), but let me", ""])
def test_what_the_engine_gave_up_is_no_answer_and_is_asked_again(reason: str, text: str) -> None:
    error = failure(Turn(text, finish_reason=reason))
    assert error.again
    assert str(error).startswith(f"{NONE}the endpoint gave up")
    assert f"finish_reason: {reason[:40]}" in str(error)
    assert ("after 23 characters" in str(error)) == bool(text)
    assert "Perhaps" not in str(error)


@pytest.mark.parametrize(
    "reason",
    [
        *("content_filter", "content-filter", "refusal", "sensitive", "guardrail_intervened"),
        *("SAFETY", "RECITATION", "PROHIBITED_CONTENT", "content_filter: RECITATION"),
    ],
)
@pytest.mark.parametrize("text", ["The answer is (A) becau", "", None])
def test_what_a_filter_left_is_no_answer_and_is_not_asked_again(reason: str, text: str | None) -> None:
    error = failure(Turn(text, finish_reason=reason))
    assert not error.again
    assert str(error).startswith(f"{NONE}a content filter {'cut off' if text else 'withheld'} what the model said")


@pytest.mark.parametrize(
    ("error", "again", "too_many"),
    [
        ({"message": "the worker died"}, True, False),
        ({"message": "the worker died", "code": 502}, True, False),
        ({"message": "the worker died", "code": "server_error"}, True, False),
        ({"message": "the worker died", "code": 429}, True, True),
        ({"message": "the worker died", "code": "402"}, False, False),
        ("the worker died", True, False),
    ],
    ids=str,
)
@pytest.mark.parametrize("where", ["beside", "inside", "alone"])
def test_an_error_in_a_reply_fails_it_whatever_text_stands_there(
    error: object, again: bool, too_many: bool, where: str
) -> None:
    choice = {"message": {"content": "(A)"}, "finish_reason": "stop"}
    bodies: dict[str, dict[str, Any]] = {
        "beside": {"choices": [choice], "error": error},
        "inside": {"choices": [{**choice, "error": error}]},
        "alone": {"error": error},
    }
    told = failure(Turn(body=json.dumps(bodies[where]).encode()))
    assert (str(told), told.again) == (f"{NONE}the worker died", again)
    assert told.too_many == too_many


@pytest.mark.parametrize("nothing", [None, "", {}])
def test_an_error_that_is_none_fails_nothing(nothing: object) -> None:
    assert said(completion({"content": "(A)"}, error=nothing)).text == "(A)"


@pytest.mark.parametrize(
    "content",
    [False, True, 0, 7, 0.5, {}, {"text": "(A)"}, [1], ["(A)"], [None], [{}], [{"text": "(A)"}], [{"type": "text"}]],
    ids=str,
)
def test_content_that_is_no_text_is_no_answer(content: object) -> None:
    error = failure(completion({"role": "assistant", "content": content}))
    assert error.again
    assert str(error).startswith(NONE)


@pytest.mark.parametrize("message", [{"role": "assistant"}, {}, {"content": []}, {"refusal": None}])
def test_a_message_without_content_is_no_answer(message: object) -> None:
    error = failure(completion(message))
    assert (str(error), error.again) == (f"{NONE}its message has neither content nor reasoning", True)


@pytest.mark.parametrize(
    "message",
    [
        {"content": None, "tool_calls": [{"type": "function", "function": {"name": "answer", "arguments": "{}"}}]},
        {"function_call": {"name": "answer", "arguments": "{}"}},
    ],
)
def test_words_that_became_a_call_of_a_tool_say_how_to_get_them_back(message: object) -> None:
    error = failure(completion(message, reason="tool_calls"))
    assert not error.again
    assert str(error).endswith("a call of a tool: serve the model without a parser of tool calls")


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": None, "refusal": "I cannot tell."}, "I cannot tell."),
        ({"refusal": "I cannot tell."}, "I cannot tell."),
        ({"content": "(A)", "refusal": "I cannot tell."}, "(A)"),
        ({"content": [{"type": "refusal", "refusal": "I cannot tell."}]}, "I cannot tell."),
        ({"content": None, "audio": {"id": "x", "data": "UklG", "transcript": "It is (A)."}}, "It is (A)."),
        ({"reasoning": "Hm.", "refusal": "No."}, "<think>Hm.</think>No."),
        ({"reasoning": "Hm."}, "<think>Hm.</think>"),
    ],
    ids=str,
)
def test_a_refusal_and_what_was_spoken_are_the_models_own_words(message: object, text: str) -> None:
    assert said(completion(message)).text == text


@pytest.mark.parametrize(
    ("reason", "known"),
    [
        *((name, "stop") for name in ("stop", "STOP", "eos_token", "stop_sequence", "end_turn")),
        *((name, "length") for name in ("length", "MAX_TOKENS", "max_tokens", "model_length")),
        *((name, name) for name in ("repetition", "tool_calls", "none")),
    ],
)
def test_an_answer_that_was_cut_off_is_known_under_every_name(reason: str, known: str) -> None:
    assert said(Turn("(A)", finish_reason=reason)).finish_reason == known


def test_a_count_that_no_number_of_tokens_can_be_is_none() -> None:
    usage = {
        "prompt_tokens": 10**30,
        "completion_tokens": -1,
        "largest": 2**63 - 1,
        "next": 2**63,
        "none": 0,
        "yes": True,
        "half": 0.5,
        "text": "7",
        "missing": None,
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    told = said(completion({"content": "(A)"}, usage=usage))
    assert told.usage == {"largest": 2**63 - 1, "none": 0, "reasoning_tokens": 5}
    assert said(completion({"content": "(A)"}, usage=[7])).usage == {}
