from __future__ import annotations

import pytest

from dtbench.harness.store.known_secrets import MASK
from dtbench.harness.store.redact import mask_command, mask_settings, mask_text

S = "s3cret/va+lue=="

HIDDEN = [
    ["--api-key", S],
    [f"--api-key={S}"],
    ["--token", S],
    ["--hf-token", S],
    ["--password", S],
    ["--api-key", f"--{S}"],
    ["-M", f"api_key={S}"],
    ["-M", f"API_KEY = {S}"],
    ["-M", f"apikey={S}"],
    ["-M", f"key={S}"],
    ["-M", f"token={S}"],
    ["-M", f"auth_token={S}"],
    ["-M", f"openai_api_key={S}"],
    ["-M", f"client-secret={S}"],
    [f"-Mtoken={S}"],
    ["-H", f"Authorization: Bearer {S}"],
    ["-H", f"authorization:{S}"],
    ["-H", f"X-Api-Key: two words {S}"],
    ["-M", f'headers={{"Authorization": "Basic {S}", "X": "y"}}'],
    ["-M", f"headers={{'x-api-key': '{S}'}}"],
    ["--model", f"http://me:{S.replace('/', '')}@host/v1"],
    ["--model", f"https://host/v1?a=b&api_key={S}&c=d"],
    ["--anything", "sk-proj-0123456789abcdefs3cret"],
    ["--anything", "hf_0123456789abcdefs3cret"],
]


@pytest.mark.parametrize("arguments", HIDDEN, ids=" ".join)
def test_a_secret_does_not_show_in_the_command_line(arguments: list[str]) -> None:
    shown = mask_command(["dtbench", "run", *arguments, "--limit", "5"])
    assert "3cret" not in " ".join(shown)
    assert MASK in " ".join(shown)
    assert (shown[:2], shown[-2:]) == (["dtbench", "run"], ["--limit", "5"])


SHOWN = [
    *(["-M", "max_tokens=512"], ["-M", "temperature=0.7"], ["--model", "http://localhost:8000/v1"], ["-M", "keys=3"]),
    *(
        ["--tokenizer", "fast"],
        ["--monkey", "3"],
        ["-M", "model=Qwen/Qwen2-Audio-7B"],
        ["--out", "runs/me@home"],
        ["--seed", "0"],
    ),
    *(["--prompt", "task-basic.txt"], ["-M", "hotkey=x"], ["--ids", "sk-1.txt"], ["the bearer of news"]),
]


@pytest.mark.parametrize("arguments", SHOWN, ids=" ".join)
def test_what_is_no_secret_is_kept(arguments: list[str]) -> None:
    assert mask_command(arguments) == arguments


def test_what_the_environment_holds_as_a_secret_is_hidden_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DTBENCH_API_KEY", "correct horse")
    monkeypatch.setenv("MY_TOKEN", "correct horse battery")
    monkeypatch.setenv("SHORT_TOKEN", "dog")
    assert mask_text("a correct horse battery, a correct horse, a dog") == f"a {MASK}, a {MASK}, a dog"


def test_the_message_of_an_endpoint_keeps_its_words() -> None:
    said = "401 for http://me:pw@host/v1: Incorrect API key provided: sk-0123456789abcdef. Invalid token: see the docs."
    kept = f"401 for http://{MASK}@host/v1: Incorrect API key provided: {MASK}. Invalid token: see the docs."
    assert mask_text(said) == kept


def test_settings_lose_texts_under_a_secret_name_and_nothing_else() -> None:
    settings = {
        "model": {
            "api_key": "abc",
            "token": None,
            "max_tokens": 5,
            "stop_token": "<end>",
            "urls": ["http://a:b@host/v1"],
        },
        "tasks": {"mmar": {"prompt": "token: what do you hear?", "key": {"inner": "kept"}}},
        "limit": None,
    }
    assert mask_settings(settings) == {
        "model": {
            "api_key": MASK,
            "token": None,
            "max_tokens": 5,
            "stop_token": "<end>",
            "urls": [f"http://{MASK}@host/v1"],
        },
        "tasks": {"mmar": {"prompt": "token: what do you hear?", "key": {"inner": "kept"}}},
        "limit": None,
    }


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "Basic"])
def test_a_value_of_no_known_shape_is_hidden_behind_its_scheme_wherever_it_stands(scheme: str) -> None:
    assert mask_text(f"upstream said: {scheme} q7Zp-4411 was refused") == f"upstream said: {scheme} {MASK} was refused"
    assert mask_text(f"{scheme} hay") == f"{scheme} hay"  # a word of a sentence
