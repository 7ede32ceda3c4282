"""What an endpoint is asked before a run: which models it serves."""

from __future__ import annotations

import asyncio

import pytest
from asking import PROMPT, answers
from bad_line import Fault, bad_line
from chat_server import Turn, chatting, nobody

from dtbench.harness.core.errors import MachineryError, UserError
from dtbench.models.endpoint.address import parse_address
from dtbench.models.endpoint.discover import discover_model
from dtbench.models.endpoint.server import Server
from dtbench.models.endpoint.settings import EndpointSettings


def test_the_one_model_of_an_endpoint_needs_no_name() -> None:
    with chatting(models=("org/only",)) as chat:
        answers(chat, PROMPT)
        assert chat.asked[0].json()["model"] == "org/only"


def test_one_of_several_is_named() -> None:
    with chatting(models=("base", "tuned")) as chat:
        answers(chat, PROMPT, model="tuned")
        assert chat.asked[0].json()["model"] == "tuned"
        with pytest.raises(UserError) as raised:
            answers(chat, PROMPT)
    assert str(raised.value) == f"{chat.url} serves 2 models: choose one with -M model=NAME. Known: base, tuned."


def test_a_model_that_is_not_there_is_refused_with_those_that_are() -> None:
    with chatting(models=("qwen2-audio", "other")) as chat, pytest.raises(UserError) as raised:
        answers(chat, PROMPT, model="qwen-audio")
    assert str(raised.value) == (
        f"{chat.url} serves no model 'qwen-audio'. Did you mean qwen2-audio? Known: qwen2-audio, other."
    )


def test_a_long_list_is_cut() -> None:
    with chatting(models=[f"model-{number}" for number in range(400)]) as chat, pytest.raises(UserError) as raised:
        answers(chat, PROMPT, model="modle-7")
    assert str(raised.value).endswith("model-19 and 380 more.")
    assert "Did you mean model-7" in str(raised.value)


def test_a_pattern_in_the_list_holds_no_name_back() -> None:
    with chatting(models=("openai/*",)) as chat:
        answers(chat, PROMPT, model="openai/gpt-audio")
        assert chat.asked[0].json()["model"] == "openai/gpt-audio"


UNTOLD = [
    Turn(status=404),
    Turn(status=401),
    Turn(status=500),
    Turn(body=b"<html>"),
    Turn(body=b'{"data": "x"}'),
    Turn(body=b'{"data": [{"name": "x"}, 3]}'),
    Turn(drop="at once"),
]


@pytest.mark.parametrize("models", UNTOLD, ids=lambda turn: f"{turn.status}-{turn.body}-{turn.drop}")
def test_an_endpoint_that_does_not_tell_is_believed_about_a_name_and_asked_for_one(models: Turn) -> None:
    with chatting(models=models, version=None) as chat:
        assert answers(chat, PROMPT, model="mine")[0].text == "(A)"
        assert Server.connect(chat.url, EndpointSettings(model="mine")).describe()["version"] is None
        with pytest.raises(UserError, match=r"does not list its models: name one with -M model=NAME\.$"):
            answers(chat, PROMPT)


def test_endpoints_that_serve_different_models_are_refused() -> None:
    with chatting(models=("a",)) as one, chatting(models=("b",)) as two:
        with pytest.raises(UserError, match=r"serve different models \(a and b\)"):
            Server.connect(f"{one.url},{two.url}", EndpointSettings())
        with pytest.raises(UserError, match="serves no model 'a'"):
            Server.connect(f"{one.url},{two.url}", EndpointSettings(model="a"))


def test_one_endpoint_of_several_may_be_away_but_not_all() -> None:
    with chatting() as chat:
        away = nobody()
        assert Server.connect(f"{away},{chat.url}", EndpointSettings()).describe()["urls"] == [away, chat.url]
    with pytest.raises(MachineryError) as raised:
        Server.connect(f"{away},{chat.url}", EndpointSettings())
    assert f"{away} (connection refused); {chat.url} (connection refused)" in str(raised.value)


def test_it_may_be_asked_within_a_loop() -> None:
    with chatting() as chat:

        async def ask() -> str:
            server = Server.connect(chat.url, EndpointSettings())
            told = await server.generate(PROMPT)
            await server.aclose()
            return told.text

        assert asyncio.run(ask()) == "(A)"


def test_a_look_up_whose_connection_breaks_is_made_again() -> None:
    faults: list[Fault] = ["garbage", "dropped", "none", "torn"]
    with (
        chatting(models=("one",)) as chat,
        bad_line(chat.url, lambda number: faults[number] if number < len(faults) else "none") as line,
    ):
        told = asyncio.run(discover_model([parse_address(f"{line.url}/v1")], None, None))
        assert (told.model, told.version) == ("one", "0.32.0")
        assert line.replies == 5


def test_an_endpoint_that_has_moved_to_another_host_names_it_before_a_question_is_asked() -> None:
    moved = Turn(status=301, headers={"location": "https://me:hidden@api.example/v1/models"})
    for model in (None, "tiny"):
        with chatting(models=moved) as chat, pytest.raises(UserError) as raised:
            Server.connect(chat.url, EndpointSettings(model=model))
        assert str(raised.value) == f"--model {chat.url} redirects to https://api.example/v1 (301): use that address."


def test_a_list_of_models_that_has_moved_within_its_host_is_none() -> None:
    with chatting(models=Turn(status=307, headers={"location": "/v1/models/"})) as chat:
        assert answers(chat, PROMPT, model="mine")[0].text == "(A)"
