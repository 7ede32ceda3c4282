"""A chat endpoint: what is sent to it, what is read, and what the record says."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest
from asking import PROMPT, answers
from chat_server import Turn, chatting, nobody
from small_data import tone

from dtbench.harness.audio.prepare import prepare_audio
from dtbench.harness.core.errors import MachineryError, ModelError, UserError
from dtbench.harness.core.schema import Prompt
from dtbench.harness.core.typed_settings import parse_arguments
from dtbench.models.endpoint.server import Server
from dtbench.models.endpoint.settings import EndpointSettings

WAV = bytes(range(256)) * 1250  # 10 s at 16 kHz


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DTBENCH_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_the_clip_goes_as_base64_wav_and_nothing_names_the_question() -> None:
    prompt = Prompt('Wer "ruft"? \\ \n(A) Krähe', Path("jay.wav"), system="Höre.", id="jay-7", seed=5, wav=WAV)
    with chatting() as chat:
        answers(chat, prompt, temperature=0.5, max_tokens=64, extra={"chat_template_kwargs": {"thinking": True}})
        (asked,) = chat.asked
    assert asked.json() == {
        "model": "tiny",
        "temperature": 0.5,
        "max_tokens": 64,
        "chat_template_kwargs": {"thinking": True},
        "messages": [
            {"role": "system", "content": "Höre."},
            {
                "role": "user",
                "content": [
                    {"type": "input_audio", "input_audio": {"data": base64.b64encode(WAV).decode(), "format": "wav"}},
                    {"type": "text", "text": 'Wer "ruft"? \\ \n(A) Krähe'},
                ],
            },
        ],
        "seed": 5,
    }
    assert b"jay" not in asked.content
    assert asked.headers["content-type"] == "application/json"
    assert "gzip" in asked.headers["accept-encoding"]


def test_the_clip_may_go_as_a_data_url_and_nothing_else_changes() -> None:
    prompt = Prompt("Who?", Path("jay.wav"), system="Listen.", id="jay-7", seed=5, wav=WAV)
    with chatting() as chat:
        answers(chat, prompt)
        answers(chat, prompt, audio_part="audio_url")
        plain, by_url = (asked.json() for asked in chat.asked)
    url = f"data:audio/wav;base64,{base64.b64encode(WAV).decode()}"
    plain["messages"][1]["content"][0] = {"type": "audio_url", "audio_url": {"url": url}}
    assert by_url == plain


def test_a_way_to_send_clips_that_is_not_known_is_refused() -> None:
    with pytest.raises(
        UserError,
        match=r"-M audio_part=audio: unknown\. Did you mean .*\? Known: input_audio, data_url, audio_url, base64\.",
    ):
        parse_arguments(EndpointSettings, {"audio_part": "audio"}, "an endpoint")


def test_a_prompt_without_a_clip_is_a_plain_text() -> None:
    with chatting() as chat:
        answers(chat, PROMPT, seed=9)
        (asked,) = chat.asked
    assert asked.json() == {"model": "tiny", "messages": [{"role": "user", "content": PROMPT.text}], "seed": 9}


def test_a_seed_of_the_prompt_stands_before_that_of_the_settings() -> None:
    with chatting() as chat:
        answers(chat, Prompt("?", Path("x"), seed=1), seed=9)
        assert chat.asked[0].json()["seed"] == 1


def test_what_the_model_says_is_read_with_its_tokens_and_its_time() -> None:
    with chatting(Turn("(B) Jay", delay=0.05)) as chat:
        (response,) = answers(chat, PROMPT)
    assert (response.text, response.finish_reason, response.attempts) == ("(B) Jay", "stop", 1)
    assert response.usage == {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    assert 0.05 <= response.seconds < 50


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_a_chain_that_the_endpoint_parted_stands_in_front(field: str) -> None:
    with chatting(Turn("(B)", message={field: "A jay screams."})) as chat:
        (response,) = answers(chat, PROMPT)
    assert response.text == "<think>A jay screams.</think>(B)"


def test_content_in_parts_is_one_text() -> None:
    parts = [{"type": "text", "text": "(B) "}, {"type": "text", "text": "Jay"}]
    with chatting(Turn(message={"content": parts})) as chat:
        assert answers(chat, PROMPT)[0].text == "(B) Jay"


@pytest.mark.parametrize("framing", ["length", "chunks", "until closed"])
@pytest.mark.parametrize("close", [False, True], ids=["open", "closed"])
def test_an_answer_is_read_however_it_is_framed(framing: str, close: bool) -> None:
    turn = Turn("Jay ö " * 50_000, framing=framing, close=close, preface=b"HTTP/1.1 100 Continue\r\n\r\n")  # type: ignore[arg-type]
    with chatting(default=turn) as chat:
        told = answers(chat, PROMPT, PROMPT)
        used = {asked.connection for asked in chat.asked}
    assert [one.text for one in told] == [turn.text] * 2
    assert len(used) == (2 if close or framing == "until closed" else 1)


def test_an_answer_that_was_cut_off_is_kept_as_such() -> None:
    with chatting(Turn("I hear", finish_reason="length"), Turn("", finish_reason="length")) as chat:
        told = answers(chat, PROMPT, PROMPT)
    assert [(one.text, one.finish_reason) for one in told] == [("I hear", "length"), ("", "length")]


@pytest.mark.parametrize("text", ["", None])
def test_an_empty_text_is_an_answer_where_the_model_chose_to_stop(text: str | None) -> None:
    with chatting(Turn(text)) as chat:
        assert answers(chat, PROMPT)[0].text == ""


def test_as_many_requests_as_wanted_are_in_flight_over_as_many_connections() -> None:
    with chatting(default=Turn(delay=0.1), together=100) as chat:

        async def ask() -> None:
            server = Server.connect(chat.url, EndpointSettings())
            for _ in range(2):
                await asyncio.gather(*(server.generate(PROMPT) for _ in range(100)))
            await server.aclose()

        asyncio.run(ask())
        assert chat.most_in_flight == 100
        assert len({asked.connection for asked in chat.asked}) == 100


def test_the_record_says_where_what_and_how_but_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    with chatting() as chat:
        server = Server.connect(chat.url.replace("http://", "http://me:hidden@"), EndpointSettings(temperature=0.0))
        told = json.dumps(server.describe())
        assert json.loads(told) == {
            "name": "server",
            "model": "tiny",
            "urls": [chat.url],
            "version": "0.32.0",
            "sampling": {"temperature": 0.0},
            "timeout": 600.0,
            "audio_part": "input_audio",
            "rate": 16000,
            "limit_seconds": None,
        }
        basic = f"Basic {base64.b64encode(b'me:hidden').decode()}"
        assert {asked.headers["authorization"] for asked in chat.looked_up} == {basic}


def test_a_key_goes_into_the_header_and_is_struck_out_of_what_the_endpoint_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    monkeypatch.setenv("DTBENCH_API_KEY", " sk-very-secret\n")
    wrong = Turn(status=401, body=b'{"error": {"message": "Incorrect API key provided: sk-very-secret."}}')
    with chatting(Turn(), wrong) as chat:
        with pytest.raises(ModelError) as raised:
            answers(chat, PROMPT, PROMPT)
        assert chat.asked[0].headers["authorization"] == "Bearer sk-very-secret"
    assert "Incorrect API key provided: ***." in str(raised.value)


def test_a_key_that_no_header_can_carry_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DTBENCH_API_KEY", "sk-se\ncret")
    with pytest.raises(UserError, match="DTBENCH_API_KEY is not a valid key") as raised:
        Server.connect(nobody(), EndpointSettings())
    assert "cret" not in str(raised.value)


def test_without_a_key_no_request_claims_one() -> None:
    with chatting() as chat:
        answers(chat, PROMPT)
        assert "authorization" not in chat.asked[0].headers


def test_nothing_at_the_url_is_told_at_once() -> None:
    url = nobody()
    with pytest.raises(MachineryError) as raised:
        Server.connect(url, EndpointSettings())
    assert str(raised.value).startswith(f"no endpoint can be reached: {url} (connection refused). Is the server")


def test_a_clip_that_is_as_the_model_hears_it_is_sent_bit_for_bit(tmp_path: Path) -> None:
    clip = tmp_path / "clip.wav"
    clip.write_bytes(tone(seconds=10.0))
    with chatting() as chat:
        answers(chat, replace(PROMPT, clips=(clip,), wavs=(prepare_audio(clip, 16000, None).wav,)))
        (asked,) = chat.asked
    sent = asked.json()["messages"][0]["content"][0]["input_audio"]["data"]
    assert base64.b64decode(sent, validate=True) == clip.read_bytes()


@pytest.mark.parametrize(
    ("context", "resent"),
    [(2048, [True, False, False]), (4096, [True, False, True, False])],
)
def test_where_the_context_ends_before_the_longest_answer_the_question_is_sent_without_that_limit(
    context: int, resent: list[bool]
) -> None:
    said = (
        f"This model's maximum context length is {context} tokens. However, you requested 2048 output tokens and your "
        "prompt contains at least 3000 input tokens. Please reduce the length of the input prompt."
    )
    refusal = Turn(status=400, body=json.dumps({"error": {"message": said, "code": 400}}).encode())
    with chatting() as chat:
        chat.choose = lambda asked: refusal if "max_tokens" in asked.json() else None
        assert [response.text for response in answers(chat, PROMPT, PROMPT, max_tokens=2048)] == ["(A)", "(A)"]
        assert ["max_tokens" in asked.json() for asked in chat.asked] == resent


def test_a_prompt_that_is_longer_than_the_context_by_itself_fails_with_the_endpoints_words() -> None:
    said = "Input length (5000) exceeds model's maximum context length (4096)."
    refusal = Turn(status=400, body=json.dumps({"error": {"message": said}}).encode())
    with chatting() as chat:
        chat.default = refusal
        with pytest.raises(ModelError, match="exceeds model's maximum context length"):
            answers(chat, PROMPT, max_tokens=2048)
        assert len(chat.asked) == 2


def test_a_system_prompt_of_the_settings_is_that_of_questions_without_one() -> None:
    with chatting() as chat:
        for prompt in (PROMPT, replace(PROMPT, system="Mine."), replace(PROMPT, system="")):
            answers(chat, prompt, system="Listen.")
        systems = [[m["content"] for m in one.json()["messages"] if m["role"] == "system"] for one in chat.asked]
    assert systems == [["Listen."], ["Mine."], []]


def test_stops_and_template_variables_stand_in_the_body_and_the_record() -> None:
    settings = EndpointSettings(stop=["\n"], stop_token_ids=[7], chat_template_kwargs={"a": 1, "b": 2})
    both = replace(settings, extra={"chat_template_kwargs": {"b": 3}, "best_of": 1})
    assert settings.sampling() == {"stop": ["\n"], "stop_token_ids": [7], "chat_template_kwargs": {"a": 1, "b": 2}}
    assert both.sampling()["chat_template_kwargs"] == {"a": 1, "b": 3}
