"""Models behind clients of the package openai: what they send, what is read, and what goes wrong, on loopback."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from asking import PROMPT
from chat_server import Asked, Chat, Turn, chatting, nobody
from command import call
from runs import audible_data, records
from small_data import tone

import dtbench
from dtbench.harness.core.errors import ModelError, UserError
from dtbench.harness.core.schema import Prompt, Response

KEY = "zq7Kp-R3d-Fox-Jumps-0ver"


@pytest.fixture(autouse=True, scope="module")
def openai() -> Any:
    """The package, imported by a test: at collection it costs each worker more than a second."""
    return pytest.importorskip("openai", reason="openai is an extra")


@pytest.fixture(autouse=True)
def no_variables_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "DTBENCH_API_KEY", "OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT", "OPENAI_API_VERSION"):
        monkeypatch.delenv(name, raising=False)


@contextlib.contextmanager
def azure(*turns: Turn, **settings: Any) -> Iterator[Chat]:
    """An endpoint as Azure has it: the deployment in the path, the key in a header of its own, and an API version."""

    def refuse(asked: Asked) -> Turn | None:
        right = "/openai/deployments/tiny/chat/completions?api-version=2025-01-01" in asked.path
        if not right or asked.headers.get("api-key") != KEY:
            return Turn(status=401)
        return None

    with chatting(*turns, choose=refuse, **settings) as chat:
        yield chat


def ask(client: Any, *prompts: Prompt, **settings: Any) -> list[Response]:
    async def each() -> list[Response]:
        model = dtbench.models.from_openai(client, "tiny", **settings)
        try:
            return [await model.generate(prompt) for prompt in prompts]
        finally:
            await model.aclose()

    return asyncio.run(each())


def client_of(chat: Chat, **settings: Any) -> Any:
    import openai

    return openai.AsyncOpenAI(base_url=chat.url, api_key=KEY, **settings)


def failure(turn: Turn, **settings: Any) -> ModelError:
    with chatting(default=turn) as chat, pytest.raises(ModelError) as raised:
        ask(client_of(chat), PROMPT, **settings)
    assert len(chat.asked) == 1, "the client's own retries are switched off"
    return raised.value


def test_the_request_is_the_one_that_an_endpoint_gets(tmp_path: Path) -> None:
    prompt = replace(PROMPT, wavs=(tone(seconds=0.2),), seed=7, system="Listen.")
    settings: Mapping[str, Any] = {"temperature": 0.5, "top_k": 3, "max_tokens": 9, "extra": {"foo": {"bar": 1}}}
    with chatting() as chat:
        from dtbench.models.endpoint.server import Server
        from dtbench.models.endpoint.settings import EndpointSettings

        async def plain() -> Response:
            server = Server.connect(chat.url, EndpointSettings(**settings))
            try:
                return await server.generate(prompt)
            finally:
                await server.aclose()

        (told,) = ask(client_of(chat), prompt, **settings)
        other = asyncio.run(plain())
        by_client, by_us = chat.asked
    assert by_client.json() == by_us.json()
    assert by_client.headers["authorization"] == f"Bearer {KEY}"
    sent = by_client.json()["messages"][1]["content"]
    assert base64.b64decode(sent[0]["input_audio"]["data"]) == prompt.wav
    assert (told.text, told.finish_reason, told.usage) == (other.text, other.finish_reason, other.usage)


def test_azure_is_asked_at_its_deployment_with_its_own_header(openai: Any) -> None:
    with azure() as chat:
        client = openai.AsyncAzureOpenAI(
            azure_endpoint=chat.url.removesuffix("/v1"), api_key=KEY, api_version="2025-01-01"
        )
        (told,) = ask(client, replace(PROMPT, wavs=(tone(seconds=0.2),)))
    assert told.text == "(A)"


@pytest.mark.parametrize(
    ("turn", "again", "too_many", "message"),
    [
        (Turn(status=400), False, False, "the endpoint answered 400: status 400"),
        (Turn(status=429, headers={"retry-after": "7"}), True, True, "the endpoint answered 429: status 429"),
        (Turn(status=500), True, False, "the endpoint answered 500: status 500"),
        (Turn(body=b"<html>"), True, False, "the endpoint's reply has no answer: <html>"),
        (Turn("(A", finish_reason="abort"), True, False, "the endpoint's reply has no answer: the endpoint gave up"),
        (Turn(drop="half way"), True, False, "the connection ended before the reply did"),
    ],
    ids=["400", "429", "500", "html", "abort", "torn"],
)
def test_what_goes_wrong_is_what_an_endpoint_says(turn: Turn, again: bool, too_many: bool, message: str) -> None:
    error = failure(turn)
    assert (error.again, error.too_many) == (again, too_many)
    assert str(error).startswith(message)
    assert error.retry_after == (7 if too_many else None)


def test_a_slow_answer_is_given_up_after_the_timeout_of_the_settings() -> None:
    error = failure(Turn(delay=30), timeout=0.5)
    assert (str(error), error.again) == ("no answer within 0.5 s", True)


def test_a_key_in_a_message_is_masked() -> None:
    wrong = Turn(status=401, body=json.dumps({"error": {"message": f"{'x' * 280} wrong key {KEY}"}}).encode())
    assert KEY[:12] not in str(failure(wrong))


def test_an_answer_that_comes_as_a_stream_is_read_whole() -> None:
    parts = [{"role": "assistant", "content": "("}, {"content": "A)"}]
    events = [{"choices": [{"index": 0, "delta": part}]} for part in parts]
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 7}}
    body = b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in [*events, end]) + b"data: [DONE]\n\n"
    with chatting(Turn(body=body, headers={"content-type": "text/event-stream"})) as chat:
        (told,) = ask(client_of(chat), PROMPT)
    assert (told.text, told.finish_reason, told.usage) == ("(A)", "stop", {"prompt_tokens": 7})


@pytest.mark.parametrize("kind", ["OpenAI", "AzureOpenAI"])
def test_a_client_that_waits_is_refused_with_the_one_to_take(kind: str, openai: Any) -> None:
    more = {"azure_endpoint": "http://127.0.0.1:1", "api_version": "2025-01-01"} if kind == "AzureOpenAI" else {}
    with (
        getattr(openai, kind)(api_key="none", **more) as client,
        pytest.raises(UserError, match=f"give an openai.Async{kind} instead"),
    ):
        dtbench.models.from_openai(client, "tiny")


def test_what_is_no_client_is_refused() -> None:
    with pytest.raises(UserError, match=r"an openai\.AsyncOpenAI is expected, not str"):
        dtbench.models.from_openai("gpt-audio", "gpt-audio")  # type: ignore[arg-type]


def test_a_model_of_a_module_may_be_made_by_a_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audible_data(tmp_path / "data", 3)
    with chatting() as chat:
        (tmp_path / "client_of_mine.py").write_text(
            "import dtbench, openai\n"
            "def model(temperature: float = 0.0):\n"
            f"    client = openai.AsyncOpenAI(base_url={chat.url!r}, api_key='none')\n"
            "    return dtbench.models.from_openai(client, 'tiny', temperature=temperature)\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        out = ("--data-dir", tmp_path / "data", "--out", tmp_path / "out")
        done = call("run", "--model", "client_of_mine:model", "-M", "temperature=0.5", "--tasks", "mmar", *out)
        assert [asked.json()["temperature"] for asked in chat.asked] == [0.5, 0.5, 0.5]
    assert done.code == 0, done
    assert len(records(tmp_path / "out")) == 3


@pytest.mark.parametrize("named", ["by URL", "by its name"])
def test_a_run_by_the_client_has_the_records_of_a_run_by_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    audible_data(tmp_path / "data", 3)
    run = ("run", "--tasks", "mmar", "--data-dir", tmp_path / "data", "--concurrency", "1", "--seed", "3")
    with chatting() as chat:
        assert call(*run, "--model", chat.url, "--out", tmp_path / "plain").code == 0
        model = chat.url
        if named == "by its name":
            model = "tiny"
            monkeypatch.setenv("OPENAI_BASE_URL", chat.url)
            monkeypatch.setenv("OPENAI_API_KEY", KEY)
        done = call(*run, "--model", model, "--backend", "openai", "--out", tmp_path / "client")
        assert done.code == 0, done
        bodies = [asked.json() for asked in chat.asked]
    first, second = (sorted(each, key=lambda body: int(body["seed"])) for each in (bodies[:3], bodies[3:]))
    assert first == second
    told = (sorted(records(tmp_path / out), key=lambda record: record["id"]) for out in ("plain", "client"))
    for one, other in zip(*told, strict=True):
        one["response"]["seconds"] = other["response"]["seconds"] = 0.0
        assert one == other
    about = json.loads((tmp_path / "client" / "run.json").read_bytes())["model"]
    assert (about["name"], about["model"], about["client"]) == ("openai", "tiny", "AsyncOpenAI")
    assert KEY not in (tmp_path / "client" / "run.json").read_text()


def test_a_family_of_openai_is_where_its_client_looks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audible_data(tmp_path / "data", 2)
    with chatting() as chat:
        monkeypatch.setenv("OPENAI_BASE_URL", chat.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        to = ("--tasks", "mmar", "--data-dir", tmp_path / "data", "--out", tmp_path / "out")
        assert call("run", "--model", "gpt-audio", "--backend", "openai", *to).code == 0
        assert {asked.json()["model"] for asked in chat.asked} == {"gpt-audio-1.5"}


@pytest.mark.parametrize("where", ["settings", "environment"])
def test_a_run_reaches_azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    audible_data(tmp_path / "data", 2)
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
    with azure() as chat:
        root = chat.url.removesuffix("/v1")
        given = ["-M", f"azure_endpoint={root}", "-M", "api_version=2025-01-01"]
        if where == "environment":
            given = []
            monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", root)
            monkeypatch.setenv("OPENAI_API_VERSION", "2025-01-01")
        to = ("--tasks", "mmar", "--data-dir", tmp_path / "data", "--out", tmp_path / "out")
        done = call("run", "--model", "tiny", "--backend", "openai", *given, *to)
    assert done.code == 0, done
    assert KEY not in (tmp_path / "out" / "run.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["-M", "azure_endpoint=http://127.0.0.1:1"], "api_version is missing: give -M api_version=DATE"),
        (["-M", f"api_key={KEY}"], "put the key into the environment variable DTBENCH_API_KEY"),
        ([], "--backend openai: "),
    ],
    ids=["version", "key in a setting", "no key"],
)
def test_what_the_client_lacks_is_one_line(tmp_path: Path, arguments: list[str], complaint: str) -> None:
    done = call("run", "--model", "tiny", "--backend", "openai", "--tasks", "mini", "--out", tmp_path / "o", *arguments)
    assert complaint in done.refusal()
    assert KEY not in done.err


def test_nobody_at_the_url_is_one_line(tmp_path: Path) -> None:
    done = call("run", "--model", nobody(), "--backend", "openai", "--tasks", "mini", "--out", tmp_path / "out")
    assert done.refusal(3).startswith("error: no endpoint can be reached: http://127.0.0.1:")


def test_the_settings_are_listed() -> None:
    done = call("run", "--model", "gpt-audio", "--backend", "openai", "--tasks", "mini", "-M", "help")
    assert done.code == 0, done
    assert "azure_endpoint" in done.out
    assert "temperature" in done.out


def test_without_the_package_one_line_says_how_to_install_it(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['openai'] = None\n"
        f"sys.argv = ['dtbench', 'run', '--model', 'gpt-audio', '--backend', 'openai', '--tasks', 'mini', '--out', "
        f"{str(tmp_path / 'out')!r}]\n"
        "from dtbench.harness.cli.main import main\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: --backend openai: the package openai is missing: `pip install '")
    assert done.stderr.endswith("[openai]'`.\n")


def test_importing_the_package_and_naming_its_models_loads_no_openai() -> None:
    code = "import sys, dtbench; dtbench.models; dtbench.models.from_openai; print('openai' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr
