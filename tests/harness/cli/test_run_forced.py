"""`--answer`: prompts by style, forced choice with probabilities, and both against the free answer."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from chat_server import Asked, Chat, Turn, chatting
from command import call
from exports import exported, lines
from runs import mmar_data, records, summary
from small_data import mmau_test_json, tone

from dtbench.harness.store.run_folder import StoredRun

COUNT = 12
SHARES = {"A": 0.6, "B": 0.3, "C": 0.08, "D": 0.02}


@pytest.fixture(autouse=True)
def data(tmp_path: Path) -> None:
    for item in mmar_data(tmp_path / "data", COUNT):
        clip = tmp_path / "data" / item["audio_path"]
        clip.parent.mkdir(parents=True, exist_ok=True)
        clip.write_bytes(tone())


def run(chat: Chat, tmp_path: Path, *arguments: str) -> dict[str, Any]:
    """The summary of a run into tmp_path / out, where it lies, and what was printed of it."""
    asked = ("run", "--model", chat.url, "--tasks", "mmar", "--data-dir", tmp_path / "data", "--out", tmp_path / "out")
    done = call(*asked, "--json", *arguments)
    assert done.code == 0, done
    told = json.loads(done.out)
    return {**told["tasks"][0], "run": told["run"], "printed": call(*asked, *arguments).out}


def held(asked: Asked) -> Turn:
    """Always A where one letter is asked for, with the odds of all that may be; the second option otherwise."""
    structure = asked.json().get("structured_outputs")
    if structure is None:
        return Turn("The answer is (B).")
    tokens = {letter: math.log(SHARES[letter]) for letter in structure["choice"]}
    return Turn("A", tokens=[tokens], finish_reason="length")


def prompt_of(chat: Chat) -> str:
    parts = chat.asked[0].json()["messages"][-1]["content"]
    return str(parts[-1]["text"])


def test_a_forced_run_lies_inside_the_plain_one_and_is_told_against_it(tmp_path: Path) -> None:
    with chatting(choose=held) as chat:
        plain = run(chat, tmp_path)
        forced = run(chat, tmp_path, "--answer", "forced")
    assert forced["run"] == str(tmp_path / "out" / "answer-forced")
    assert {"forced", "vs_plain"}.isdisjoint(plain)
    told = forced["vs_plain"]
    assert (told["n"], told["unmatched"], told["no_choice"]) == (COUNT, 0, 0)
    assert told["differ"]["accuracy"] == 1
    assert (told["plain"], told["this"]) == (plain["strict"]["accuracy"], forced["strict"]["accuracy"])
    assert told["gap"]["gap"] == pytest.approx(told["this"] - told["plain"])
    assert "plain run      12 of 12 answers differ from the plain run, 100.0% (95 % interval 75." in forced["printed"]


def test_every_record_holds_the_odds_of_its_options_and_the_summary_what_they_are_worth(tmp_path: Path) -> None:
    with chatting(choose=held) as chat:
        forced = run(chat, tmp_path, "--answer", "forced")
    found = records(tmp_path / "out")
    assert len(found) == COUNT
    for record in found:
        odds = record["response"]["option_logprobs"]
        assert odds == pytest.approx([math.log(share) for share in list(SHARES.values())[: len(odds)]], abs=1e-5)
        assert record["extraction"]["how"] == "forced"
        assert record["score"]["correct"] == (record["score"]["gold_index"] == 0)
    figures = forced["forced"]["calibration"]
    confidences = [0.6 / math.fsum(list(SHARES.values())[: 2 + number % 3]) for number in range(COUNT)]
    assert figures["confidence"] == pytest.approx(math.fsum(confidences) / COUNT, abs=1e-4)
    assert figures["accuracy"] == forced["strict"]["accuracy"]
    assert sum(one["n"] for one in figures["bins"]) == COUNT
    assert "calibration    mean confidence 62." in forced["printed"]
    assert forced["confidence"]["auroc"]["value"] is None  # all are right: there are no two kinds to tell apart
    assert "AURC 0.000 (95 % interval 0.000 to 0.000)" in forced["printed"]
    assert "confidence   answers  accuracy" in forced["printed"]


def test_a_free_run_s_records_hold_nothing_of_it(tmp_path: Path) -> None:
    with chatting(choose=held) as chat:
        run(chat, tmp_path)
    for record in records(tmp_path / "out"):
        assert record["response"].keys() == {"text", "finish_reason", "usage", "seconds", "attempts"}
        assert record["score"].keys() == {"official", "correct", "raw"}


def test_an_endpoint_without_log_probabilities_is_said_to_have_none(tmp_path: Path) -> None:
    with chatting(default=Turn("A")) as chat:
        forced = run(chat, tmp_path, "--answer", "forced")
    assert forced["forced"]["note"] == "no log-probabilities from this endpoint"
    assert forced["forced"]["calibration"] is None
    assert forced["strict"]["accuracy"] is not None
    assert "forced         12 answers; no log-probabilities from this endpoint" in forced["printed"]


def test_an_endpoint_that_says_something_else_has_given_no_answer(tmp_path: Path) -> None:
    with chatting(default=Turn("The answer is (A).")) as chat:
        forced = run(chat, tmp_path, "--answer", "forced")
    assert forced["forced"]["no_letter"] == forced["unanswered"] == COUNT
    assert forced["strict"]["accuracy"] is None
    assert "12 are not a single letter and count as unanswered" in forced["printed"]


def test_answers_that_tell_too_little_are_counted(tmp_path: Path) -> None:
    turns = [Turn("A", tokens=[{"A": -2.0, "The": -2.5}]), Turn("A"), Turn("A"), Turn("<think>B")]
    with chatting(*turns, default=Turn("A", tokens=[{"A": -0.01, "B": -6.0, "C": -7.0, "D": -8.0}])) as chat:
        forced = run(chat, tmp_path, "--answer", "forced")
    assert (
        "12 answers; 1 began to reason instead: serve the model without a reasoning parser; 2 have" in forced["printed"]
    )
    assert "2 have no log-probabilities; 1 lack log-probabilities of some options" in forced["printed"]
    assert forced["forced"]["calibration"]["n"] == 8


def test_free_answers_that_were_cut_off_are_noted_and_forced_ones_are_no_such(tmp_path: Path) -> None:
    with chatting(default=Turn("A", finish_reason="length")) as chat:
        free = run(chat, tmp_path)
        forced = run(chat, tmp_path, "--answer", "forced")
    assert "12 answers were cut off at the token limit (the model's own, or -M max_tokens); 0" in free["printed"]
    assert forced["notes"] == []
    assert "finished by" not in forced["printed"]


def test_orders_of_forced_answers_are_averaged(tmp_path: Path) -> None:
    with chatting(choose=held) as chat:
        run(chat, tmp_path, "--answer", "forced")
        turned = [run(chat, tmp_path, "--answer", "forced", "--permute", str(places)) for places in (1, 2)]
    assert turned[-1]["run"] == str(tmp_path / "out" / "permute-2")
    assert turned[-1]["order_sensitivity"]["orders"] == turned[-1]["order_averaged"]["orders"] == 3
    assert turned[-1]["order_averaged"]["n"] == COUNT
    assert "strict by mean probability over 3 orders of 12 questions" in turned[-1]["printed"]


def test_clips_and_orders_lie_inside_the_style_and_are_told_against_their_like(tmp_path: Path) -> None:
    both = ("--audio", "silence", "--permute", "1")
    with chatting(choose=held) as chat:
        run(chat, tmp_path)
        run(chat, tmp_path, *both)
        run(chat, tmp_path, "--answer", "forced", "--permute", "1")
        forced = run(chat, tmp_path, "--answer", "forced", *both)
    assert forced["run"] == str(tmp_path / "out" / "answer-forced" / "audio-silence" / "permute-1")
    assert forced["vs_plain"]["n"] == forced["audio_ablation"]["n"] == COUNT
    assert forced["audio_ablation"]["gap"]["gap"] == 0


def test_runs_of_another_model_are_not_compared(tmp_path: Path) -> None:
    with chatting(choose=held, models=("one", "other")) as chat:
        run(chat, tmp_path, "-M", "model=one")
        forced = run(chat, tmp_path, "--answer", "forced", "-M", "model=other")
    assert "plain" not in forced


def test_a_forced_run_is_scored_again_from_its_records(tmp_path: Path) -> None:
    with chatting(choose=held) as chat:
        run(chat, tmp_path)
        forced = run(chat, tmp_path, "--answer", "forced", "--permute", "1")
    out = tmp_path / "out" / "answer-forced" / "permute-1"
    done = call("score", out, "--json")
    assert done.code == 0
    (again,) = json.loads(done.out)
    assert again["differ"]["n"] == 0
    assert again["forced"] == forced["forced"]


def test_where_right_answers_are_withheld_there_is_neither_accuracy_nor_calibration(tmp_path: Path) -> None:
    mmau_test_json(tmp_path / "withheld")
    with chatting(choose=held) as chat:
        asked = ("run", "--model", chat.url, "--tasks", "mmau-test", "--data-dir", tmp_path / "withheld")
        done = call(*asked, "--out", tmp_path / "out", "--answer", "forced")
    assert done.code == 0, done
    assert "forced         6 answers; confidence 60.0%" in done.out
    assert not any(word in done.out for word in ("calibration", "ECE", "accuracy  "))


def test_a_letter_is_a_place_even_where_options_are_letters_themselves(tmp_path: Path) -> None:
    path = tmp_path / "data" / "MMAR-meta.jsonl"
    items = [{**json.loads(line), "choices": ["B", "A"], "answer": "B"} for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    with chatting(choose=held) as chat:
        forced = run(chat, tmp_path, "--answer", "forced")
    out = tmp_path / "out"
    assert forced["strict"]["accuracy"] == 1
    (again,) = json.loads(call("score", out, "--json").out)
    assert (again["strict"]["accuracy"], again["differ"]["n"]) == (1, 0)
    file, _ = exported(out, "mmar", "--data-dir", tmp_path / "data")
    assert {item["answer_prediction"] for item in lines(file.read_text())} == {"B"}


def test_a_forced_run_is_resumed_and_other_styles_are_kept_out_of_its_folder(tmp_path: Path) -> None:
    with chatting(choose=held) as chat:
        asked = ("run", "--model", chat.url, "--tasks", "mmar", "--data-dir", tmp_path / "data")
        whole = call(*asked, "--out", tmp_path / "whole", "--answer", "forced")
        path = tmp_path / "out" / "mmar.jsonl"
        call(*asked, "--out", tmp_path / "out", "--answer", "forced")
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:5]))
        before = len(chat.asked)
        again = call(*asked, "--out", tmp_path / "out", "--answer", "forced")
        assert len(chat.asked) - before == COUNT - 5
        before_direct = path.read_bytes()
        direct = call(*asked, "--out", tmp_path / "out")
    assert whole.code == again.code == direct.code == 0
    assert summary(tmp_path / "whole") == summary(tmp_path / "out")
    assert direct.out.splitlines()[-1] == f"run {tmp_path / 'out' / 'answer-direct'} (done)"
    assert path.read_bytes() == before_direct


@pytest.mark.parametrize(
    ("style", "says"),
    [
        ("direct", "Answer with one of the options only, without an explanation."),
        ("think", "between <think> and </think>"),
        ("forced", "Answer with the letter of one option only."),
    ],
)
def test_each_style_has_words_of_its_own_that_run_json_tells(tmp_path: Path, style: str, says: str) -> None:
    with chatting(choose=held) as chat:
        ended = run(chat, tmp_path, "--answer", style, "--limit", "2")
        assert says in prompt_of(chat)
    about = StoredRun.open(Path(ended["run"])).info["tasks"]["mmar"]
    assert about["answer"] == style
    assert says in about["prompt"]
    assert ("forced" in about) == (style == "forced")


@pytest.mark.parametrize("style", ["direct", "think", "forced"])
def test_words_of_the_user_s_own_stand_alone_whatever_the_style(tmp_path: Path, style: str) -> None:
    words = tmp_path / "words.txt"
    words.write_text("Listen. {question}\n{options}\nJust the letter.")
    with chatting(choose=held) as chat:
        run(chat, tmp_path, "--answer", style, "--prompt", str(words), "--limit", "2")
        assert prompt_of(chat).startswith("Listen. What is heard")
        assert prompt_of(chat).endswith("Just the letter.")
        assert ("structured_outputs" in chat.asked[0].json()) == (style == "forced")


def test_a_chain_as_it_is_asked_for_is_read_without_doubt_and_told_against_the_direct_answer(tmp_path: Path) -> None:
    def thinks(asked: Asked) -> Turn:
        text = asked.json()["messages"][-1]["content"][-1]["text"]
        return Turn("<think>A bell? No: (A).</think>\nAnswer: (A)" if "<think>" in text else "(A)")

    with chatting(choose=thinks) as chat:
        run(chat, tmp_path)
        thought = run(chat, tmp_path, "--answer", "think")
    assert thought["run"] == str(tmp_path / "out" / "answer-think")
    assert thought["unanswered"] == 0
    assert thought["chains"]["n"] == COUNT
    assert thought["vs_plain"]["differ"]["accuracy"] == 0
