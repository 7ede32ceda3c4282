"""`dtbench mine` against an endpoint whose pass rate on each question is known."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from chat_server import Asked, Turn, chatting
from command import Done, call
from runs import audible_data
from training_rows import CHOICES, made_rows, rows_file

from dtbench.training.data.rows import read_rows, write_rows

NUMBER = re.compile(r"number (\d+)\?")
COUNT = 10


def number_of(asked: Asked) -> int:
    found = NUMBER.search(asked.content.decode())
    assert found is not None
    return int(found[1])


class Sometimes:
    """Answers question n rightly n times, then wrongly."""

    def __init__(self) -> None:
        self.asked: Counter[int] = Counter()

    def __call__(self, asked: Asked) -> Turn:
        number = number_of(asked)
        self.asked[number] += 1
        right = self.asked[number] <= number
        return Turn(f"<think>It rings.</think>{CHOICES[(number + (not right)) % 3]}")


def mined(data: Path | str, out: Path, url: str, *options: str) -> tuple[Done, dict[str, Any]]:
    done = call("mine", data, "--out", out, "--model", url, "--json", *options)
    return done, json.loads(done.out) if done.out else {}


def test_the_rows_are_kept_whose_right_answers_lie_in_the_band(tmp_path: Path) -> None:
    path = rows_file(tmp_path, COUNT)
    with chatting(choose=Sometimes()) as chat:
        done, told = mined(path, tmp_path / "out", chat.url, "--data-dir", str(tmp_path))
        assert len(chat.asked) == 8 * COUNT
    assert (done.code, told["status"]) == (0, "done"), done
    kept = list(read_rows(Path(told["rows"])))
    assert [row.id for row in kept] == [f"r{number}" for number in range(1, 8)]
    assert [row.extra["mined"] for row in kept] == [{"right": number, "answers": 8} for number in range(1, 8)]
    assert all(row.audio.is_file() for row in kept)
    assert told["band"] == [1, 7]
    assert told["outcomes"] == {
        "kept": 7,
        "never right": 1,
        "too hard": 0,
        "too easy": 0,
        "always right": 2,
        "unfinished": 0,
    }
    assert told["right_answers"] == {**{str(n): 1 for n in range(8)}, "8": 2}
    groups = told["groups"]
    assert groups["source"]["made up"] | {"kept": 4, "always right": 1} == groups["source"]["made up"]
    assert sum(part["kept"] for part in groups["kind"].values()) == 7
    assert json.loads((tmp_path / "out" / "mined.json").read_text())["outcomes"] == told["outcomes"]
    assert any("not checked, as their data was not found" in line and " mmar, " in line for line in told["overlap"])


def test_a_narrower_band_says_what_was_too_hard_and_too_easy(tmp_path: Path) -> None:
    path = rows_file(tmp_path, COUNT)
    with chatting(choose=Sometimes()) as chat:
        _, told = mined(path, tmp_path / "out", chat.url, "--band", "3-6", "--against", "none")
    assert told["outcomes"] == {
        "kept": 4,
        "never right": 1,
        "too hard": 2,
        "too easy": 1,
        "always right": 2,
        "unfinished": 0,
    }


def test_another_band_needs_no_new_answers(tmp_path: Path) -> None:
    path = rows_file(tmp_path, COUNT)
    with chatting(choose=Sometimes()) as chat:
        mined(path, tmp_path / "out", chat.url, "--against", "none")
        asked = len(chat.asked)
        _, told = mined(path, tmp_path / "out", chat.url, "--band", "2-3", "--against", "none")
        assert len(chat.asked) == asked
    assert told["outcomes"]["kept"] == 2


def test_questions_that_failed_are_asked_again_by_the_same_command(tmp_path: Path) -> None:
    path = rows_file(tmp_path, COUNT)
    sometimes = Sometimes()
    refusals = iter([Turn(status=400)] * 4)  # too few in a row to stop the run, whatever their order

    def half(asked: Asked) -> Turn:
        return (next(refusals, None) if number_of(asked) == 3 else None) or sometimes(asked)

    with chatting(choose=half) as chat:
        done, told = mined(path, tmp_path / "out", chat.url, "--against", "none")
        assert (done.code, told["status"]) == (3, "failed")
        assert not (tmp_path / "out" / "rows.jsonl").exists()
        chat.choose = sometimes
        done, told = mined(path, tmp_path / "out", chat.url, "--against", "none")
    assert (done.code, told["outcomes"]["kept"]) == (0, 7)


def test_within_the_budget_what_has_too_few_answers_is_left_out_and_told(tmp_path: Path) -> None:
    path = rows_file(tmp_path, COUNT)
    sometimes = Sometimes()
    with chatting(choose=lambda asked: Turn(status=400) if number_of(asked) == 3 else sometimes(asked)) as chat:
        done, told = mined(path, tmp_path / "out", chat.url, "--against", "none", "--max-failed", "0.2")
    assert (done.code, told["outcomes"]["kept"], told["outcomes"]["unfinished"]) == (0, 6, 1)
    assert told["notes"] == ["1 questions have fewer than 8 answers and are left out"]


def test_a_model_that_does_not_sample_is_found_out(tmp_path: Path) -> None:
    path = rows_file(tmp_path, 4)
    with chatting(default=Turn("a bell")) as chat:
        _, told = mined(path, tmp_path / "out", chat.url, "--against", "none", "--samples", "2")
    assert told["notes"] == ["every question was always or never right: does the model sample (-M temperature=1.0)?"]


def test_a_split_of_mini_needs_no_file(tmp_path: Path) -> None:
    with chatting(choose=lambda asked: Turn("(A)")) as chat:
        done, told = mined("mini:train-2", tmp_path / "out", chat.url, "--limit", "6", "--samples", "2")
        assert len(chat.asked) == 12
    assert (done.code, told["questions"], told["overlap"]) == (
        *(0, 6),
        ["overlap: none, no two splits of mini share a clip"],
    )
    assert set(told["groups"]) == {"source", "category", "difficulty"}


def test_rows_that_overlap_a_benchmark_are_refused_before_anything_is_asked(tmp_path: Path) -> None:
    items = audible_data(tmp_path / "data" / "mmar", 4)
    rows = made_rows(tmp_path, 3)
    rows[1].audio.write_bytes((tmp_path / "data" / "mmar" / items[2]["audio_path"]).read_bytes())
    write_rows(tmp_path / "rows.jsonl", rows)
    with chatting() as chat:
        done = call(
            *("mine", tmp_path / "rows.jsonl", "--out", tmp_path / "out", "--model", chat.url),
            *("--data-dir", tmp_path / "data"),
        )
        assert chat.asked == []
    assert "1 of 3 rows overlap a benchmark, such as r1 (same clip as mmar " in done.refusal()
    assert (tmp_path / "out" / "overlaps.jsonl").is_file()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--band", "0-9"], "--band 0-9: two numbers from 0 to 8 are expected"),
        (["--band", "5-2"], "--band 5-2: two numbers"),
        (["--band", "some"], "--band some: two numbers"),
        (["--samples", "1"], "--samples 1: 2 answers or more are expected"),
        (["--limit", "0"], "--limit 0: at least 1 is expected."),
        (["--max-failed", "2"], "--max-failed 2: 0 to 1 is expected."),
        (["--against", "mmarr"], "unknown task 'mmarr'"),
    ],
)
def test_a_wrong_wish_is_one_line(tmp_path: Path, options: list[str], complaint: str) -> None:
    path = rows_file(tmp_path, 2)
    with chatting() as chat:
        assert complaint in call("mine", path, "--out", tmp_path / "out", "--model", chat.url, *options).refusal()
        assert chat.asked == []


def test_the_table_is_printed_for_people(tmp_path: Path) -> None:
    path = rows_file(tmp_path, COUNT)
    with chatting(choose=Sometimes()) as chat:
        done = call("mine", path, "--out", tmp_path / "out", "--model", chat.url, "--against", "none")
    assert done.code == 0
    assert re.search(r"Total +10 +7 +1 +0 +0 +2 +0", done.out), done.out
    assert "correct of 8   0: 1, 1: 1," in done.out
    assert done.out.rstrip().endswith("(7 kept, correct answers 1-7)")
