"""`dtbench export --check`: what a board would not take is said, each fault in one line."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from command import call
from exports import Fields, checked, exported, lines, says, text
from made_up_run import write_run
from small_data import mmar_v2_folder, mmau_json_folder, mmsu_jsonl_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A made-up MMAR."""
    mmar_v2_folder(tmp_path / "mmar")
    return tmp_path / "mmar"


@pytest.fixture
def run(tmp_path: Path, folder: Path) -> Path:
    write_run(tmp_path / "run", {"mmar": folder}, says)
    return tmp_path / "run"


def broken(records: list[Fields]) -> dict[str, tuple[str, str]]:
    """Files that the challenge would not take, and why."""
    one, *rest = records
    bare = {"id": one["id"], "answer_prediction": "x"}
    long = {**one, "thinking_prediction": "x" * 10_000}
    return {
        "twice": (text([one, *records]), f"duplicate ids: 1 (first: '{one['id']}')"),
        "missing": (text(rest), "that are missing: 1 (first: "),
        "unknown": (text([*rest, {**one, "id": "else"}]), "ids that are not in"),
        "no field": (text([bare, *rest]), "records without thinking_prediction: 1"),
        "null": (text([{**one, "answer_prediction": None}, *rest]), "answer_prediction is not text: 1 (first: "),
        "long": (text([long, *rest]), "reasoning of 10,000 characters or more: 1"),
        "blank line": (text(records) + "\n", "lines that are not JSON objects: 1 (first: line 7 (empty))"),
        "torn": (text(records)[:-20], "lines that are not JSON objects: 1 (first: line 6"),
        "marked": ("\ufeff" + text(records), "byte order mark"),
    }


CASES = ("twice", "missing", "unknown", "no field", "null", "long", "blank line", "torn", "marked")


@pytest.mark.parametrize("case", CASES)
def test_what_the_challenge_would_not_take_is_said(run: Path, folder: Path, tmp_path: Path, case: str) -> None:
    file, _ = exported(run, "arc")
    with zipfile.ZipFile(file) as archive:
        content, problem = broken(lines(archive.read("result.jsonl")))[case]
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("result.jsonl", content)
    found = checked(tmp_path / "bad.zip", "arc", folder, 2)
    assert any(problem in one for one in found["problems"]), found
    assert found["score"] is None
    said = call("export", "--check", tmp_path / "bad.zip", "--format", "arc", "--data-dir", folder)
    assert said.code == 2
    count = f"{len(found['problems'])} problem{'s' * (len(found['problems']) > 1)}"
    verdict = f"not a valid arc submission ({found['records']} records, {count})"
    assert said.out.splitlines()[-1] == f"{tmp_path / 'bad.zip'}: {verdict}"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "it is not a zip file"),
        (b'{"id": "1"}\n', "it is not zipped: a zip with result.jsonl at its top level is expected"),
        (b"PK\x03\x04 no", "it is not a zip file"),
    ],
)
def test_what_is_no_archive_is_said(tmp_path: Path, folder: Path, content: bytes, problem: str) -> None:
    (tmp_path / "x.zip").write_bytes(content)
    assert any(problem in one for one in checked(tmp_path / "x.zip", "arc", folder, 2)["problems"])


