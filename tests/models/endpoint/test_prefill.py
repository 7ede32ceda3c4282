"""An endpoint continues an answer that has begun: what is sent, and how the rest is joined to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest
from chat_server import Turn, chatting

from dtbench.harness.core.errors import ModelError
from dtbench.harness.core.model import takes_prefill
from dtbench.harness.core.schema import Prompt
from dtbench.models.endpoint.server import Server
from dtbench.models.endpoint.settings import EndpointSettings

OPEN, CLOSED = "<think>\nIt rings", "<think>\nIt rings.\n</think>"


class Continued(NamedTuple):
    text: str
    sent: Mapping[str, Any]


def message(**fields: str | None) -> Turn:
    choice = {"index": 0, "message": {"role": "assistant", **fields}, "finish_reason": "stop"}
    return Turn(body=json.dumps({"choices": [choice], "usage": {}}).encode())


def continued(turn: Turn, begun: str, host: str = "vllm", budget: int | None = None) -> Continued:
    async def ask(url: str) -> str:
        model = Server.connect(url, EndpointSettings(host=host, max_tokens=20))
        try:
            return (await model.generate(Prompt("Which?", begun=begun, think_budget=budget))).text
        finally:
            await model.aclose()

    with chatting(default=turn) as chat:
        text = asyncio.run(ask(chat.url))
        (asked,) = chat.asked
    return Continued(text, asked.json())


@pytest.mark.parametrize(
    ("begun", "turn", "text"),
    [
        (OPEN, message(content=".\n</think>\nB"), f"{OPEN}.\n</think>\nB"),
        (OPEN, message(content="\nB", reasoning="."), f"{OPEN}.</think>\nB"),
        (OPEN, message(content=None, reasoning=" on and on"), f"{OPEN} on and on"),
        (CLOSED, message(content="\nB"), f"{CLOSED}\nB"),
        (CLOSED, message(content=None, reasoning_content="\nB"), f"{CLOSED}\nB"),
    ],
)
def test_the_answer_is_whole_also_where_a_parser_sends_a_part_apart(begun: str, turn: Turn, text: str) -> None:
    assert continued(turn, begun).text == text


def test_the_beginning_is_the_last_message_and_is_to_be_continued_in_one_request() -> None:
    sent = continued(message(content=" B"), CLOSED, budget=8).sent
    assert sent["messages"] == [{"role": "user", "content": "Which?"}, {"role": "assistant", "content": CLOSED}]
    assert (sent["continue_final_message"], sent["add_generation_prompt"], sent["max_tokens"]) == (True, False, 20)


def test_a_refusal_to_continue_is_an_error_and_the_field_is_not_left_out_instead() -> None:
    with pytest.raises(ModelError, match="continue_final_message"):
        continued(Turn(status=400, body=b'{"error": {"message": "unknown field: continue_final_message"}}'), OPEN)


@pytest.mark.parametrize(("host", "takes"), [("vllm", True), ("sglang", True), ("openai", False), ("mistral", False)])
def test_it_is_known_of_a_host_whether_it_continues(host: str, takes: bool) -> None:
    settings = EndpointSettings(host=host, model="tiny")
    assert takes_prefill(Server.connect("http://127.0.0.1:9/v1", settings, ask=False)) is takes
