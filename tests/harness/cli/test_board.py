"""`dtbench board`: published numbers with their sources, ours among them, ranked only beyond chance."""

from __future__ import annotations

import csv
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from command import call
from small_data import mmar_items, write_json

from dtbench.results.board import make_board, published_tasks

ROOT = Path(__file__).resolve().parents[3]


def entries(*options: str | Path) -> list[dict[str, Any]]:
    done = call("board", "--json", *options)
    assert (done.code, done.err) == (0, ""), done
    (one,) = json.loads(done.out)
    found = one["entries"]
    assert isinstance(found, list)
    return found


def test_every_published_number_has_a_source_and_can_be_a_score() -> None:
    for task in published_tasks():
        published = json.loads((ROOT / "results" / "published" / f"{task}.json").read_text(encoding="utf-8"))
        for row in published["rows"]:
            assert row["source"] in published["sources"], row["model"]
            assert 0 <= row["score"] <= 100, row["model"]
    assert sum(len(make_board(task, None).entries) for task in published_tasks()) >= 60


def test_several_reports_of_one_model_stand_side_by_side() -> None:
    found = [entry for entry in entries("--task", "mmar", "--published") if entry["model"] == "Qwen3-Omni-Thinking"]
    assert len({entry["source"] for entry in found}) == len(found) >= 4


def test_a_rank_counts_those_that_are_better_beyond_chance() -> None:
    found = {entry["model"]: entry for entry in entries("--task", "mmsu", "--published")}
    assert (found["StepAudio 3 Realtime"]["rank"], found["Gemini 3 Pro"]["rank"]) == (1, 5)  # the last of its reports
    assert found["Human"]["rank"] is None
    ranked = [entry for entry in found.values() if entry["rank"] is not None]
    for entry in ranked:
        assert entry["low"] <= entry["score"] <= entry["high"]
    close = [entry for entry in ranked if abs(entry["score"] - 70.0) < 0.5]
    assert len({entry["rank"] for entry in close}) == 1


def test_other_data_is_shown_and_not_ranked() -> None:
    old = [entry for entry in entries("--task", "mmau-mini", "--published") if entry["data"] == "1f675a9"]
    assert old
    assert {entry["rank"] for entry in old} == {None}
    assert {entry["why_not"] for entry in old if entry["model"] != "Human" and "Random" not in entry["model"]} == {
        "data 1f675a9"
    }


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    write_json(tmp_path / "data" / "MMAR-meta.jsonl", mmar_items(1000))
    where = ("--tasks", "mmar", "--data-dir", tmp_path / "data")
    assert call("run", "--model", "echo-gold", *where, "--out", tmp_path / "runs" / "oracle").code == 0
    assert call("run", "--model", "first", *where, "--out", tmp_path / "runs" / "baseline").code == 0
    said = ("--model", "replay", "-M", f"file={tmp_path / 'runs' / 'oracle' / 'mmar.jsonl'}", *where)
    assert call("run", *said, "--out", tmp_path / "runs" / "gold").code == 0
    assert call("run", *said, "--limit", "100", "--out", tmp_path / "runs" / "part").code == 0
    assert call("run", *said, "--permute", "1", "--out", tmp_path / "runs" / "turned").code == 0
    return tmp_path / "runs"


def test_runs_of_ours_stand_among_them_and_say_what_keeps_them_from_a_rank(runs: Path) -> None:
    found = {Path(entry["where"]).name: entry for entry in entries("--task", "mmar", "--runs", runs) if entry["ours"]}
    assert (found["gold"]["rank"], found["gold"]["score"], found["gold"]["source"]) == (1, 100.0, "this machine")
    assert (found["part"]["rank"], found["part"]["why_not"]) == (None, "100 of 1000 questions")
    assert (found["turned"]["rank"], found["turned"]["why_not"]) == (None, "audio or option order changed")
    oracle, baseline = found["oracle"], found["baseline"]
    assert (oracle["rank"], oracle["why_not"]) == (None, "echo-gold is an oracle: it knows right answers")
    assert (baseline["rank"], baseline["why_not"]) == (None, "first is a baseline: it never listens")
    assert "* echo-gold" in call("board", "--task", "mmar", "--runs", runs).out.replace("\n", " ")


def test_a_run_that_cannot_be_read_is_a_note_and_hides_no_other(runs: Path) -> None:
    for name, change in (("part", {"schema": 1}), ("turned", {"status": "gone"})):
        path = runs / name / "run.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    done = call("board", "--json", "--task", "mmar", "--runs", runs)
    assert [entry["model"] for entry in json.loads(done.out)[0]["entries"] if entry["ours"]] == [
        "echo-gold",
        "first",
        "replay",
    ]
    older, changed = done.err.splitlines()
    assert older.startswith(f"note: left out: {runs / 'part' / 'run.json'}: written by an older dtbench (schema 1, ")
    assert "run.json: Invalid enum value 'gone' at status: it was changed since dtbench wrote it" in changed


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.rows = self.scripts = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.rows += tag == "tr"
        self.scripts += tag == "script"


def test_it_is_also_a_page_and_a_table_of_values(runs: Path) -> None:
    count = len(make_board("mmar", runs).entries)
    page = Tags()
    page.feed(call("board", "--task", "mmar", "--runs", runs, "--html").out)
    assert (page.rows, page.scripts) == (count + 1, 0)
    rows = list(csv.DictReader(call("board", "--task", "mmar", "--runs", runs, "--csv").out.splitlines()))
    assert len(rows) == count
    assert rows[0]["model"] == "echo-gold"


def test_the_leaderboard_in_the_repository_is_not_stale() -> None:
    made = call("board", "--published", "--md").out
    assert made == (ROOT / "results" / "LEADERBOARD.md").read_text(encoding="utf-8"), (
        "dtbench board --published --md > results/LEADERBOARD.md"
    )


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--task", "voicebench"], "--task voicebench: dtbench has no published scores of it"),
        (["--runs", "gone"], "--runs gone: there is no such folder"),
        (["--md", "--csv"], "only one of these is allowed"),
    ],
)
def test_a_wrong_wish_is_one_line(options: list[str], complaint: str) -> None:
    assert complaint in call("board", *options).refusal()
