"""A chain is limited in two requests where a server has no field for it, but goes on with an answer that has begun."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from chat_server import Asked, Turn, chatting
from command import call
from runs import audible_data, records

from dtbench.harness.store.run_folder import StoredRun

CHAIN = "one two three four five six".split()
ANSWER = "Answer: (A)".split()


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    audible_data(Path("data"), 1)


def reply(message: Mapping[str, Any], reason: str, tokens: int) -> Turn:
    usage = {"prompt_tokens": 7, "completion_tokens": tokens}
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
    return Turn(body=json.dumps({"choices": [choice], "usage": usage}).encode())


def server(says: Sequence[str], *, parser: bool = False, refuses: bool = False) -> Callable[[Asked], Turn]:
    """A server whose tokens are words: it says these, or goes on with them; behind a closed chain it answers.

    Parser: the chain is sent apart, as of vLLM with --reasoning-parser.
    """

    def choose(asked: Asked) -> Turn:
        body = asked.json()
        last = body["messages"][-1]
        begun = last["content"].split() if last["role"] == "assistant" else None
        assert (begun is not None) == body.get("continue_final_message", False)
        assert (begun is not None) == (body.get("add_generation_prompt") is False)
        if begun is not None and refuses:
            error = {"message": "continue_final_message is set but the final message does not appear in the chat"}
            return Turn(status=400, body=json.dumps({"error": error}).encode())
        if begun is None:
            rest = list(says)
        elif begun[-1] == "</think>":
            rest = ANSWER
        else:
            rest = list(says)[len(begun) - (begun[0] == "<think>" != says[0]) :]
        said = rest[: body["max_tokens"]]
        reason = "stop" if len(said) == len(rest) else "length"
        text = " " + " ".join(said)
        if not parser:
            return reply({"content": text}, reason, len(said))
        chain, closing, answer = text.partition("</think>")
        if not closing:
            return reply({"content": None, "reasoning": chain.removeprefix(" <think>")}, reason, len(said))
        return reply({"content": answer, "reasoning": chain.removeprefix(" <think>")}, reason, len(said))

    return choose


class Run(NamedTuple):
    code: int
    err: str
    response: Mapping[str, Any]
    sent: Sequence[Any]
    """The bodies of its requests."""


def run(choose: Callable[[Asked], Turn], budget: int, *options: str) -> Run:
    with chatting(choose=choose) as chat:
        arguments = ("run", "--model", chat.url, "--tasks", "mmar", "--data-dir", "data", "--out", "out", *options)
        done = call(*arguments, "-M", "host=vllm", "-M", "max_tokens=20", "--think-budget", str(budget))
        sent = [asked.json() for asked in chat.asked]
    response: Mapping[str, Any] = records(Path("out"))[0]["response"] if done.code == 0 else {}
    return Run(done.code, done.err, response, sent)


def test_a_chain_that_is_open_at_the_budget_is_closed_and_answered_by_a_second_request() -> None:
    found = run(server(["<think>", *CHAIN, "</think>", *ANSWER]), 4)
    assert [body["max_tokens"] for body in found.sent] == [4, 16]
    assert found.sent[1]["messages"][:-1] == found.sent[0]["messages"]
    assert found.sent[1]["messages"][-1] == {"role": "assistant", "content": " <think> one two three\n</think>"}
    assert found.sent[0].get("seed") == found.sent[1].get("seed")


@pytest.mark.parametrize(
    ("says", "options", "requests", "text", "cut", "tokens"),
    [
        (["<think>", *CHAIN, "</think>", *ANSWER], {}, 2, " <think> one two three </think> Answer: (A)", True, 6),
        (["<think>", "one", "</think>", "(A)"], {}, 1, " <think> one </think> (A)", False, 4),
        (["<think>", "one", "</think>", *ANSWER], {}, 2, " <think> one </think> Answer: (A)", False, 5),
        (["it", "is", "surely", "the", "(A)"], {}, 2, " it is surely the (A)", False, 5),  # without a chain
        (
            [*CHAIN, "</think>", *ANSWER],
            {},  # its chat template opens the chain
            3,
            "<think>\n one two three four </think> Answer: (A)",
            True,
            11,
        ),
        (
            ["<think>", *CHAIN, "</think>", *ANSWER],
            {"parser": True},
            2,
            "<think> one two three </think> Answer: (A)",
            True,
            6,
        ),
    ],
)
def test_the_record_has_the_answer_the_tokens_of_all_requests_and_whether_it_was_cut(
    says: Sequence[str], options: Mapping[str, bool], requests: int, text: str, cut: bool, tokens: int
) -> None:
    found = run(server(says, **options), 4)
    assert found.code == 0, found.err
    assert len(found.sent) == requests
    assert found.response["text"].split() == text.split()
    assert (found.response["cut_at_budget"], found.response["finish_reason"]) == (cut, "stop")
    assert found.response["usage"] == {"prompt_tokens": 7 * requests, "completion_tokens": tokens}


def test_a_budget_beyond_the_longest_answer_is_one_request() -> None:
    found = run(server(["<think>", *CHAIN * 9]), 40)
    assert [body["max_tokens"] for body in found.sent] == [20]
    assert (found.response["finish_reason"], found.response["cut_at_budget"]) == ("length", False)


def test_a_template_that_drops_the_chain_fails_the_question_with_the_servers_words_and_its_tokens() -> None:
    with chatting(choose=server(["<think>", *CHAIN], refuses=True)) as chat:
        arguments = ("run", "--model", chat.url, "--tasks", "mmar", "--data-dir", "data", "--out", "out")
        done = call(*arguments, "-M", "host=vllm", "-M", "max_tokens=20", "--think-budget", "4")
    assert done.code == 3
    (record,) = records(Path("out"))
    assert "the final message does not appear in the chat" in record["error"]["message"]
    assert record["error"]["usage"] == {"prompt_tokens": 7, "completion_tokens": 4}


def test_how_the_budget_is_kept_is_of_the_run_and_a_field_goes_before_two_requests() -> None:
    assert run(server(["<think>", *CHAIN]), 4).code == 0
    assert StoredRun.open(Path("out")).info["model"]["think_budget"] == "two requests"
    by_field = run(server(["(A)"]), 4, "-M", "think_budget_field=thinking_token_budget")
    assert by_field.code == 2
    assert "think_budget" in by_field.err
