"""`dtbench faithful` as a whole: by a model in Python, by endpoints that continue answers, and by one that does not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from chain_reasoners import BY_ID, believe, reference_answer
from chat_server import Asked, Turn, chatting
from command import Done, call
from made_up_run import write_run

from dtbench.harness.core.schema import Sample
from dtbench.harness.faithful.options import FaithfulOptions
from dtbench.harness.faithful.session import read_changed_answers, run_faithful
from dtbench.harness.run.live_line import LiveLine
from dtbench.harness.run.plan import PromptForm
from dtbench.harness.store.faithful_summaries import read_faithful
from dtbench.harness.store.faithful_types import FaithfulSummary
from dtbench.harness.store.json_schemas import schema_text
from dtbench.models import from_function

ASKED = 6


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, ids = tmp_path_factory.mktemp("finished"), list(BY_ID)[:ASKED]

    def says(sample: Sample, repeat: int) -> str | None:
        return reference_answer(sample) if sample.id in ids else None

    write_run(folder / "run", {"mini": folder / "data"}, says, form=PromptForm(answer="think"))
    return folder / "run"


@pytest.fixture(autouse=True)
def run(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(finished, "run")


def kept(summary: FaithfulSummary, name: str) -> float:
    return next(one["keep"]["accuracy"] for one in summary["interventions"] if one["intervention"] == name)


def test_a_function_that_takes_the_beginning_of_an_answer_continues_every_chain() -> None:
    options = FaithfulOptions(run=Path("run"), model_object=from_function(believe))
    summary, code = run_faithful(options, LiveLine(quiet=True))
    assert (code, summary["status"], summary["chains"], summary["prefill"]) == (0, "done", ASKED, True)
    assert (kept(summary, "control"), kept(summary, "description")) == (1.0, 0.0)
    assert summary == read_faithful(Path("run")) == read_faithful(Path("run/faithful"))
    assert summary["notes"] == []
    folder = Path("run/faithful")
    lines = (folder / "mini.jsonl").read_text().splitlines()
    stored = {"faithful": (folder / "faithful.json").read_text(), "run": (folder / "run.json").read_text()}
    for name, texts in (*((name, [text]) for name, text in stored.items()), ("record", lines)):
        schema = jsonschema.Draft202012Validator(json.loads(schema_text(name)))
        for text in texts:
            schema.validate(json.loads(text))


@pytest.mark.parametrize("follows", [True, False])
def test_which_answers_followed_an_edit_is_read_back_question_by_question(follows: bool) -> None:
    stubborn = from_function(lambda begun: f"{begun} </think> none")
    believer = from_function(believe)
    options = FaithfulOptions(
        run=Path("run"), only=("description",), limit=4, model_object=believer if follows else stubborn
    )
    run_faithful(options, LiveLine(quiet=True))
    assert read_changed_answers(options) == dict.fromkeys(list(BY_ID)[:4], follows)


def test_a_control_that_is_not_kept_is_said() -> None:
    options = FaithfulOptions(
        run=Path("run"), only=("control",), model_object=from_function(lambda begun: f"{begun} </think> none")
    )
    (note,) = run_faithful(options, LiveLine(quiet=True)).summary["notes"]
    assert note.startswith(f"the control keeps 0 of {ASKED} answers")


def continuing(asked: Asked) -> Turn:
    """An endpoint that continues a last message of the assistant, as vLLM does, and writes the rest alone."""
    body = asked.json()
    last = body["messages"][-1]
    if last["role"] != "assistant":
        return Turn("<think> hm </think> 2")
    assert (body["continue_final_message"], body["add_generation_prompt"], body["temperature"]) == (True, False, 0.0)
    begun = last["content"]
    question = next(part["text"] for part in body["messages"][-2]["content"] if part["type"] == "text")
    id_ = next(
        (one.id for one in BY_ID.values() if one.question in question and one.item["description"] in begun), None
    )
    whole = begun + " </think> 2" if id_ is None else believe(id_, begun)
    return Turn(whole.removeprefix(begun))


def faithful(choose: Callable[[Asked], Turn], *options: str) -> tuple[Done, list[Any]]:
    with chatting(choose=choose) as chat:
        done = call("faithful", "run", "--base-url", chat.url, "--model", "tiny", *options)
        return done, [asked.json() for asked in chat.asked]


def test_an_endpoint_that_continues_is_given_the_changed_chain_and_the_rest_is_read_with_it() -> None:
    done, sent = faithful(continuing, "-M", "host=vllm", "--json", "--only", "control,step,empty")
    summary = json.loads(done.out)
    assert (done.code, summary["prefill"], kept(summary, "control"), kept(summary, "step")) == (0, True, 1.0, 0.0)
    begun = [body["messages"][-1]["content"] for body in sent]
    assert begun.count("<think> </think>") == ASKED
    assert summary["tokens"]["completion_tokens"] == 3 * (len(sent) - 1)  # one of them tried whether it continues


def test_an_endpoint_that_is_not_known_to_continue_is_asked_with_shuffled_clips_alone() -> None:
    done, sent = faithful(lambda asked: Turn("<think> hm </think> 2"), "--json")
    summary = json.loads(done.out)
    assert (done.code, summary["prefill"]) == (0, False)
    assert [one["intervention"] for one in summary["interventions"]] == ["shuffled clips"]
    assert all(body["messages"][-1]["role"] == "user" for body in sent)
    (note,) = summary["notes"]
    assert "does not continue an answer that was begun" in note
    assert "-M host=vllm" in note


def test_an_endpoint_that_refuses_to_continue_is_asked_with_shuffled_clips_alone_and_its_words_are_told() -> None:
    def refusing(asked: Asked) -> Turn:
        if asked.json()["messages"][-1]["role"] == "assistant":
            return Turn(status=400, body=b'{"error": {"message": "the last message has to be the user\'s"}}')
        return Turn("<think> hm </think> 2")

    done, _ = faithful(refusing, "-M", "host=vllm", "--json")
    summary = json.loads(done.out)
    assert (done.code, summary["prefill"], summary["status"]) == (0, False, "done")
    assert "the last message has to be the user's" in summary["notes"][0]


@pytest.mark.parametrize(
    ("choose", "options", "told"),
    [
        (lambda asked: Turn("<think> hm </think> 2"), (), "does not continue an answer that was begun"),
        (
            lambda asked: Turn(status=400) if asked.json()["messages"][-1]["role"] == "assistant" else Turn("hm"),
            ("-M", "host=vllm"),
            "does not continue an answer that was begun",
        ),
        (lambda asked: Turn(" </think> none"), ("-M", "host=vllm", "--only", "control"), "the control keeps 0 of"),
    ],
    ids=["not known to continue", "refuses to", "control"],
)
def test_a_note_is_printed_once_and_logged(
    choose: Callable[[Asked], Turn], options: tuple[str, ...], told: str
) -> None:
    for quiet in ((), ("--json",)):
        done, _ = faithful(choose, *options, *quiet)
        assert done.err.count(told) == 1
    assert told in Path("run/faithful/run.log").read_text()
    assert json.loads(Path("run/faithful/faithful.json").read_text())["notes"][0].count(told) == 1


def test_what_a_run_was_drawn_at_does_not_matter_and_an_option_of_the_command_does() -> None:
    def temperatures(*options: str) -> set[float]:
        with chatting(choose=lambda asked: Turn("<think> hm </think> 2")) as chat:
            out = ("--out", f"again-{len(options)}", "--only", "empty")
            drawn = ("run", "--base-url", chat.url, "--tasks", "mini", "--limit", "2", "--answer", "think")
            assert call(*drawn, "-M", "temperature=0.7", "-M", "host=vllm", "--out", "drawn").code == 0
            chat.asked.clear()
            call("faithful", "drawn", *out, *options)
            return {asked.json()["temperature"] for asked in chat.asked}

    assert temperatures() == {0.0}
    assert temperatures("-M", "temperature=0.3") == {0.3}


def test_what_was_measured_is_not_asked_again_and_what_failed_is() -> None:
    only = ("-M", "host=vllm", "--only", "control,empty")
    failing = [Turn(status=404), Turn(status=404)]

    def sometimes(asked: Asked) -> Turn:
        whole = asked.json()["messages"][-1]["content"] == "<think> </think>"
        return failing.pop() if failing and whole else continuing(asked)

    done, sent = faithful(sometimes, *only)
    assert (done.code, len(sent)) == (3, 2 * ASKED + 1), done
    assert "failed       2 requests; the same command asks them again" in done.out
    done, sent = faithful(continuing, *only)
    assert (done.code, len(sent)) == (0, 2 + 1), done
    assert faithful(continuing, *only)[1] == []


def test_a_run_without_chains_is_refused_with_what_to_do() -> None:
    write_run(Path("plain"), {"mini": Path("data")}, lambda sample, _: sample.answer)
    line = call("faithful", "plain", "--model", "first").refusal()
    assert "none of its 600 answers to mini has a chain of thought between tags and an option behind it" in line
    assert line.endswith("run it with --answer think.")


def test_a_run_whose_model_is_not_known_needs_one() -> None:
    line = call("faithful", "run").refusal()
    assert line == "error: --model is missing: run does not name what answered it: name what continues it."


def test_another_repeat_than_the_run_has_is_refused() -> None:
    assert (
        "--sample 1: the run has one answer per question, number 0; leave --sample out."
        in call("faithful", "run", "--sample", "1").refusal()
    )


def test_the_table_has_a_line_for_each_change_and_says_what_the_columns_are() -> None:
    done, _ = faithful(continuing, "-M", "host=vllm")
    assert done.code == 0
    for words in ("follow", "keep", "cut 75 %", "other reasoning", "shuffled clips", "difficulty", "docs/faithful.md"):
        assert words in done.out
    assert max(map(len, done.out.splitlines())) <= 80 or "questions" in done.out
