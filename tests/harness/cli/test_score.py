"""`dtbench score` as a user runs it, held to what the official scripts say and print."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import small_data
from command import call, process
from packages import install

from dtbench.tasks.registry import get_task

TESTS = Path(__file__).resolve().parents[2]
GOLDEN, OWN_TASK = TESTS / "golden", TESTS / "support" / "own_task.py"
FILES = {"mmar": "mmar.jsonl", "mmau-mini": "mmau.jsonl", "mmsu": "mmsu.jsonl"}
Item = dict[str, Any]


def lines_of(path: Path) -> list[Item]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def golden_records(name: str, key: str) -> list[Item]:
    """The recorded outputs as the records of a prediction file."""
    return [{**case["item"], key: case["model_output"]} for case in lines_of(GOLDEN / FILES[name])]


def every_form() -> Iterator[tuple[str, str, str]]:
    for name in FILES:
        own, *others = get_task(name).prediction_keys
        yield from ((name, own, "json"), (name, own, "jsonl"))
        yield from ((name, other, "jsonl") for other in others)


@pytest.mark.parametrize(("name", "key", "form"), list(every_form()))
def test_a_whole_file_gets_the_recorded_verdicts_and_accuracy(tmp_path: Path, name: str, key: str, form: str) -> None:
    predictions, rows = tmp_path / f"p.{form}", tmp_path / "rows.jsonl"
    small_data.write_json(predictions, golden_records(name, key))
    options = ("--task", name, "--predictions", predictions, "--rows", rows, "--allow-duplicates", "--json")
    done = process("score", *options)
    assert (done.code, done.err) == (0, "")
    cases, found = lines_of(GOLDEN / FILES[name]), lines_of(rows)
    assert [list(row) for row in found] == [
        ["row", "id", "official_correct", "official_counted", "correct", "choice", "how", "level", "set_aside"]
    ] * len(cases)
    assert [(row["row"], row["id"]) for row in found] == [(n, case["item"]["id"]) for n, case in enumerate(cases)]
    verdicts = [(row["official_correct"], row["official_counted"]) for row in found]
    assert verdicts == [(case["official_correct"], case.get("official_counted", True)) for case in cases]
    report = json.loads(done.out)
    counted = sum(case.get("official_counted", True) for case in cases)
    right = sum(case["official_correct"] for case in cases)
    official = {key: report["official"][key] for key in ("correct", "counted", "accuracy")}
    assert official == {"correct": right, "counted": counted, "accuracy": right / counted}
    assert (report["task"], report["n"], report["dropped"]) == (name, len(cases), len(cases) - counted)
    assert report["strict"]["correct"] == sum(row["correct"] is True for row in found)
    assert report["unanswered"] == sum(row["correct"] is None for row in found)


def printed_by_us(report: Item) -> list[str]:
    """A report of `--json`, worded as the official scripts word theirs."""
    official, groups = report["official"], report["official"]["groups"]
    if report["task"] != "mmsu":
        return [
            f"{name} : {count['accuracy'] * 100:.2f}% over {count['counted']} samples"
            for name, count in [
                *(line for table in groups.values() for line in table.items()),
                ("Total Accuracy", official),
            ]
        ]
    pairs = (
        (pair.replace(", ", ", Sub-category: "), count["accuracy"])
        for pair, count in groups["category, sub-category"].items()
    )
    return [
        *(f"Category: {pair}, Accuracy: {accuracy:.4f}" for pair, accuracy in pairs),
        *(f"Category: {name}, Average Accuracy: {count['accuracy']:.4f}" for name, count in groups["category"].items()),
        f"Overall Accuracy: {official['accuracy']:.4f}",
        f"Total count: {official['counted']}",
    ]


@pytest.mark.parametrize(
    "case", lines_of(GOLDEN / "printed.jsonl"), ids=lambda case: f"{case['task']}-{case['scorer']}"
)
def test_tables_are_those_that_the_official_script_printed(tmp_path: Path, case: Item) -> None:
    """Same groups, order and rounding, empty groups and records without a heading included."""
    records = case.get("records") or golden_records(case["task"], get_task(case["task"]).prediction_keys[0])
    small_data.write_json(tmp_path / "p.jsonl", records)
    options = ("--task", case["task"], "--predictions", tmp_path / "p.jsonl", "--scorer", case["scorer"])
    done = call("score", *options, "--allow-duplicates", "--json")
    assert done.code == 0, done.err
    expected = [line.replace("Total Accuracy: ", "Total Accuracy : ") for line in case["printed"]]
    assert printed_by_us(json.loads(done.out)) == expected
    people = call("score", *options, "--allow-duplicates").out
    in_table = [line.split("│")[1:4] for line in people.splitlines() if line.startswith("│")]
    accuracies = [cells[1].strip() for cells in in_table if cells[1].strip()]
    shown = [line.rpartition(" : ")[2].split(" over")[0].rpartition("Accuracy: ")[2] for line in expected]
    assert accuracies == [accuracy for accuracy in shown if not accuracy.startswith("Total count")]


def mmar_records(**changes: object) -> list[Item]:
    """Right predictions for the small data set; changes are made in the first."""
    records = [{**item, "answer_prediction": item["answer"]} for item in small_data.mmar_items()]
    records[0] |= changes
    return records


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    path = tmp_path / "p.jsonl"
    small_data.write_json(path, mmar_records())
    return path


def test_the_table_for_people_is_readable_at_80_columns_and_when_piped(tmp_path: Path) -> None:
    small_data.write_json(tmp_path / "p.json", golden_records("mmar", "answer_prediction"))
    done = process("score", "--task", "mmar", "--predictions", tmp_path / "p.json", "--allow-duplicates", COLUMNS="80")
    table = [line for line in done.out.splitlines() if line.startswith("│")]
    assert max(map(len, table)) <= 80
    assert "…" not in done.out
    names = {case["item"]["sub-category"] for case in lines_of(GOLDEN / "mmar.jsonl")}
    assert {line.split("│")[1].strip() for line in table} >= names | set(get_task("mmar").groupings[0].values)
    assert any(line.split("│")[1].strip() == "Total" and "56.85%" in line for line in table)
    last = [line.split("  ")[0] for line in done.out.splitlines()[-5:]]
    assert last == ["strict", "unanswered", "evidence", "dropped", "note"]


def test_long_and_hostile_names_are_shown_whole_and_harmless(tmp_path: Path) -> None:
    name = "very " * 30 + "long [red]name[/red] \x1b[31m\ud800"
    small_data.write_json(tmp_path / "p.json", [json.loads(json.dumps(r)) for r in mmar_records()])
    text = json.dumps(mmar_records(**{"sub-category": name, "answer_prediction": "\udc00 lone"}))
    (tmp_path / "p.json").write_text(text)
    done = process("score", "--task", "mmar", "--predictions", tmp_path / "p.json", COLUMNS="80")
    assert (done.code, done.err) == (0, "")
    assert "\x1b" not in done.out
    cells = " ".join(line.split("│")[1].strip() for line in done.out.splitlines() if line.startswith("│"))
    assert "long [red]name[/red] \\x1b[31m\\ud800" in cells


def test_predictions_that_are_no_text_are_scored_and_told(tmp_path: Path) -> None:
    odd = [None, 3, ["a bell"], {"a": 1}, True]
    records = [{**record, "answer_prediction": value} for record, value in zip(mmar_records(), odd, strict=False)]
    del (last := mmar_records()[5])["answer_prediction"]
    small_data.write_json(tmp_path / "p.json", [*records, last])
    done = call("score", "--task", "mmar", "--predictions", tmp_path / "p.json", "--json")
    report = json.loads(done.out)
    assert report["official"]["counted"] == 5
    assert (report["n"], report["unanswered"], report["dropped_why"]) == (6, 6, {"no prediction": 1})
    people = call("score", "--task", "mmar", "--predictions", tmp_path / "p.json").out
    assert "dropped        1 from the official denominator: 1 no prediction" in people
    assert "records that stop the official script (prediction is not text): 5; they count as wrong" in people


def test_a_prediction_of_a_million_characters_is_scored(tmp_path: Path) -> None:
    long = "so it goes on and on. " * 50_000
    small_data.write_json(tmp_path / "p.jsonl", mmar_records(answer_prediction=f"{long}The answer is a bird."))
    done = call("score", "--task", "mmar", "--predictions", tmp_path / "p.jsonl", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["strict"]["correct"] == 6


def test_broken_lines_of_mmsu_are_dropped_and_told(tmp_path: Path) -> None:
    records = [{**item, "response": "A"} for item in small_data.mmsu_items(2)]
    first, second = (json.dumps(record) for record in records)
    (tmp_path / "p.jsonl").write_text(f"{first}\n{{broken\n\n{second}")
    done = call("score", "--task", "mmsu", "--predictions", tmp_path / "p.jsonl", "--rows", tmp_path / "r.jsonl")
    assert done.code == 0
    assert "dropped        1 from the official denominator: 1 not a JSON record" in done.out
    assert [(row["row"], row["id"]) for row in lines_of(tmp_path / "r.jsonl")] == [
        (0, records[0]["id"]),
        (1, None),
        (2, records[1]["id"]),
    ]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--task", "mmar"], "--predictions is missing: name the prediction file to score"),
        (["--predictions", "p.json"], "--task is missing: name one of mmar, mmau-mini, mmau-test, mmsu, "),
        (["--task", "mmra", "--predictions", "p.json"], "unknown task 'mmra'. Did you mean mmar"),
        (["--task", "mmar", "--predictions", "gone.json"], "--predictions gone.json: there is no such file."),
        (
            ["--task", "mmau-test", "--predictions", "gone.json"],
            "mmau-test: its authors withhold the answers, so it",
        ),
        (
            ["--task", "mmsu", "--predictions", "gone.json", "--scorer", "2024"],
            "--scorer 2024: the versions of mmsu's script are 2026, 2025; without --scorer it is 2026.",
        ),
        (["--task-file", "gone.py", "--predictions", "p.json"], "--task-file gone.py: there is no such file."),
        (
            ["--task", "mmar", "--task-file", str(OWN_TASK), "--predictions", "p.json"],
            f"--task mmar: {OWN_TASK} defines the task 'birds'; leave --task out.",
        ),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_a_wrong_option_is_one_clear_line(options: list[str], complaint: str) -> None:
    assert complaint in call("score", *options).refusal()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "no record in this file. A JSON list or JSON lines of records is expected."),
        ("a,b\n1,2", "line 1, column 1: not JSON"),
        (json.dumps(mmar_records(modality="noise")), "item 1: modality 'noise' is unknown to the official script"),
        (json.dumps(mmar_records(choices="a bell")), "item 1: the options must be a list of texts, found a bell."),
        (
            json.dumps([{"id": "1", "answer_prediction": "a bell"}]),
            "item 1: the field 'choices' is missing; add it, or name the",
        ),
        (json.dumps(mmar_records() * 2), "duplicate ids: 6 (first: 'made-up-0_"),
        (json.dumps(mmar_records(modality="\x1b[31m\nnoise\ud800")), "modality '\\x1b[31m\\nnoise\\ud800' is unknown"),
    ],
    ids=["empty", "CSV", "group", "options", "fields", "repeated", "hostile"],
)
def test_a_file_that_cannot_be_scored_is_one_clear_line(tmp_path: Path, content: str, complaint: str) -> None:
    (tmp_path / "p.json").write_text(content)
    done = call("score", "--task", "mmar", "--predictions", tmp_path / "p.json", "--rows", tmp_path / "rows.jsonl")
    line = done.refusal()
    assert str(tmp_path / "p.json") in line
    assert complaint in line
    assert not (tmp_path / "rows.jsonl").exists()


def test_with_metadata_what_is_missing_in_the_file_is_dropped_and_told(tmp_path: Path) -> None:
    small_data.write_json(tmp_path / "MMAR-meta.jsonl", small_data.mmar_items())
    records = [{"id": record["id"], "answer_prediction": record["answer_prediction"]} for record in mmar_records()[1:]]
    small_data.write_json(tmp_path / "p.jsonl", records)
    options = ("--task", "mmar", "--predictions", tmp_path / "p.jsonl", "--metadata", tmp_path / "MMAR-meta.jsonl")
    report = json.loads(call("score", *options, "--json").out)
    assert (report["n"], report["official"]["counted"], report["data"]) == (6, 5, "v2-github")
    assert (report["dropped_why"], report["unanswered"]) == ({"no record in the file": 1}, 1)
    assert report["strict"]["accuracy"] == 5 / 6
    people = call("score", *options).out
    assert people.startswith("mmar, data v2-github: 6 items\n")
    assert "dropped        1 from the official denominator: 1 no record in the file" in people


def test_broken_mmau_metadata_is_refused_with_the_reason(tmp_path: Path) -> None:
    items = small_data.mmau_items()
    small_data.write_json(tmp_path / "mmau-test-mini.json", [{**item, "answer": "gone"} for item in items])
    small_data.write_json(tmp_path / "p.json", [{"id": item["id"], "model_output": "x"} for item in items])
    options = ("--task", "mmau-mini", "--predictions", tmp_path / "p.json", "--metadata", tmp_path)
    assert "refused: 6 of 6 answers are not among their options" in call("score", *options).refusal()


@pytest.mark.parametrize("where", ["gone/rows.jsonl", ".", "p.jsonl/rows.jsonl"])
def test_rows_whose_place_is_wrong_are_refused_before_anything_is_scored(predictions: Path, where: str) -> None:
    rows = predictions.parent / where
    done = call("score", "--task", "mmar", "--predictions", predictions, "--rows", rows)
    assert done.refusal().startswith(f"error: --rows {rows}: ")
    assert done.out == ""


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_rows_into_a_folder_that_must_not_be_written_to(predictions: Path) -> None:
    folder = predictions.parent / "closed"
    folder.mkdir(mode=0o500)
    done = call("score", "--task", "mmar", "--predictions", predictions, "--rows", folder / "rows.jsonl")
    assert "cannot be written (Permission denied)" in done.refusal(code=3)


def test_rows_never_overwrite_what_is_read(predictions: Path) -> None:
    before = predictions.read_bytes()
    done = call("score", "--task", "mmar", "--predictions", predictions, "--rows", predictions)
    assert "this file is also an input; name another file to write to." in done.refusal()
    assert predictions.read_bytes() == before


def test_a_users_own_task_is_scored_from_its_file(tmp_path: Path) -> None:
    items = [{"id": str(n), "question": "Which?", "choices": ["crow", "jay"], "answer": "jay"} for n in range(3)]
    said = ["jay", "It is a jay.", ""]
    records = [{**item, "answer_prediction": text} for item, text in zip(items, said, strict=True)]
    small_data.write_json(tmp_path / "p.jsonl", records)
    done = process("score", "--task-file", OWN_TASK, "--predictions", tmp_path / "p.jsonl", "--json")
    assert (done.code, done.err) == (0, "")
    report = json.loads(done.out)
    assert (report["task"], report["official"]["correct"], report["strict"]["correct"]) == ("birds", 1, 2)
    assert (report["n"], report["unanswered"], report["dropped"]) == (3, 1, 0)


def test_a_task_of_an_installed_package_is_scored_by_its_name(tmp_path: Path) -> None:
    install(tmp_path, "dtbench-birds", {"birds": "dtbench_birds:Birds"}, OWN_TASK.read_text())
    record = {"id": "1", "choices": ["crow", "jay"], "answer": "jay", "answer_prediction": "jay"}
    small_data.write_json(tmp_path / "p.jsonl", [record])
    options = ("score", "--task", "birds", "--predictions", tmp_path / "p.jsonl", "--json")
    done = process(*options, PYTHONPATH=str(tmp_path))
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out)["official"]["accuracy"] == 1.0
    assert "unknown task 'birds'" in process(*options).refusal()
