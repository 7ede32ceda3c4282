"""Marks of scorers in records, summaries, comparisons and frames: partial ones, several, and those that wait."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from command import call
from made_up_run import answered, failed

import dtbench
from dtbench import NoClip, Sample, Task, make_scorer
from dtbench.harness.core.schema import WAITING, Mark
from dtbench.harness.score.outcomes import Outcomes
from dtbench.harness.score.summary import summarise
from dtbench.harness.stats.intervals import marks_interval, wilson
from dtbench.harness.store.types import mark_of

WORDS = ("soft", "low", "bell")


def share_of_words(sample: Sample, text: str) -> float | None:
    """A third for each word of the answer that is said."""
    words = text.split()
    return sum(word in words for word in WORDS) / 3 if words else None


def later(sample: Sample, text: str) -> Mark:
    return WAITING if text else Mark(None, why="nothing was said")


def asked(number: int, kind: str = "open") -> Sample:
    return Sample(f"q{number}", "What rings?", (), "soft low bell", NoClip(f"q{number}"), {"kind": kind})


def open_task(*scorers: Any) -> Task:
    task = Task.of([asked(number, "odd" if number % 2 else "even") for number in range(12)], name="open")
    task.scorers = [make_scorer(one) if callable(one) or isinstance(one, str) else one for one in scorers]
    return task


SAID = ("soft low bell", "bell", "soft bell", "a horn", "", "bell") * 2


def records_of(task: Task) -> list[Any]:
    samples = list(task.samples(None))
    return [answered(task, sample, text) for sample, text in zip(samples, SAID, strict=True)]


def test_a_record_holds_each_mark_and_the_partial_one_of_the_official_scorer() -> None:
    task = open_task(share_of_words, "exact")
    sample = next(iter(task.samples(None)))
    record = answered(task, sample, "<think>hm</think> a soft bell")
    assert record["score"] == {
        "official": {"correct": False, "counted": True, "why": "", "mark": 2 / 3},
        "correct": False,
        "raw": None,
        "marks": {"share_of_words": 2 / 3, "exact": 0.0},
    }
    assert record["extraction"]["choice"] == "a soft bell"
    assert mark_of(record["score"]["official"]) == 2 / 3
    assert mark_of({"correct": True, "counted": True, "why": ""}) == 1.0
    assert mark_of({"correct": False, "counted": False, "why": "failed"}) is None


def test_the_summary_has_the_mean_of_the_marks_with_an_interval_that_fits_them() -> None:
    task = open_task(share_of_words, "exact")
    records = [*records_of(task), failed(asked(12))]
    summary = summarise(task, records, expected=13)
    official, strict = summary["official"], summary["strict"]
    mean = (2 * 1 + 4 / 3 + 2 * 2 / 3) / 12
    assert (official["correct"], official["counted"]) == (2, 12)
    assert official["accuracy"] == pytest.approx(mean)
    low, high = marks_interval({1.0: 2, 1 / 3: 4, 2 / 3: 2, 0.0: 4})
    assert (official["low"], official["high"]) == (low, high)
    assert (strict["correct"], strict["n"], summary["unanswered"]) == (2, 13, 2)
    even = official["groups"]["kind"]["even"]
    assert (even["correct"], even["counted"]) == (2, 6)
    assert even["accuracy"] == pytest.approx((2 + 2 * 2 / 3) / 6)
    scorers = summary["scorers"]
    assert list(scorers) == ["share_of_words", "exact"]
    assert scorers["share_of_words"] == {
        "mean": pytest.approx(mean),
        "low": low,
        "high": high,
        "n": 12,
        "waiting": 0,
    }
    assert scorers["exact"]["mean"] == 2 / 12
    assert (scorers["exact"]["low"], scorers["exact"]["high"]) == wilson(2 / 12, 12)


def test_full_marks_alone_have_the_interval_of_right_and_wrong_answers() -> None:
    task = open_task("exact")
    official = summarise(task, records_of(task), expected=12)["official"]
    assert official["accuracy"] == 2 / 12
    assert (official["low"], official["high"]) == wilson(2 / 12, 12)


def test_the_summary_does_not_depend_on_the_order_of_partial_marks() -> None:
    task = open_task(share_of_words, "exact")
    samples = list(task.samples(None))
    records = [
        answered(task, one, text, repeat) for repeat in range(3) for one, text in zip(samples, SAID, strict=True)
    ]
    mixed = random.Random(3).sample(records, len(records))
    shared = {"q0": 0, "q1": 0, "q2": 1, "q3": 1}
    one, other = (summarise(task, each, expected=36, samples_k=3, shared=shared) for each in (records, mixed))
    assert json.dumps(one) == json.dumps(other)
    assert one["clustered"] is not None
    assert one["clustered"]["clips"] == 10
    repeats = one["repeats"]
    assert repeats is not None
    assert repeats["official"]["each"] == [pytest.approx((2 + 4 / 3 + 4 / 3) / 12)] * 3


def test_a_mark_that_waits_is_in_no_score_and_a_note_says_what_gives_it() -> None:
    task = open_task(later)
    summary = summarise(task, records_of(task), expected=12)
    assert (summary["official"]["counted"], summary["official"]["accuracy"]) == (2, None)
    assert (summary["strict"]["n"], summary["unanswered"]) == (2, 2)
    assert summary["scorers"]["later"] == {
        "mean": 0.0,
        "low": 0.0,
        "high": pytest.approx(0.6576, abs=1e-4),
        "n": 2,
        "waiting": 10,
    }
    assert summary["dropped_why"] == {"waits for a second pass": 10}
    assert summary["notes"] == [
        "10 answers wait for the scorer later: `dtbench judge RUN --scorer later --base-url URL` marks them"
    ]


def test_a_reader_of_their_own_stands_in_until_the_official_marks_are_there() -> None:
    task = open_task(later, "exact")
    record = answered(task, asked(0), "soft low bell")
    assert record["score"]["correct"] is True
    assert (record["score"]["waits"], record["score"]["marks"]) == (["later"], {"later": None, "exact": 1.0})
    summary = summarise(task, records_of(task), expected=12)
    assert (summary["strict"]["correct"], summary["strict"]["n"]) == (2, 12)


def test_equal_open_answers_are_one_vote_whatever_their_case() -> None:
    task = open_task("exact")
    texts = ("Soft low bell.", "soft  low bell", "a horn")
    records = [answered(task, asked(0), text, repeat) for repeat, text in enumerate(texts)]
    repeats = summarise(task, records, expected=3, samples_k=3)["repeats"]
    assert repeats is not None
    assert repeats["majority"]["accuracy"] == 1.0
    assert {answer.choice for answer in Outcomes(records).answers()} == {"soft low bell", "a horn"}


TASK_FILE = """
from dtbench import NoClip, Sample, Task, make_scorer

