"""`dtbench report` without a browser: what it says where things are missing, and what it never does."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import levelled
import pytest
from chat_server import chatting
from command import call
from judges import chain_of, honest, mmar_with_criteria
from made_up_run import write_run
from reported import audible, chained, first, samples, two_runs
from runs import write_script

from dtbench.harness.report.rows import text_pieces
from dtbench.harness.run.plan import PromptForm


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    return two_runs(tmp_path, count=24, clips=3)


def test_the_report_is_one_file_with_nothing_from_elsewhere(runs: tuple[Path, Path]) -> None:
    done = call("report", *runs, "--json")
    told = json.loads(done.out)
    page = Path(told["path"])
    assert (done.code, told["questions"], told["clips"]) == (0, 24, 3)
    assert page == runs[0] / "report.html"
    assert told["size"] == page.stat().st_size
    text = page.read_text()
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", text.partition("<script>")[0])
    assert "default-src 'none'" in text
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "").partition('id="first"')[0]


def test_without_the_data_answers_are_shown_and_a_line_says_so(runs: tuple[Path, Path], tmp_path: Path) -> None:
    shutil.move(tmp_path / "data", tmp_path / "elsewhere")
    done = call("report", runs[0])
    assert done.code == 0
    assert "mmar: the text of 24 of 24 questions was not found, so only answers are shown: name" in done.err
    (rows,) = samples(runs[0] / "report.html")["tasks"]
    assert {row["question"] for row in rows} == {None}
    again = call("report", runs[0], "--data-dir", tmp_path / "elsewhere")
    assert "not found" not in again.err
    (rows,) = samples(runs[0] / "report.html")["tasks"]
    assert rows[3]["question"] == "What is heard,\nin scene 3?"


def test_other_data_is_refused(runs: tuple[Path, Path], tmp_path: Path) -> None:
    other = audible(tmp_path / "other", 10, 0)
    assert "but the run used v2-github with other content" in call("report", runs[0], "--data-dir", other).refusal()


def test_clips_that_are_missing_or_damaged_are_counted_and_named(runs: tuple[Path, Path], tmp_path: Path) -> None:
    clips = sorted((tmp_path / "data" / "audio").iterdir())
    clips[0].write_bytes(b"no sound at all")
    done = call("report", runs[0])
    assert "22 of 24 clips cannot be played in the report; the first: " in done.err
    told = samples(runs[0] / "report.html")["clips"]
    assert sum("inside" in one for one in told.values()) == 2
    assert any("no sound" in one.get("missing", "") or "clip of 0" in one.get("missing", "") for one in told.values())


def test_links_lead_from_the_page_to_the_files(runs: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    page = tmp_path / "pages" / "report.html"
    assert call("report", runs[0], "--clips", "link", "--out", page).code == 0
    links = [one["link"] for one in samples(page)["clips"].values() if "link" in one]
    assert sorted(links) == [f"../data/audio/clip%20of%20{number}.wav" for number in range(3)]
    assert call("report", runs[0], "--clips", "none", "--out", page).code == 0
    assert samples(page)["clips"] == {}


def test_an_unfinished_run_is_shown_with_what_is_missing(runs: tuple[Path, Path]) -> None:
    info = json.loads((runs[0] / "run.json").read_text())
    (runs[0] / "run.json").write_text(json.dumps(info | {"status": "interrupted"}))
    lines = (runs[0] / "mmar.jsonl").read_bytes().splitlines(keepends=True)
    (runs[0] / "mmar.jsonl").write_bytes(b"".join(lines[:10]) + lines[10][:50])
    assert call("report", runs[0]).code == 0
    (task,) = first(runs[0] / "report.html")["tasks"]
    (run,) = task["runs"]
    assert run["missing"] == 14
    assert "this run is not finished (interrupted): 14 of 24 answers are missing" in run["notes"]
    assert "1 records were truncated by a crash; their questions count as unanswered" in run["notes"]


def test_a_run_that_has_no_answer_yet_is_shown_as_such(runs: tuple[Path, Path]) -> None:
    (runs[0] / "mmar.jsonl").unlink()
    assert call("report", runs[0]).code == 0
    (task,) = first(runs[0] / "report.html")["tasks"]
    assert (task["runs"][0]["official"]["accuracy"], task["runs"][0]["missing"]) == (None, 24)


def test_runs_of_other_questions_have_nothing_to_compare(runs: tuple[Path, Path], tmp_path: Path) -> None:
    data = audible(tmp_path / "others", 3, 0)
    lines = [json.loads(line) for line in (data / "MMAR-meta.jsonl").read_text().splitlines()]
    (data / "MMAR-meta.jsonl").write_text(
        "".join(json.dumps(one | {"id": "other " + one["id"]}) + "\n" for one in lines)
    )
    write_run(tmp_path / "others-run", {"mmar": data}, chained(3, 0.5))
    assert call("report", runs[0], tmp_path / "others-run", "--clips", "none").code == 0
    (task,) = first(runs[0] / "report.html")["tasks"]
    (pair,) = task["pairs"]
    assert (pair["n"], pair["only_after"]) == (0, 3)
    assert [one["name"] for one in pair["confounders"]] == ["data"]
    assert len(samples(runs[0] / "report.html")["tasks"][0]) == 27
    for moved in (tmp_path / "data", tmp_path / "others"):
        moved.rename(tmp_path / f"moved-{moved.name}")
    where = ("--data-dir", tmp_path / "moved-others")
    done = call("report", runs[0], tmp_path / "others-run", "--clips", "none", *where)
    assert done.code == 0
    assert "mmar: the text of 24 of 27 questions was not found" in done.err


def test_every_level_of_evidence_is_shown_with_what_counts_and_how_often_it_is_right(tmp_path: Path) -> None:
    script = write_script(tmp_path / "script", levelled.texts())
    run, task = tmp_path / "run", Path(levelled.__file__)
    assert call("run", *script, "--task-file", task, "--out", run, "--min-evidence", "chosen").code == 0
    assert call("report", run, "--clips", "none").code == 0
    (told,) = first(run / "report.html")["tasks"]
    levels = told["runs"][0]["levels"]
    assert [(one["level"], one["n"], one["correct"]) for one in levels] == [
        (level, *counts) for level, counts in levelled.COUNTS.items()
    ]
    assert [one["counts"] for one in levels] == [True, True, False, False, False]
    assert all(one["low"] <= one["share"] == one["correct"] / one["n"] <= one["high"] for one in levels)
    (rows,) = samples(run / "report.html")["tasks"]
    answers = {row["id"]: row["runs"][0][0] for row in rows}
    assert (answers["said 0"]["level"], answers["said 0"]["aside"]) == ("said", "a bell")
    assert (answers["said 0"]["state"], answers["said 0"]["choice"]) == ("unanswered", None)
    assert (answers["stated 0"]["level"], answers["stated 0"]["aside"]) == ("stated", None)
    assert (answers["none 0"]["level"], answers["none 0"]["aside"]) == (None, None)


REFUSALS: dict[str, tuple[Callable[[Path, Path], list[str | Path]], str]] = {
    "no folder": (lambda run, tmp: [], "report: run folders are expected, or the folder of a training."),
    "a run twice": (lambda run, tmp: [run, tmp / "second", run], "first is named twice; name each run once."),
    "too many labels": (lambda run, tmp: [run, "--label", "a", "--label", "b"], "--label: 2 given for 1 run; give"),
    "too few labels": (lambda run, tmp: [run, tmp / "second", "--label", "a"], "--label: 1 given for 2 runs; give"),
    "labels alike": (
        lambda run, tmp: [run, tmp / "second", "--label", "a", "--label", "a"],
        "--label a: given twice; labels tell runs apart.",
    ),
    "no label": (
        lambda run, tmp: [run, tmp / "second", "--label", "a", "--label", " "],
        "--label: the label of run 2 is empty; give it a name.",
    ),
    "not there": (lambda run, tmp: [tmp / "nowhere"], "not a run folder: there is no such folder"),
    "a mode": (lambda run, tmp: [run, "--clips", "embedded"], "--clips embedded: unknown. Did you mean embed?"),
    "a folder": (lambda run, tmp: [run, "--out", tmp], "this is a folder; name a file, such as"),
    "no parent": (
        lambda run, tmp: [run, "--out", tmp / "no" / "r.html"],
        "does not exist; create it, or name another.",
    ),
    "its own file": (
        lambda run, tmp: [run, "--out", run / "run.json"],
        "this file is not a report and is not overwritten",
    ),
    "other task": (lambda run, tmp: [run, tmp / "mini"], "have no task in common: name runs of the same task"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_mistake_is_one_clear_line_and_writes_nothing(name: str, runs: tuple[Path, Path], tmp_path: Path) -> None:
    if name == "other task":
        arguments = ("--model", "first", "--tasks", "mini", "--limit", "2", "--data-dir", tmp_path / "d")
        assert call("run", *arguments, "--out", tmp_path / "mini").code == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    make, line = REFUSALS[name]
    assert line in call("report", *make(runs[0], tmp_path)).refusal()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_what_lies_in_the_folder_of_a_run_is_shown_with_it(tmp_path: Path) -> None:
    mmar_with_criteria(tmp_path / "data", 12)
    plain = tmp_path / "run"
    write_run(plain, {"mmar": tmp_path / "data"}, lambda sample, _: chain_of(sample, 3))
    silent = lambda sample, _: sample.choices[len(sample.id) % 2]  # noqa: E731
    write_run(plain / "audio-silence", {"mmar": tmp_path / "data"}, silent, form=PromptForm(audio="silence"))
    for turns in (1, 2):
        write_run(plain / f"permute-{turns}", {"mmar": tmp_path / "data"}, silent, form=PromptForm(permute=turns))
    with chatting(choose=honest) as chat:
        assert call("judge", plain, "--model", "tiny", "--base-url", chat.url).code == 0
    assert call("report", plain).code == 0
    (task,) = first(plain / "report.html")["tasks"]
    (run,) = task["runs"]
    assert [(one["where"], one["kind"]) for one in run["related"]] == [
        ("audio-silence", "audio_ablation"),
        ("permute-1", "order_sensitivity"),
    ]
    assert run["related"][1]["found"]["orders"] == 3
    assert run["judges"][0]["summary"]["rubrics"] == 60.0
    (rows,) = samples(plain / "report.html")["tasks"]
    (judged,) = rows[0]["runs"][0][0]["judged"]
    assert [mark["met"] for mark in judged["marks"]] == [1, 1, 1, 0, 0]


@pytest.mark.parametrize(
    ("text", "answer", "marked", "chain"),
    [
        ("<think>maybe a dog</think>Answer: a dog", "Answer: a dog", "Answer: a dog", "<think>maybe a dog</think>"),
        ("a dog", "a dog", "a dog", ""),
        ("<think>it is a dog", "it is a dog", "it is a dog", "<think>it is a dog"),
        ("<think>a dog</think>a cat", "a dog", "a dog", "<think>a dog</think>"),
        ("答案：（Ｂ）", "(B)", "（Ｂ）", ""),
        ("nothing", "", "", ""),
        ("", "", "", ""),
    ],
)
def test_a_response_is_cut_where_its_chain_ends_and_around_its_answer(
    text: str, answer: str, marked: str, chain: str
) -> None:
    parts = text_pieces(text, answer)
    assert "".join(part for _, _, part in parts) == text
    assert "".join(part for _, mark, part in parts if mark) == marked
    assert "".join(part for kind, _, part in parts if kind == "chain") == chain


def test_a_neighbour_that_cannot_be_read_is_left_out_and_named(runs: tuple[Path, Path]) -> None:
    broken = runs[0] / "audio-silence" / "run.json"
    broken.parent.mkdir()
    broken.write_text("{")
    done = call("report", runs[0])
    assert done.code == 0
    assert f"left out: {broken}: not JSON" in done.err


def test_groups_and_what_papers_print_are_those_of_score(tmp_path: Path) -> None:
    data = audible(tmp_path / "data", 24, 0)
    write_run(tmp_path / "run", {"mmar": data}, chained(3, 0.5), repeats=4)
    assert call("report", tmp_path / "run", "--clips", "none").code == 0
    (found,) = json.loads(call("score", tmp_path / "run", "--json").out)
    (task,) = first(tmp_path / "run" / "report.html")["tasks"]
    (shown,) = task["runs"]
    for name in ("by_letter", "macro", "chance_corrected", "pass_at", "majority_at", "variance", "ceiling"):
        assert shown[name] == found[name]
    for table in shown["tables"]:
        for row in table["rows"]:
            if row["strict"]["n"]:
                scored = found["by_group"][table["heading"]][row["value"]]
                for kind in ("official", "strict"):
                    assert (row[kind]["low"], row[kind]["high"]) == (scored[kind]["low"], scored[kind]["high"])


def test_runs_bear_their_labels_or_names_by_which_they_are_told_apart(runs: tuple[Path, Path], tmp_path: Path) -> None:
    def names(*labels: str) -> list[str]:
        page = tmp_path / "page.html"
        given = [part for label in labels for part in ("--label", label)]
        assert call("report", *runs, tmp_path / "third", "--clips", "none", *given, "--out", page).code == 0
        return [run["name"] for run in first(page)["runs"]]

    shutil.copytree(runs[0], tmp_path / "third")
    info = json.loads((tmp_path / "third" / "run.json").read_text())
    (tmp_path / "third" / "run.json").write_text(json.dumps(info | {"model": {"name": "another"}}))
    assert names() == ["made up (first)", "made up (second)", "another"]
    assert names("7B", "7B, LoRA", "</script>") == ["7B", "7B, LoRA", "</script>"]


def test_a_task_that_not_all_runs_have_is_left_out_and_named(runs: tuple[Path, Path], tmp_path: Path) -> None:
    data = {"mmar": tmp_path / "data", "mini": tmp_path / "mini"}
    write_run(tmp_path / "both", data, lambda sample, _: sample.choices[0])
    done = call("report", *runs, tmp_path / "both", "--clips", "none")
    assert done.code == 0, done
    assert "mini is left out: only 1 of 3 runs have it" in done.err
    assert [task["name"] for task in first(runs[0] / "report.html")["tasks"]] == ["mmar"]


def test_each_pair_is_compared_as_compare_does(runs: tuple[Path, Path], tmp_path: Path) -> None:
    write_run(tmp_path / "third", {"mmar": tmp_path / "data"}, chained(5, 0.9))
    folders = [*runs, tmp_path / "third"]
    assert call("report", *folders, "--clips", "none").code == 0
    (task,) = first(runs[0] / "report.html")["tasks"]
    assert [(pair["before"], pair["after"]) for pair in task["pairs"]] == [(0, 1), (0, 2), (1, 2)]
    for pair in task["pairs"]:
        (one,) = json.loads(call("compare", folders[pair["before"]], folders[pair["after"]], "--json").out)
        for name in ("n", "difference", "low", "high", "better", "worse", "p", "only_before", "only_after"):
            assert pair[name] == one[name], name
    for one, pair in zip(json.loads(call("compare", *folders, "--json").out), task["pairs"], strict=False):
        assert pair["p_before"] == one["p_adjusted"]
