"""Endpoints that repeat the key or the login of a request, in every field and form: nothing of it is kept or shown."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from chat_server import Asked, Turn, chatting
from command import call, process
from runs import audible_data

KEY = "zq7Kp-R3d&Fox/Jumps+0ver=Lazy%Dog.42"
PASSWORD = "p'4ss<w0rd>&more/than+24 %signs"
LOGIN = f"me:{PASSWORD}"
PIECE = 12
HALF = PIECE // 2
CUT = "error that is cut within it"
Show = Callable[[str], str]


def as_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


FORMS: Mapping[str, Show] = {
    "plain": str,
    "in base64": as_base64,
    "in urlsafe base64": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "in base64 of a header": lambda text: as_base64(f"Authorization: Bearer {text}, sent"),
    "in base64 of a JSON": lambda text: as_base64(json.dumps({"k": text, "more": True})),
    "in a URL": lambda text: f"https://there/v1?q={quote(text, safe='')}&more=1",
    "in a path": lambda text: f"https://there/{quote(text)}/v1",
    "twice in a URL": lambda text: quote(quote(text, safe=""), safe=""),
    "in HTML": lambda text: f"<b>{html.escape(text)}</b>",
    "in JSON": lambda text: json.dumps({"text": text}),
    "in JSON in JSON": lambda text: json.dumps(json.dumps({"text": text})),
    "in JSON for HTML": lambda text: json.dumps(text).replace("&", "\\u0026").replace("<", "\\u003c"),
    "in hexadecimal": lambda text: text.encode().hex(),
    "in capitals": str.upper,
    "broken by a blank": lambda text: f"{text[:13]} {text[13:]}",
    "broken by lines": lambda text: "\n".join(text[at : at + 5] for at in range(0, len(text), 5)),
    "broken by indented lines": lambda text: f"{text[:9]}\r\n    {text[9:20]}\r\n    {text[20:]}",
    "broken everywhere": lambda text: " ".join(text),
    "broken by nothing to see": lambda text: "\u200b".join((text[:8], text[8:16], text[16:])),
    "cut behind": lambda text: f"{text[:20]}...",
    "cut before": lambda text: f"...{text[8:]}",
    "behind its name": lambda text: f"api_key={text}; Authorization: Bearer {text}",
}


def refused(said: str) -> Turn:
    return Turn(status=400, body=json.dumps({"error": {"message": f"Wrong: {said} (see the docs)"}}).encode())


def body(**parts: Any) -> Turn:
    choice = {"message": {"content": "(A)"}, "finish_reason": "stop"}
    return Turn(body=json.dumps({"choices": [choice], **parts}).encode())


FIELDS: Mapping[str, Callable[[str], Turn]] = {
    "error": refused,
    CUT: lambda said: refused(f"{'x' * 280} {said}"),
    "error without JSON": lambda said: Turn(status=400, body=f"<html>{said}</html>".encode()),
    "error in parts": lambda said: Turn(status=422, body=json.dumps({"detail": [{"input": said}]}).encode()),
    "error beside an answer": lambda said: body(error={"message": said, "code": 400}),
    "redirect": lambda said: Turn(status=302, headers={"location": f"https://there/{quote(said)}"}),
    "finish_reason": lambda said: Turn(finish_reason=said),
    "finish_reason of none": lambda said: Turn("", finish_reason=f"content_filter: {said}"),
    "name of a count": lambda said: body(usage={said: 7, "prompt_tokens": 3}),
    "answer": lambda said: Turn(f"The key is {said}, so it is (A)."),
    "refusal": lambda said: Turn(None, message={"refusal": f"I know {said}"}),
    "reasoning": lambda said: Turn("(A)", message={"reasoning_content": f"It came with {said}."}),
    "content that is none": lambda said: body(choices=[{"message": {"content": {"key": said}}}]),
    "finish_reason that is none": lambda said: body(choices=[{"message": {"content": "(A)"}, "finish_reason": [said]}]),
}
ATTEMPTS = [
    *((field, form) for form in FORMS for field in (CUT, "answer")),
    *((field, form) for field in FIELDS for form in ("plain", "broken by a blank", "in base64")),
]


def written_forms(secret: str) -> list[str]:
    """The secret in the forms that are searched for, without blanks and in small letters."""
    forms = (secret, as_base64(secret), quote(secret, safe=""), html.escape(secret), secret.encode().hex())
    return ["".join(form.split()).lower() for form in forms]


def pieces(secret: str) -> set[str]:
    """All that must not be found."""
    return {form[at : at + PIECE] for form in written_forms(secret) for at in range(len(form) - PIECE + 1)}


def leaks(secret: str, *texts: str) -> Iterator[str]:
    """What of a secret stands in texts, whatever blanks and escapes are within it."""
    forbidden = pieces(secret)
    # Each piece holds one of these, so that few texts have to be looked at place by place.
    halves = {form[at : at + HALF] for form in written_forms(secret) for at in range(0, len(form) - HALF + 1, HALF)}
    for text in texts:
        for plain in (text, text.replace("\\n", "").replace("\\r", "").replace("\\", "")):
            squeezed = re.sub(r"\s|[^\x21-\x7e]", "", plain).lower()
            if not any(half in squeezed for half in halves):
                continue
            yield from (
                squeezed[at : at + PIECE] for at in range(len(squeezed)) if squeezed[at : at + PIECE] in forbidden
            )


def files(folder: Path) -> list[str]:
    return [path.read_bytes().decode("utf-8", "replace") for path in folder.rglob("*") if path.is_file()]


def test_the_search_for_leaks_finds_what_there_is() -> None:
    for form, show in FORMS.items():
        assert list(leaks(KEY, show(KEY))) or form in {"in base64 of a header", "in base64 of a JSON", "twice in a URL"}


@pytest.mark.parametrize(("field", "form"), ATTEMPTS)
def test_nothing_of_a_key_is_stored_or_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str, form: str
) -> None:
    monkeypatch.setenv("DTBENCH_API_KEY", KEY)
    audible_data(tmp_path / "data", 2)

    def repeat(asked: Asked) -> Turn:
        said = FORMS[form](asked.headers["authorization"].removeprefix("Bearer "))
        return FIELDS[field](said) if len(chat.asked) < 3 else refused("enough")

    run = ("run", "--tasks", "mmar", "--data-dir", tmp_path / "data", "--out", tmp_path / "out")
    with chatting(choose=repeat) as chat:
        done = [call(*run, "--model", chat.url)]
    done += [call("score", tmp_path / "out", "--json"), call("report", tmp_path / "out")]
    assert {one.code for one in done} <= {0, 3}, done
    printed = [text for one in done for text in (one.out, one.err)]
    assert set(leaks(KEY, *printed, *files(tmp_path / "out"))) == set()
    assert any("***" in text for text in files(tmp_path / "out")) or field == CUT


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("what", ["login", "password", "header"])
def test_nothing_of_a_login_is_stored_or_printed(tmp_path: Path, what: str, form: str) -> None:
    audible_data(tmp_path / "data", 2)

    def repeat(asked: Asked) -> Turn:
        basic = asked.headers["authorization"].removeprefix("Basic ")
        login = base64.b64decode(basic).decode()
        secret = {"login": login, "password": login.partition(":")[2], "header": basic}[what]
        return refused(f"{FORMS[form](secret)}") if asked.connection % 2 else Turn(f"{FORMS[form](secret)} (A)")

    run = ("run", "--tasks", "mmar", "--data-dir", tmp_path / "data", "--out", tmp_path / "out", "--json")
    with chatting(choose=repeat) as chat:
        done = call(*run, "--model", chat.url.replace("http://", f"http://me:{quote(PASSWORD, safe='')}@"))
    written = [done.out, done.err, *files(tmp_path / "out")]
    assert [*leaks(PASSWORD, *written), *leaks(LOGIN, *written)] == []


def test_the_log_on_the_terminal_shows_no_secret_of_what_is_asked_again(tmp_path: Path) -> None:
    audible_data(tmp_path / "data", 2)

    def repeat(asked: Asked) -> Turn:
        return Turn("", finish_reason=f"abort: {asked.headers['authorization'][7:]}") if len(chat.asked) < 3 else Turn()

    run = ("run", "-vv", "--tasks", "mmar", "--data-dir", tmp_path / "data", "--out", tmp_path / "out")
    with chatting(choose=repeat) as chat:
        done = process(*run, "--model", chat.url, DTBENCH_API_KEY=KEY)
    assert done.code == 0, done
    assert "attempt 1 failed" in done.err
    assert set(leaks(KEY, done.out, done.err, *files(tmp_path / "out"))) == set()


def test_a_server_that_names_its_version_and_model_after_the_key_tells_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DTBENCH_API_KEY", KEY)
    audible_data(tmp_path / "data", 2)
    arguments = ("--tasks", "mmar", "--data-dir", tmp_path / "data")
    with chatting(version=f"{'0' * 60}{KEY}", models=[f"tiny-{KEY}"]) as chat:
        done = [call("run", "--model", chat.url, *arguments, *end) for end in (("--dry-run",), ("--dry-run", "--json"))]
        done += [call("run", "--model", chat.url, *arguments, "--out", tmp_path / "out", "--json")]
        assert [one.code for one in done] == [0, 0, 0], done
    with chatting(models=[f"one-{KEY}", f"two-{KEY}"]) as chat:
        done += [call("run", "--model", chat.url, *arguments, "--out", tmp_path / "other")]
        assert "serves 2 models" in done[-1].refusal()
    printed = [text for one in done for text in (one.out, one.err)]
    assert set(leaks(KEY, *printed, *files(tmp_path / "out"))) == set()


@pytest.mark.parametrize(
    "arguments",
    [
        *(["-M", f"{name}={KEY}"] for name in ("api_key", "API_KEY", "token", "api-key", "openai_api_key", "password")),
        *(["-M", f"apikey:{KEY}"], ["--model_args", f"api_key={KEY},max_tokens=5"]),
    ],
    ids=lambda arguments: arguments[1].partition("=")[0],
)
def test_a_key_on_the_command_line_is_refused_and_not_repeated(tmp_path: Path, arguments: list[str]) -> None:
    done = call("run", "--model", "http://127.0.0.1:9/v1", "--tasks", "mini", "--out", tmp_path / "out", *arguments)
    assert (done.code, done.out) == (2, "")
    assert set(leaks(KEY, done.err)) == set()
    assert not (tmp_path / "out").exists()


def test_the_refusal_of_a_key_says_where_it_belongs(tmp_path: Path) -> None:
    done = call("run", "--model", "http://127.0.0.1:9/v1", "--tasks", "mini", "-M", f"api_key={KEY}")
    assert done.refusal() == (
        "error: -M api_key: an endpoint has no option 'api_key', for others can read a command line: put the key into "
        "the environment variable DTBENCH_API_KEY."
    )


def test_words_that_a_short_or_ordinary_key_has_stay_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DTBENCH_API_KEY", "EMPTY")
    monkeypatch.setenv("HF_TOKEN", "not-needed")
    audible_data(tmp_path / "data", 2)
    said = "The street is empty, EMPTY, and a key is not needed: (A)."
    with chatting(default=Turn(said)) as chat:
        out = tmp_path / "out"
        call("run", "--model", chat.url, "--tasks", "mmar", "--data-dir", tmp_path / "data", "--out", out)
    assert (out / "mmar.jsonl").read_text().count(said) == 4  # the text, and what was read of it


def test_nothing_of_a_headers_variable_is_stored_or_printed_not_even_of_a_first_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHO_WE_ARE", KEY)
    audible_data(tmp_path / "data", 2)

    def repeat(asked: Asked) -> Turn:
        return (
            refused(f"the field 'seed' of {asked.headers['x-team']} is unknown") if "seed" in asked.json() else Turn()
        )

    run = ("run", "--tasks", "mmar", "--data-dir", tmp_path / "data", "--out", tmp_path / "out")
    with chatting(choose=repeat, chooses_tried=True) as chat:
        done = call(*run, "--model", chat.url, "-M", 'headers={"X-Team": "${WHO_WE_ARE}"}')
    assert chat.tried
    assert set(leaks(KEY, done.out, done.err, *files(tmp_path / "out"))) == set()
