"""`--paraphrase`, `--permute all` and `cyclic`: the same questions in other words and orders, and what that moves."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from chat_server import Turn, chatting
from command import Done, call
from runs import audible_data, records
from small_data import Item, write_json

import dtbench
from dtbench.harness.store.run_folder import StoredRun

COUNT = 6


@pytest.fixture
def items(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Item]:
    monkeypatch.chdir(tmp_path)
    return audible_data(Path("data"), COUNT)


def words(*rows: dict[str, Any], path: str = "words.jsonl") -> Path:
    Path(path).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Path(path)


def run(model: str, *arguments: str | Path) -> Done:
    return call("run", "--model", model, "--tasks", "mmar", "--data-dir", "data", "--out", "out", *arguments)


def first_paraphrases(items: list[Item]) -> list[dict[str, Any]]:
    return [{"id": item["id"], "question": f"In other words: {item['question']}"} for item in items]


def second_paraphrases(items: list[Item]) -> list[dict[str, Any]]:
    return [{"id": item["id"], "choices": [f"rather {one}" for one in item["choices"]]} for item in items]


def test_reworded_options_are_scored_and_stored_in_the_words_of_the_data(items: list[Item]) -> None:
    file = words(*first_paraphrases(items), *second_paraphrases(items))
    assert run("echo-gold").code == 0
    done = run("echo-gold", "--paraphrase", file, "--json")
    assert done.code == 0, done
    told = json.loads(done.out)
    assert [one["run"] for one in told["runs"]] == ["out/paraphrase-1", "out/paraphrase-2"]
    for one, item in zip(sorted(records(Path("out/paraphrase-2")), key=lambda r: r["id"]), items, strict=True):
        assert one["response"]["text"].endswith(f"rather {item['answer']}")
        assert one["extraction"]["choice"] == item["answer"]
        assert one["score"]["correct"] is True
        assert one["score"]["official"]["correct"] is True
        assert one["score"]["raw"] is None
    (moved,) = told["robustness"]["mmar"]
    assert (moved["form"], moved["runs"], moved["n"]) == ("--paraphrase", 2, COUNT)
    assert (moved["consistency"], moved["correctness"], moved["gap"]["gap"]) == (1, 1, 0)
    again = call("score", "out/paraphrase-2", "--json")
    assert json.loads(again.out)[0]["differ"]["n"] == 0


def test_run_json_says_which_words_and_another_file_is_another_run(items: list[Item]) -> None:
    file = words(*first_paraphrases(items))
    assert run("first", "--paraphrase", file).code == 0
    about = StoredRun.open(Path("out")).info["tasks"]["mmar"]["paraphrase"]
    assert (about["file"], about["number"]) == ("words.jsonl", 1)
    assert Path("out/paraphrases.ndjson").read_bytes() == file.read_bytes()
    words(*({**row, "question": "Else?"} for row in first_paraphrases(items)))
    other = run("first", "--paraphrase", file)
    assert other.code == 2
    assert "out was made with another file of paraphrases (words.jsonl, number 1, sha256" in other.err
    assert run("first").code == 0
    assert Path("out/paraphrase-0/run.json").exists()


REFUSED: dict[str, tuple[list[dict[str, Any]], tuple[str, ...], str]] = {
    "unknown": ([{"id": "nobody", "question": "Who?"}], (), "1 of its 7 ids are not in"),
    "number": ([], ("--wording", "3"), "--wording 3: words.jsonl has 1 paraphrases of a question at most"),
    "choices": ([{"id": "0", "choices": ["one", "two", "three"]}], ("--wording", "2"), "has 4 options, its paraphrase"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_words_that_do_not_fit_the_questions_are_refused(items: list[Item], case: str) -> None:
    more, arguments, told = REFUSED[case]
    more = [{**row, "id": items[0]["id"]} if row["id"] == "0" else row for row in more]
    done = run("first", "--paraphrase", words(*first_paraphrases(items), *more), *arguments)
    assert done.code == 2
    assert told in done.err
    assert not Path("out").exists()


def test_a_question_without_a_paraphrase_is_told_and_can_be_left_out(items: list[Item]) -> None:
    file = words(*first_paraphrases(items)[1:])
    done = run("first", "--paraphrase", file)
    assert done.code == 2
    assert (
        f"1 of the {COUNT} questions of mmar that are asked have no paraphrase (first: {items[0]['id']!r})" in done.err
    )
    Path("ids.txt").write_text("".join(f"{item['id']}\n" for item in items[1:]))
    assert run("first", "--paraphrase", file, "--ids", "ids.txt").code == 0
    assert run("first", "--wording", "1").code == 2


def test_all_orders_are_asked_once_each_and_a_model_of_one_position_is_found_out(items: list[Item]) -> None:
    done = run("first", "--permute", "all", "--json")
    assert done.code == 0, done
    told = json.loads(done.out)
    assert [one["run"] for one in told["runs"]] == ["out", *(f"out/order-{number}" for number in range(2, 25))]
    chosen = Counter(
        (record["id"], record["extraction"]["choice"]) for one in told["runs"] for record in records(Path(one["run"]))
    )
    assert set(chosen.values()) == {6}
    assert len(chosen) == 4 * COUNT
    (moved,) = told["robustness"]["mmar"]
    assert (moved["form"], moved["runs"], moved["answers"]) == ("--permute", 23, 23 * COUNT)
    assert moved["correctness"] == pytest.approx(1 / 4)
    # Of 276 pairs of 24 answers, 15 in each of four options are the same.
    assert moved["consistency"] == pytest.approx(4 * 15 / 276)
    assert (moved["right_in_all"], moved["right_in_some"]) == (0, 1)
    (position,) = moved["positions"]
    assert position["chosen"] == [24 * COUNT, 0, 0, 0]
    assert position["right"] == [6 * COUNT] * 4
    assert position["recall"] == [1, 0, 0, 0]
    shown = call("score", "out")
    assert "what moves the score:" in shown.out
    assert re.search(r"--permute \(23\) +6 ", shown.out)


def test_cyclic_orders_are_the_rotations_and_one_order_can_be_asked_alone(items: list[Item]) -> None:
    done = run("first", "--permute", "cyclic", "--json")
    assert [one["run"] for one in json.loads(done.out)["runs"]] == ["out", *(f"out/permute-{n}" for n in (1, 2, 3))]
    assert run("first", "--permute", "all:7").code == 0
    about = StoredRun.open(Path("out/order-7")).info["tasks"]["mmar"]
    assert (about["permute"], about["order"]) == (0, 7)
    again = call("run", "--config", "out/order-7", "--out", "again")
    assert again.code == 0, again
    assert StoredRun.open(Path("again")).info["tasks"]["mmar"]["order"] == 7


def test_rotations_that_show_the_same_are_counted_once(items: list[Item]) -> None:
    two = [{**item, "choices": item["choices"][:2], "answer": item["choices"][0]} for item in items[:3]]
    write_json(Path("data/MMAR-meta.jsonl"), [*two, *items[3:]])
    done = run("first", "--permute", "cyclic", "--json")
    assert done.code == 0, done
    (moved,) = json.loads(done.out)["robustness"]["mmar"]
    assert moved["answers"] == 3 * 1 + 3 * 3


def test_questions_of_fewer_options_are_left_out_of_orders_that_they_have_not(items: list[Item]) -> None:
    two = [{**item, "choices": item["choices"][:2], "answer": item["choices"][0]} for item in items[:3]]
    write_json(Path("data/MMAR-meta.jsonl"), [*two, *items[3:]])
    assert run("first", "--permute", "all").code == 0
    asked = [len(records(Path(f"out/order-{number}"))) for number in (2, 3, 24)]
    assert asked == [6, 3, 3]


@pytest.mark.parametrize("text", ["some", "all:0", "all:25", "-1"])
def test_an_order_that_there_is_not_is_refused(text: str, items: list[Item]) -> None:
    done = run("first", f"--permute={text}")
    assert done.code == 2
    assert "at least 0 is expected" in done.err if text == "-1" else "all:2 to all:24 for one of all" in done.err


def test_words_and_orders_go_together(items: list[Item]) -> None:
    file = words(*second_paraphrases(items))
    done = run("echo-gold", "--paraphrase", file, "--permute", "cyclic", "--json")
    assert done.code == 0, done
    told = json.loads(done.out)
    assert [one["run"] for one in told["runs"]] == ["out", *(f"out/permute-{n}" for n in (1, 2, 3))]
    assert [one["tasks"][0]["strict"]["accuracy"] for one in told["runs"]] == [1, 1, 1, 1]


def test_several_runs_from_a_plan_are_told_before_they_begin(items: list[Item]) -> None:
    done = run("first", "--permute", "all", "--dry-run")
    assert done.code == 0
    assert "these are 24 runs; of the first of them:" in done.err
    assert not Path("out").exists()


def test_the_words_of_a_paraphrase_are_what_an_endpoint_gets(items: list[Item]) -> None:
    rows = [{**one, **other} for one, other in zip(first_paraphrases(items), second_paraphrases(items), strict=True)]
    with chatting(Turn("(B)")) as chat:
        done = run(chat.url, "--paraphrase", words(*rows))
        texts = [str(json.loads(asked.content)["messages"][0]["content"]) for asked in chat.asked]
    assert done.code == 0, done
    assert len(texts) == COUNT
    assert all("In other words: " in text and text.count("rather ") == 4 for text in texts)


def test_compare_says_how_often_both_forms_choose_the_same(items: list[Item]) -> None:
    assert run("first").code == run("first", "--permute", "2").code == 0
    assert run("echo-gold", "--out", "gold").code == 0
    turned = call("compare", "out", "out/permute-2", "--json")
    assert json.loads(turned.out)[0]["same_choice"]["accuracy"] == 0
    shown = call("compare", "gold", "gold")
    assert f"same      100.0% of {COUNT} questions have the same choice in both" in shown.out


def test_questions_without_options_have_no_orders(items: list[Item]) -> None:
    Path("open.py").write_text(
        "from dtbench import NoClip, Sample, Task, make_scorer\n\n\n"
        "class Open(Task):\n"
        '    name = "open"\n    scorers = (make_scorer("exact"),)\n\n'
        "    def samples(self, data_dir):\n"
        '        yield Sample("1", "What is it?", (), "a bell", NoClip("1"))\n'
    )
    done = call("run", "--model", "random", "--task-file", "open.py", "--permute", "all", "--out", "out")
    assert done.code == 2
    assert "--permute all: no question has several options: leave it out." in done.err


def test_a_form_is_in_the_frame_of_runs_and_a_run_is_repeated_in_its_words(items: list[Item]) -> None:
    file = words(*first_paraphrases(items), *second_paraphrases(items))
    assert run("first", "--paraphrase", file, "--wording", "2").code == 0
    frame = dtbench.runs_df("out")
    assert [int(frame[name].iloc[0]) for name in ("permute", "order", "paraphrase")] == [0, 1, 2]
    again = call("run", "--config", "out", "--out", "again")
    assert again.code == 0, again
    assert StoredRun.open(Path("again")).info["tasks"]["mmar"]["paraphrase"]["number"] == 2


def test_python_is_told_that_several_forms_are_several_runs(items: list[Item]) -> None:
    with pytest.raises(dtbench.UserError, match="--permute all: these are several runs"):
        dtbench.run("first", "mmar", data_dir="data", out="out", permute="all")
    file = words(*first_paraphrases(items), *second_paraphrases(items))
    with pytest.raises(dtbench.UserError, match="--wording 1 to 2 names one"):
        dtbench.run("first", "mmar", data_dir="data", out="out", paraphrase=file)
    one = dtbench.run("first", "mmar", data_dir="data", out="out", paraphrase=file, wording=1, permute="all:3")
    assert one.path == Path("out")
