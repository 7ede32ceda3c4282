"""`dtbench cot` against endpoints on this machine: every step, its faults, and going on after a kill."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
from chat_server import Asked, Turn, chatting
from command import COMMAND, Done, call
from runs import PATIENCE, audible_data, interrupt, started, wait_until
from terminal import shown
from training_rows import CHOICES, made_rows, without_chain

from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.types import CotRecord
from dtbench.training.data.rows import read_rows, write_rows

COUNT = 6
NUMBER = re.compile(r"[Nn]umber (\d+)")


def text_of(asked: Asked) -> str:
    """The words of a request."""
    content = asked.json()["messages"][-1]["content"]
    return content if isinstance(content, str) else str(content[-1]["text"])


def step_of(asked: Asked) -> str:
    if b"input_audio" in asked.content:
        return "caption"
    return "question" if '{"question"' in text_of(asked) else "chain"


def models(asked: Asked) -> Turn:
    """A captioner, a writer and a reasoner that do as they are told."""
    step, text = step_of(asked), text_of(asked)
    if step == "caption":
        return Turn("A single note is heard, struck once, ringing on evenly in a quiet room without any echo.")
    if step == "question":
        made = {"question": "What rings on?", "choices": ["a bell", "a pan", "a glass", "a cup"], "answer": "a bell"}
        return Turn(json.dumps(made))
    answer = text.rpartition("So the answer is ")[2].rstrip(".")
    return Turn(
        "First the start of the note matters: it is sudden, as when metal is hit. Then it fades slowly and evenly, "
        f"which neither wind nor skin would do in such a quiet room. So the answer is {answer}."
    )


def drafts(folder: Path, *, questions: bool = True, count: int = COUNT) -> Path:
    rows = [without_chain(row) for row in made_rows(folder, count)]
    if not questions:
        rows = [dataclasses.replace(row, question="", choices=(), answer="") for row in rows]
    write_rows(folder / "drafts.jsonl", rows)
    return folder / "drafts.jsonl"


def written(data: Path, out: Path, url: str, *options: str) -> tuple[Done, dict[str, Any]]:
    named = ("--captioner", url, "--writer", url, "--against", "none", "--json")
    done = call("cot", data, "--out", out, *named, *options)
    return done, json.loads(done.out) if done.out else {}


def test_captions_questions_and_chains_are_written_and_the_rows_can_be_trained_on(tmp_path: Path) -> None:
    path = drafts(tmp_path, questions=False)
    with chatting(choose=models) as chat:
        done, told = written(path, tmp_path / "out", chat.url)
        assert len(chat.asked) == 3 * COUNT
    assert done.code == 0, done
    assert (told["drafts"], told["written"], told["rejected"], told["status"]) == (COUNT, COUNT, 0, "done")
    assert told["tokens"]["chain"] == {"prompt_tokens": 7 * COUNT, "completion_tokens": 3 * COUNT, "total_tokens": 60}
    rows = list(read_rows(Path(told["rows"])))
    assert [row.id for row in rows] == [f"r{number}" for number in range(COUNT)]
    assert {row.answer for row in rows} == {"a bell"}
    assert len({row.choices for row in rows}) > 1
    assert all(row.chain.endswith("So the answer is a bell.") and row.audio.is_file() for row in rows)


def test_the_thoughts_of_a_writer_with_tags_of_its_own_are_left_out(tmp_path: Path) -> None:
    def thinking(asked: Asked) -> Turn:
        return Turn(f"<n>I was told that it is a bell, as the caption says.</n>{models(asked).text}")

    with chatting(choose=thinking) as chat:
        done, told = written(drafts(tmp_path, questions=False), tmp_path / "out", chat.url, "-M", "chain=<n>,</n>")
    assert (done.code, told["written"], told["rejected"]) == (0, COUNT, 0), done
    assert not any("I was told" in f"{row.chain}{row.extra}" for row in read_rows(Path(told["rows"])))


def test_a_question_that_is_there_is_kept_and_the_caption_step_knows_nothing_of_it(tmp_path: Path) -> None:
    path = drafts(tmp_path)
    with chatting(choose=models) as chat:
        _, told = written(path, tmp_path / "out", chat.url)
        by_step = {step: [one for one in chat.asked if step_of(one) == step] for step in ("caption", "question")}
    assert by_step["question"] == []
    for asked in by_step["caption"]:
        assert not any(word in text_of(asked) for word in ("Which instrument", *CHOICES, "number"))
    rows = list(read_rows(Path(told["rows"])))
    assert [row.question for row in rows] == [row.question for row in made_rows(tmp_path, COUNT)]
    assert all(row.chain.endswith(f"So the answer is {row.answer}.") for row in rows)


def test_a_row_with_a_caption_needs_no_captioner(tmp_path: Path) -> None:
    rows = [dataclasses.replace(without_chain(row), extra={"caption": "One note."}) for row in made_rows(tmp_path, 2)]
    write_rows(tmp_path / "drafts.jsonl", rows)
    with chatting(choose=models) as chat:
        done = call("cot", tmp_path / "drafts.jsonl", "--out", tmp_path / "out", "--reasoner", chat.url)
        assert {step_of(one) for one in chat.asked} == {"chain"}
    assert done.code == 0, done
    assert "written 2" in done.out


def test_what_is_turned_away_is_asked_again_and_then_kept_with_its_reason(tmp_path: Path) -> None:
    path = drafts(tmp_path)

    def stubborn(asked: Asked) -> Turn:
        if step_of(asked) == "chain" and "number 3" in text_of(asked):
            return Turn(str(models(asked).text).replace("answer is a bell", "answer is a flute"))
        return models(asked)

    with chatting(choose=stubborn) as chat:
        done, told = written(path, tmp_path / "out", chat.url)
        seeds = [one.json()["seed"] for one in chat.asked if step_of(one) == "chain" and "number 3" in text_of(one)]
    assert (done.code, told["written"], told["rejected"]) == (0, COUNT - 1, 1)
    assert seeds == [0, 1000, 2000]
    assert told["rejected_why"] == {"chain: it contradicts the answer": 1}
    (reject,) = [json.loads(one) for one in (tmp_path / "out" / "rejects.jsonl").read_text().splitlines()]
    assert (reject["id"], reject["step"]) == ("r3", "chain")
    assert reject["why"] == "it contradicts the answer: it concludes 'a flute', right is 'a bell'"
    assert reject["text"].endswith("So the answer is a flute.")


def test_a_second_start_asks_only_for_what_is_missing(tmp_path: Path) -> None:
    path = drafts(tmp_path)

    def down_for_chains(asked: Asked) -> Turn:
        return Turn(status=400) if step_of(asked) == "chain" and "number 4" in text_of(asked) else models(asked)

    with chatting(choose=down_for_chains) as chat:
        done, told = written(path, tmp_path / "out", chat.url)
        assert (done.code, told["status"], told["failed"], told["written"]) == (3, "failed", 1, COUNT - 1)
        asked = len(chat.asked)
        chat.choose = models
        done, told = written(path, tmp_path / "out", chat.url)
        assert (done.code, told["written"], len(chat.asked)) == (0, COUNT, asked + 1)


def test_a_model_that_is_down_stops_it(tmp_path: Path) -> None:
    path = drafts(tmp_path, count=20)
    with chatting(choose=lambda asked: Turn(status=400)) as chat:
        done, _ = written(path, tmp_path / "out", chat.url, "--concurrency", "2")
        assert len(chat.asked) < 20
    assert "requests all failed, the run stops here" in done.refusal(3)
    log = (tmp_path / "out" / "run" / "run.log").read_text()
    assert log.count("failed requests, ") >= 8
    assert log.splitlines()[-1].endswith("ended: failed")


@pytest.mark.parametrize("signal", ["kill", "interrupt"])
def test_stopped_anywhere_the_same_command_goes_on(tmp_path: Path, signal: str) -> None:
    path = drafts(tmp_path, count=12)
    out = tmp_path / "out"
    with chatting(choose=lambda asked: dataclasses.replace(models(asked), delay=0.05)) as chat:
        arguments: list[str | Path] = [
            "cot",
            path,
            "--out",
            out,
            "--captioner",
            chat.url,
            "--writer",
            chat.url,
            "--against",
            "none",
        ]
        with started(*arguments[1:], command="cot") as process:
            wait_until(lambda: sum(len(list(_records(out, step))) for step in ("caption", "chain")) >= 7)
            process.kill() if signal == "kill" else interrupt(process)
            process.communicate(timeout=PATIENCE)
        kept = {step: {record["id"] for record in _records(out, step)} for step in ("caption", "chain")}
        asked = len(chat.asked)
        assert call(*map(str, arguments)).code == 0
        assert len(chat.asked) - asked == 2 * 12 - sum(map(len, kept.values()))
    assert len(list(read_rows(out / "rows.jsonl"))) == 12


def _records(out: Path, step: str) -> list[CotRecord]:
    if not (out / "run" / "run.json").is_file():
        return []
    return list(StoredRun.open(out / "run", "cot").records_as(step, CotRecord))


def test_drafts_that_overlap_a_benchmark_are_refused_before_anything_is_asked(tmp_path: Path) -> None:
    items = audible_data(tmp_path / "data" / "mmar", 3)
    path = drafts(tmp_path)
    (tmp_path / "clips" / "2.wav").write_bytes((tmp_path / "data" / "mmar" / items[1]["audio_path"]).read_bytes())
    with chatting(choose=models) as chat:
        done = call(
            *("cot", path, "--out", tmp_path / "out", "--captioner", chat.url, "--writer", chat.url),
            *("--data-dir", tmp_path / "data"),
        )
        assert chat.asked == []
    assert "1 of 6 rows overlap a benchmark, such as r2 (same clip as mmar " in done.refusal()


def test_a_wrong_wish_is_one_line(tmp_path: Path) -> None:
    path = drafts(tmp_path)
    out = ("--out", tmp_path / "out", "--against", "none")
    assert "--captioner-base-url is missing: rows lack a caption" in call("cot", path, *out).refusal()
    assert "--captioner-base-url nowhere: this is no URL" in call("cot", path, *out, "--captioner", "nowhere").refusal()
    write_rows(tmp_path / "whole.jsonl", made_rows(tmp_path, 2))
    assert "there is nothing to write" in call("cot", tmp_path / "whole.jsonl", *out).refusal()
    assert "there is no such file" in call("cot", tmp_path / "gone.jsonl", *out).refusal()
    assert "--limit 0: at least 1 is expected." in call("cot", path, *out, "--limit", "0").refusal()
    assert "--concurrency 0: at least 1 is expected." in call("cot", path, *out, "--concurrency", "0").refusal()
    assert "--max-failed -1: 0 to 1 is expected." in call("cot", path, *out, "--max-failed", "-1").refusal()


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_on_a_terminal_rows_are_counted_in_one_line(tmp_path: Path, columns: int) -> None:
    data = drafts(tmp_path)

    def slowly(asked: Asked) -> Turn:
        return dataclasses.replace(models(asked), delay=0.2)

    with chatting(choose=slowly) as chat:
        asked = ("cot", str(data), "--captioner", chat.url, "--writer", chat.url, "--out", str(tmp_path / "out"))
        more = ("--against", "none", "--concurrency", "2")
        done = shown([*COMMAND, *asked, *more], columns, stdout_apart=True)
    assert done.code == 0, done.screen
    states = [line for line in done.states if re.match(rf"cot .*\d/{COUNT}", line)]
    assert len(states) > 3
    assert all(len(line) < columns for line in states)
    assert re.fullmatch(r"cot ([#.]+ )?6/6 rows [\d.]+/s(, 0 rejected)?(, 0 failed)?(, \d+ tokens/s)?", states[-1])
    assert len([line for line in done.left if f"/{COUNT} rows" in line]) == 1
