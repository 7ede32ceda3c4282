"""What a run says before its first question, where keys come from, and what is kept of how an endpoint was asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from chat_server import Chat, Turn, chatting
from command import Done, call
from host_fakes import FakeHost, azure, dashscope, gemini, limited, mistral, openai, openrouter
from pages import DOCS
from runs import audible_data, records
from server_fakes import vllm

from dtbench.harness.core.errors import UserError
from dtbench.harness.store.run_folder import StoredRun
from dtbench.models.endpoint.access import Access
from dtbench.models.endpoint.hosts import built_in_hosts, get_host, host_of_urls
from dtbench.models.endpoint.settings import EndpointSettings

COUNT = 6
KEY = "zq7Kp-very-secret-key-of-mine"
KEYS = ("DTBENCH", "OPENAI", "GEMINI", "GOOGLE", "DASHSCOPE", "MISTRAL", "OPENROUTER", "AZURE_OPENAI")


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEYS:
        monkeypatch.delenv(f"{name}_API_KEY", raising=False)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    audible_data(folder, COUNT)
    return folder


def serving(host: FakeHost) -> Any:
    return chatting(choose=host.choose, models=host.models, version=host.version, chooses_tried=True)


def run(chat: Chat, data: Path, out: Path, *more: str, path: str = "/v1") -> Done:
    url = chat.url.replace("/v1", path)
    return call("run", "--model", url, "--tasks", "mmar", "--data-dir", data, "--out", out, *more)


def assert_all_right(out: Path, done: Done) -> None:
    assert done.code == 0, done
    assert [record["score"]["correct"] for record in records(out)] == [True] * COUNT


def preflight(out: Path) -> dict[str, Any]:
    return StoredRun.open(out).info["starts"][-1]["preflight"]


WITH_KEY = {
    "OPENAI_API_KEY": (openai(KEY), "openai", "gpt-audio-1.5"),
    "GEMINI_API_KEY": (gemini(KEY), "gemini", "gemini-2.5-pro"),
    "GOOGLE_API_KEY": (gemini(KEY), "gemini", "gemini-2.5-pro"),
    "DASHSCOPE_API_KEY": (dashscope(KEY), "dashscope", "qwen3-omni-flash"),
    "MISTRAL_API_KEY": (mistral(KEY), "mistral", "voxtral-mini-latest"),
    "OPENROUTER_API_KEY": (openrouter(KEY), "openrouter", "openai/gpt-audio"),
}


@pytest.mark.parametrize("variable", WITH_KEY)
def test_a_key_comes_from_the_variable_of_its_host_and_is_stored_nowhere(
    variable: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, name, model = WITH_KEY[variable]
    options = ("-M", f"host={name}", "-M", f"model={model}")
    with serving(host) as chat:
        without = run(chat, data, tmp_path / "without", *options)
        assert not chat.asked
        monkeypatch.setenv(variable, KEY)
        assert_all_right(tmp_path / "out", run(chat, data, tmp_path / "out", *options))
    assert without.code == 2
    (line,) = without.said.splitlines()
    assert "answers no question, so none was asked" in line
    assert variable in line or name == "gemini"  # which answers 400
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


def test_another_hosts_key_is_not_sent_to_a_known_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    known, other = (host_of_urls([name], None) for name in ("api.mistral.ai", "gpu7.example.org"))
    assert Access.of(known, EndpointSettings()).headers == {}
    assert Access.of(other, EndpointSettings()).headers == {"authorization": f"Bearer {KEY}"}


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("api.openai.com", "openai"),
        ("generativelanguage.googleapis.com", "gemini"),
        ("dashscope-intl.aliyuncs.com", "dashscope"),
        ("w1.cn-beijing.maas.aliyuncs.com", "dashscope"),
        ("me.openai.azure.com", "azure"),
        ("notapi.openai.com.example.org", ""),
        ("127.0.0.1", ""),
    ],
)
def test_a_host_is_known_by_the_end_of_its_name(url: str, host: str) -> None:
    assert host_of_urls([url], None).name == host


def test_endpoints_of_different_hosts_are_refused() -> None:
    with pytest.raises(UserError, match=r"different hosts \(an unknown one and openai\)"):
        host_of_urls(["api.openai.com", "localhost"], None)


def test_a_host_of_ones_own_is_a_table(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[mine]\nseed = ""\naudio_part = "audio_url"\nkey_variables = ["MINE"]\n')
    form = get_host(str(file)).form(EndpointSettings())
    assert (form.seed, form.audio_part) == (None, "audio_url")
    file.write_text("[mine]\nsede = 3\n")
    with pytest.raises(UserError, match=r"\[mine\]: unknown setting 'sede'\. Did you mean seed"):
        get_host(str(file))
    with pytest.raises(UserError, match=r"-M host=gemni: unknown\. Did you mean gemini"):
        get_host("gemni")


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/openai/deployments/my-audio?api-version=2025-04-01-preview", ()),
        ("/openai/deployments/my-audio/chat/completions?api-version=2025-04-01-preview", ()),
        ("/openai/deployments/my-audio", ("-M", 'query={"api-version": "2025-04-01-preview"}')),
        ("/openai/v1", ("-M", "model=my-audio")),
    ],
)
def test_azure_is_called_by_its_url(
    path: str, more: tuple[str, ...], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
    with serving(azure(KEY)) as chat:
        done = run(chat, data, tmp_path / "out", "-M", "host=azure", *more, path=path)
        assert "authorization" not in chat.asked[0].headers
    assert_all_right(tmp_path / "out", done)
    assert StoredRun.open(tmp_path / "out").info["model"]["model"] == "my-audio"


def test_headers_and_the_key_may_come_from_variables_of_ones_own(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    monkeypatch.setenv("MY_GATE", "gate-secret-of-mine")
    headers = json.dumps({"X-Title": "mine", "X-Gate-Token": "${MY_GATE}"})
    with serving(openai(KEY)) as chat:
        done = run(chat, data, tmp_path / "out", "-M", "key_variable=MY_KEY", "-M", f"headers={headers}")
        sent = chat.asked[0].headers
    assert_all_right(tmp_path / "out", done)
    assert (sent["x-title"], sent["x-gate-token"]) == ("mine", "gate-secret-of-mine")
    stored = b"".join(path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file())
    assert b"gate-secret" not in stored
    assert KEY.encode() not in stored


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"headers": {"X-Api-Key": "abc-of-mine"}}, "the value of 'X-Api-Key' is a secret"),
        ({"query": {"sig": "abc-of-mine"}}, "the value of 'sig' is a secret"),
        ({"headers": {"Host": "x"}}, "'Host' is set by dtbench"),
        ({"headers": {"a b": "x"}}, "'a b' is not the name of a header"),
        ({"key_variable": "NOT_SET_HERE"}, "NOT_SET_HERE: this variable of the environment is not set"),
        ({"headers": {"X": "${NOT_SET_HERE}"}}, "names the variable NOT_SET_HERE, which is not set"),
    ],
)
def test_a_header_that_cannot_be_sent_or_would_be_stored_is_refused(settings: Any, message: str) -> None:
    with pytest.raises(UserError, match=message) as raised:
        Access.of(built_in_hosts()["openai"], EndpointSettings(**settings))
    assert "abc-of-mine" not in str(raised.value)


def one_line(done: Done) -> str:
    assert done.code == 2, done
    (line,) = done.said.splitlines()
    return line


def test_what_makes_every_question_fail_is_told_before_the_first(data: Path, tmp_path: Path) -> None:
    with serving(gemini()) as chat:
        line = one_line(run(chat, data, tmp_path / "a", "-M", "model=gemini-2.5-por"))
        assert "serves no model 'gemini-2.5-por'. Did you mean models/gemini-2.5-pro" in line
        assert not chat.asked
    with serving(vllm(deaf=True)) as chat:
        line = one_line(run(chat, data, tmp_path / "b"))
        assert "At most 0 audio(s) may be provided in one prompt." in line
        assert not chat.asked
    with serving(azure()) as chat:
        line = one_line(run(chat, data, tmp_path / "c", "-M", "model=my-audoi", "-M", "host=azure", path="/openai/v1"))
        assert "The API deployment for this resource does not exist." in line
    assert not list(tmp_path.glob("*/mmar.jsonl"))


def test_a_refusal_of_the_first_question_alone_stops_nothing(data: Path, tmp_path: Path) -> None:
    host = vllm()
    with serving(host) as chat:
        filtered = Turn(status=400, body=b'{"error": {"message": "flagged by a policy", "code": "content_filter"}}')
        chat.choose = lambda asked: filtered if "scene 0" in asked.content.decode() else host.choose(asked)
        done = run(chat, data, tmp_path / "out", "--max-failed", "0.5")
    assert done.code == 0
    assert [record.get("error", {}).get("attempts") for record in records(tmp_path / "out")].count(1) == 1


def test_a_host_that_asks_to_wait_is_waited_for(data: Path, tmp_path: Path) -> None:
    with serving(limited(gemini(), first=2, wait="0.2s")) as chat:
        done = run(chat, data, tmp_path / "out", "-M", "model=gemini-2.5-pro", "-M", "host=gemini")
        assert len(chat.tried) == 3
    assert done.err.count("the endpoint asks to wait") == 2
    assert_all_right(tmp_path / "out", done)


def test_seeds_are_held_to_what_the_host_takes_and_recorded(data: Path, tmp_path: Path) -> None:
    with serving(vllm()) as chat:
        run(chat, data, tmp_path / "whole")
        whole = [asked.json()["seed"] for asked in chat.asked]
    for name, options in {"known": ("-M", "host=dashscope"), "unknown": ()}.items():
        with serving(dashscope()) as chat:
            done = run(chat, data, tmp_path / name, "-M", "model=qwen3-omni-flash", *options)
            assert sorted(asked.json()["seed"] for asked in chat.asked) == sorted(seed % 2**31 for seed in whole)
        assert_all_right(tmp_path / name, done)
        form = preflight(tmp_path / name)["form"]
        assert (form["seed_bits"], form["stream"], form["audio_part"]) == (31, True, "data_url")
        assert sum(record["response"]["usage"]["prompt_tokens"] for record in records(tmp_path / name)) == 120 * COUNT


def test_a_seed_is_left_out_where_the_user_says_so(data: Path, tmp_path: Path) -> None:
    with serving(vllm()) as chat:
        done = run(chat, data, tmp_path / "out", "-M", "send_seed=false", "-M", "seed=5")
        assert not [asked for asked in chat.asked if "seed" in asked.json()]
    assert "-M seed=5 is not used" in done.err


def test_a_temperature_that_is_refused_is_told_and_recorded_and_a_resume_keeps_to_it(
    data: Path, tmp_path: Path
) -> None:
    options = ("-M", "temperature=0", "-M", "model=gpt-5", "--limit")
    with serving(openai(reasoning=True, names=("gpt-5",))) as chat:
        first = run(chat, data, tmp_path / "out", *options, "3")
        assert "no temperature" in first.err
        assert preflight(tmp_path / "out")["form"]["left_out"] == ["temperature"]
        chat.choose = openai(names=("gpt-5",)).choose  # takes a temperature
        line = one_line(run(chat, data, tmp_path / "out", *options, "6"))
        assert "fields of sampling that the endpoint refused: temperature; now none" in line
        chat.choose = openai(reasoning=True, names=("gpt-5",)).choose
        assert_all_right(tmp_path / "out", run(chat, data, tmp_path / "out", *options, "6"))


def test_what_is_shown_without_asking_is_what_a_known_host_gets(data: Path, tmp_path: Path) -> None:
    dry = ("--dry-run", "--json", "-M", "host=mistral", "-M", "model=voxtral-mini-latest")
    with serving(mistral()) as chat:
        shown = run(chat, data, tmp_path / "out", *dry)
        assert not chat.tried
    assert shown.code == 0
    assert "random_seed" in shown.out
    assert '"seed"' not in shown.out


def test_the_hosts_are_listed() -> None:
    listed = call("models", "hosts")
    assert listed.code == 0
    assert all(f"{name}: " in listed.out for name in built_in_hosts())
    assert "DASHSCOPE_API_KEY" in listed.out
    names = [host["name"] for host in json.loads(call("models", "hosts", "--json").out)]
    assert names == list(built_in_hosts())


def test_the_page_on_endpoints_has_each_host_with_its_url() -> None:
    page = (DOCS / "endpoints.md").read_text(encoding="utf-8")
    urls = {"any URL" if host.owners else f"`{host.url}`" for host in built_in_hosts().values()}
    assert {row.split(" | ")[1] for row in page.splitlines() if " | `https://" in row or " | any URL" in row} == urls