def share(sample, text):
    words = text.split()
    return sum(word in words for word in ("soft", "low", "bell")) / 3 if words else None

class Rings(Task):
    name = "rings"
    scorers = [make_scorer(share), make_scorer("exact")]

    def samples(self, data_dir):
        for number in range(45):
            yield Sample(f"q{number}", "What rings?", (), "soft low bell", NoClip(f"q{number}"), {"kind": "open"})
"""


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    """A run whose answers are partly right, and one that is better; 45 questions, so that an interval holds."""
    file = tmp_path / "rings.py"
    file.write_text(TASK_FILE)
    for name, said in (("before", ("bell", "low bell", "")), ("after", ("soft low bell", "low bell", "bell"))):
        answers = tmp_path / f"{name}.jsonl"
        answers.write_text("".join(json.dumps({"id": f"q{n}", "response": said[n % 3]}) + "\n" for n in range(45)))
        done = call("run", "--model", "replay", "-M", f"file={answers}", "--task-file", file, "--out", tmp_path / name)
        assert done.code == 0, done.err
    return tmp_path / "before", tmp_path / "after"


def test_marks_are_compared_gated_and_shown_as_numbers(runs: tuple[Path, Path]) -> None:
    before, after = runs
    shown = call("score", before)
    assert "official       33.33% (mean mark; 0 fully right of 45 counted by the script; 95 % interval" in shown.out
    assert "scorer         share: mean 33.33% of 45 answers" in shown.out
    (found,) = json.loads(call("compare", before, after, "--json").out)
    assert (found["before"], found["after"]) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert (found["better"], found["worse"]) == (30, 0)
    assert found["low"] < 1 / 3 < found["high"]
    assert found["p"] < 1e-6
    gate = call("gate", after, before, "--max-drop", "5")
    assert gate.code == 1, gate.err
    assert call("gate", before, after, "--max-drop", "5").code == 0


def test_frames_tables_and_the_report_take_marks(runs: tuple[Path, Path]) -> None:
    before, after = runs
    table = dtbench.samples_table([before, after])
    assert table.column_names[-3:] == ["mark", "mark_share", "mark_exact"]
    marks = table["mark"].to_pylist()
    assert marks[:3] == [pytest.approx(1 / 3), pytest.approx(2 / 3), 0.0]
    assert table["mark_exact"].to_pylist()[45:48] == [1.0, 0.0, 0.0]
    frame = dtbench.summary_df([before, after], by="kind")
    assert list(frame["official"]) == [pytest.approx(1 / 3), pytest.approx(2 / 3)]
    assert list(frame["strict"]) == [0.0, pytest.approx(1 / 3)]
    assert "66.7" in call("table", before, after).out
    assert call("report", before, after).code == 0


def test_scoring_again_finds_the_same_marks_and_sees_changed_ones(runs: tuple[Path, Path], tmp_path: Path) -> None:
    before, _ = runs
    rows = tmp_path / "rows.jsonl"
    (same,) = json.loads(call("score", before, "--rows", rows, "--json").out)
    assert same["differ"]["n"] == 0
    row = json.loads(rows.read_text().splitlines()[1])
    assert (row["mark"], row["marks"]) == (pytest.approx(2 / 3), {"share": pytest.approx(2 / 3), "exact": 0.0})
    file = tmp_path / "rings.py"
    file.write_text(file.read_text().replace("/ 3 if", "/ 4 if"))
    (other,) = json.loads(call("score", before, "--task-file", file, "--json").out)
    assert other["differ"]["n"] == 30
    assert other["official"]["accuracy"] == pytest.approx(0.25)


def test_a_prediction_file_is_scored_by_the_scorers_of_its_task(tmp_path: Path) -> None:
    file, answers, rows = tmp_path / "rings.py", tmp_path / "answers.jsonl", tmp_path / "rows.jsonl"
    file.write_text(TASK_FILE)
    asked = {"question": "What rings?", "answer": "soft low bell"}
    said = ("a soft bell", "Soft low bell.", "", "soft low bell")
    lines = [{"id": f"q{n}", **asked, "model_output": text} for n, text in enumerate(said)]
    answers.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = call("score", "--task-file", file, "--predictions", answers, "--rows", rows, "--json")
    report = json.loads(done.out)
    official = report["official"]
    assert (official["correct"], official["counted"]) == (1, 4)
    assert official["accuracy"] == pytest.approx((2 / 3 + 1 / 3 + 1) / 4)
    assert (report["strict"]["correct"], report["unanswered"]) == (1, 1)
    first = json.loads(rows.read_text().splitlines()[0])
    assert (first["mark"], first["choice"], first["correct"]) == (pytest.approx(2 / 3), "a soft bell", False)