def test_an_archive_with_the_file_elsewhere_is_said(tmp_path: Path, folder: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("submission/result.jsonl", "{}")
    (problem,) = checked(tmp_path / "x.zip", "arc", folder, 2)["problems"]
    assert problem == "the zip lacks result.jsonl at its top level, found: submission/result.jsonl"


def test_a_damaged_archive_is_said(run: Path, folder: Path, tmp_path: Path) -> None:
    file, _ = exported(run, "arc")
    content = bytearray(file.read_bytes())
    content[60:70] = bytes(10)
    (tmp_path / "x.zip").write_bytes(content)
    assert any("the zip is damaged" in one for one in checked(tmp_path / "x.zip", "arc", folder, 2)["problems"])


@pytest.mark.parametrize("content", [b"[]", b"{}", b"[1]", b"[", b"\xff"])
def test_what_is_no_list_of_objects_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.json").write_bytes(content)
    assert checked(tmp_path / "x.json", "mmau", None, 2)["problems"]


def test_questions_of_other_data_are_told(run: Path, folder: Path, tmp_path: Path) -> None:
    records = lines(exported(run, "mmar")[0].read_text())
    records[2]["choices"] = records[2]["choices"][::-1]
    (tmp_path / "x.jsonl").write_text(text(records))
    (problem,) = checked(tmp_path / "x.jsonl", "mmar", folder, 2)["problems"]
    assert problem.startswith("records whose question, options or answer differ from ")
    assert problem.endswith(f"(first: '{records[2]['id']}' in choices)")


def test_answers_in_words_of_their_own_are_noted_and_scored(run: Path, folder: Path, tmp_path: Path) -> None:
    records = lines(exported(run, "mmar")[0].read_text())
    records[0]["answer_prediction"] = f"It is the {records[0]['answer']}!"
    (tmp_path / "x.jsonl").write_text(text(records))
    found = checked(tmp_path / "x.jsonl", "mmar", folder)
    assert f"answers that do not match an option word for word: 1 (first: '{records[0]['id']}')" in found["notes"]
    assert found["score"]["n"] == 6


def test_without_the_data_the_form_alone_is_checked(run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file, _ = exported(run, "mmar")
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.chdir(tmp_path)
    found = checked(file, "mmar", None)
    assert any("the benchmark's data was not found" in note for note in found["notes"])
    assert found["score"] is None


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    assert "x: there is no such file." in call("export", "--check", tmp_path / "x", "--format", "arc").refusal()


DAMAGED = [
    ("mmar", "choices", None, "records without choices: 1"),
    ("mmar", "sub-category", None, "in sub-category"),
    ("mmau", "choices", None, "records without choices: 1"),
    ("mmau", "sub-category", "Another", "in sub-category"),
    ("mmsu", "answer_gt", None, "records without answer_gt: 1"),
    ("mmsu", "choice_a", None, "records without choice_a: 1"),
    ("mmsu", "sub-category", "Another", "in sub-category"),
]


@pytest.mark.parametrize(("kind", "field", "value", "problem"), DAMAGED)
def test_a_field_that_the_script_reads_must_be_there_and_the_datas(
    tmp_path: Path, kind: str, field: str, value: str | None, problem: str
) -> None:
    task, write = {
        "mmar": ("mmar", mmar_v2_folder),
        "mmau": ("mmau-mini", mmau_json_folder),
        "mmsu": ("mmsu", mmsu_jsonl_folder),
    }[kind]
    write(tmp_path / "data")
    write_run(tmp_path / "made", {task: tmp_path / "data"}, says)
    content = exported(tmp_path / "made", kind)[0].read_text()
    records = json.loads(content) if kind == "mmau" else lines(content)
    assert checked(write_records(tmp_path / "good", kind, records), kind, tmp_path / "data")["ok"]
    del records[1][field]
    if value is not None:
        records[1][field] = value
    found = checked(write_records(tmp_path / "bad", kind, records), kind, tmp_path / "data", 2)
    assert any(problem in one for one in found["problems"]), found


def write_records(path: Path, kind: str, records: list[Fields]) -> Path:
    path.write_text(json.dumps(records) if kind == "mmau" else text(records))
    return path


def test_the_score_is_that_of_the_files_own_records(run: Path, folder: Path, tmp_path: Path) -> None:
    file = exported(run, "mmar")[0]
    score = checked(file, "mmar", folder)["score"]
    assert score["official"]["counted"] == 6
    asked = dict.fromkeys(record["sub-category"] for record in lines(file.read_text()))
    assert [*score["official"]["groups"]["sub-category"]] == [*asked]


def test_of_the_challenge_no_one_can_tell_without_the_ids(
    run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file, _ = exported(run, "arc")
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.chdir(tmp_path)
    done = call("export", "--check", file, "--format", "arc")
    assert done.code == 4
    assert "name its folder with --data-dir" in done.out


@pytest.mark.parametrize("id_", [["x"], {"a": 1}, None, 3])
def test_an_id_of_any_type_is_a_problem_and_no_more(run: Path, folder: Path, tmp_path: Path, id_: object) -> None:
    records = lines(exported(run, "mmar")[0].read_text())
    records[1]["id"] = id_
    found = checked(write_records(tmp_path / "bad", "mmar", records), "mmar", folder, 2)
    assert any("records whose id is not text: 1" in one for one in found["problems"])
