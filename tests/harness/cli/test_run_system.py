"""`--system`, and prompts of a model's authors by name: what is sent, what run.json keeps, what is another run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from chat_server import Chat, chatting
from command import Done, call
from runs import audible_data

LISTEN = "You listen closely."


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    audible_data(Path("data"), 3)


def run(chat: Chat, *arguments: str | Path, out: str = "out") -> Done:
    return call("run", "--model", chat.url, "--tasks", "mmar", "--data-dir", "data", "--out", out, *arguments)


def systems(chat: Chat) -> set[str | None]:
    """The system prompts that were sent."""
    said = [{one["role"]: one["content"] for one in asked.json()["messages"]} for asked in chat.asked]
    return {one.get("system") for one in said}


def stored(out: str = "out") -> Any:
    return json.loads(Path(out, "run.json").read_text())


@pytest.mark.parametrize("given", [("--system", LISTEN), ("--system", "own.txt"), ("-M", f"system={LISTEN}")])
def test_a_system_prompt_is_sent_and_is_a_part_of_the_words(given: tuple[str, str]) -> None:
    Path("own.txt").write_text(f"{LISTEN}\n")
    with chatting() as chat:
        assert run(chat, *given).code == 0
        assert systems(chat) == {LISTEN}
        about = stored()
        assert about["tasks"]["mmar"]["prompt"].startswith(f"{LISTEN}\n\n")
        assert about["request"]["system"] == LISTEN
        assert run(chat, *given).code == 0  # finished: nothing is asked
        other = run(chat)
    assert other.code == 2
    assert "was made with another prompt (first difference: 'You listen closely." in other.err


def test_a_family_brings_its_system_prompt_and_an_empty_one_takes_it_back() -> None:
    Path("mine.toml").write_text(f'[mine]\nsystem = "{LISTEN}"\nthink.system = "You think aloud."\n')
    with chatting() as chat:
        assert run(chat, "-M", "family=mine.toml").code == 0
        assert systems(chat) == {LISTEN}
        assert stored()["tasks"]["mmar"]["prompt"].startswith(LISTEN)
    with chatting() as chat:
        assert run(chat, "-M", "family=mine.toml", "--answer", "think", out="think").code == 0
        assert systems(chat) == {"You think aloud."}
    with chatting() as chat:
        assert run(chat, "-M", "family=mine.toml", "--system", "", out="none").code == 0
        assert systems(chat) == {None}
        again = call("run", "--config", "none", "--out", "again", "--model", chat.url)
        assert again.code == 0, again
        assert systems(chat) == {None}


def test_both_ways_to_give_a_system_prompt_at_once_are_refused() -> None:
    with chatting() as chat:
        done = run(chat, "--system", "a", "-M", "system=b")
    assert (done.code, done.err) == (2, "error: --system and -M system: both say the same: give one of them.\n")


def test_the_prompt_of_authors_is_sent_by_its_name_with_their_system_prompt() -> None:
    with chatting() as chat:
        assert run(chat, "--prompt", "audiomcq/mmar").code == 0
        (system,) = systems(chat)
        text = chat.asked[0].json()["messages"][-1]["content"][-1]["text"]
    assert system is not None
    assert system.startswith("You are an audio understanding model")
    assert text.endswith("Output the final answer in <answer> </answer>.")
    about = stored()
    assert about["tasks"]["mmar"]["prompt_name"] == "audiomcq/mmar"
    assert about["tasks"]["mmar"]["prompt"].startswith(system)
    assert about["request"]["prompt"] == "audiomcq/mmar"
    with chatting() as chat:
        assert call("run", "--config", "out", "--out", "again", "--model", chat.url).code == 0
        assert systems(chat) == {system}
    assert stored("again")["tasks"]["mmar"]["prompt_hash"] == about["tasks"]["mmar"]["prompt_hash"]
    assert stored("again")["tasks"]["mmar"]["prompt_name"] == "audiomcq/mmar"


def test_a_prompt_that_nobody_published_is_one_line() -> None:
    with chatting() as chat:
        done = run(chat, "--prompt", "audiomqc/mmar")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "no prompt of this name. Did you mean audiomcq/mmar" in done.err


def test_the_longest_answer_and_the_source_of_sampling_are_kept() -> None:
    with chatting() as chat:
        assert run(chat).code == 0
        assert run(chat, "--answer", "think", out="think").code == 0
        sent = [asked.json()["max_tokens"] for asked in chat.asked]
    assert sent == [2048] * 3 + [8192] * 3
    assert stored()["model"]["sampling"] == {"max_tokens": 2048}
    assert stored()["model"]["sampling_source"] == "the server's own"
    with chatting() as chat:
        assert run(chat, "-M", "max_tokens=none", out="none").code == 0
        assert "max_tokens" not in chat.asked[0].json()
    assert stored("none")["model"]["sampling"] == {}
