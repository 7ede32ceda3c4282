"""Prediction files in every form in use, and in every broken one."""

from __future__ import annotations

import json
import os
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest
import small_data

from dtbench.harness.core.errors import TaskError, UserError
from dtbench.harness.core.schema import Sample
from dtbench.harness.core.task import Task
from dtbench.harness.score.official import MISSING
from dtbench.harness.score.prediction_file import Predictions, read_predictions
from dtbench.tasks.registry import get_task, task_from_file

OWN_TASK = Path(__file__).resolve().parents[2] / "support" / "own_task.py"
MMAR, MMAU, MMSU = get_task("mmar"), get_task("mmau-mini"), get_task("mmsu")
TWO = [{"id": "1", "answer_prediction": "a bell"}, {"id": "2", "answer_prediction": "a drum"}]
LINES = "".join(json.dumps(record) + "\n" for record in TWO)


def read(path: Path, content: str | bytes, of: Task = MMAR, **options: Any) -> Predictions:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_predictions(of, path, options.pop("metadata", None), **options)


def refusal(path: Path, content: str | bytes, of: Task = MMAR, **options: Any) -> str:
    with pytest.raises(UserError) as raised:
        read(path, content, of, **options)
    line = str(raised.value)
    assert line.startswith(f"--predictions {path}: ")
    assert "\n" not in line
    return line.removeprefix(f"--predictions {path}: ")


@pytest.mark.parametrize(
    "content",
    [
        LINES,
        LINES.rstrip("\n"),
        LINES.replace("\n", "\r\n"),
        "\n\n" + LINES.replace("\n", "\n \n\n"),
        "\ufeff" + LINES,
        json.dumps(TWO),
        json.dumps(TWO, indent=2),
        "\ufeff\r\n" + json.dumps(TWO, indent=2).replace("\n", "\r\n"),
    ],
    ids=["lines", "no final newline", "CRLF", "blank lines", "BOM", "list", "indented", "indented, BOM, CRLF"],
)
@pytest.mark.parametrize("name", ["p.json", "p.jsonl", "p.txt"])
def test_a_list_and_lines_are_told_apart_by_content_not_by_name(tmp_path: Path, name: str, content: str) -> None:
    found = read(tmp_path / name, content)
    assert [(row.number, row.id, row.prediction) for row in found.rows] == [(0, "1", "a bell"), (1, "2", "a drum")]
    assert found.notes == ()


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    many = "".join(json.dumps({"id": str(n), "answer_prediction": "a bell"}) + "\n" for n in range(3000))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(many,))
    writer.start()
    found = read_predictions(MMAR, pipe, None)
    writer.join()
    assert [row.id for row in found.rows] == [str(n) for n in range(3000)]


@pytest.mark.parametrize("of", [MMAR, MMAU, MMSU], ids=lambda of: of.name)
def test_every_key_name_in_use_is_read(tmp_path: Path, of: Task) -> None:
    assert len(of.prediction_keys) >= 3
    for key in of.prediction_keys:
        found = read(tmp_path / "p.jsonl", json.dumps({"id": "1", key: "a bell"}), of)
        assert (found.key, found.rows[0].prediction, found.notes) == (key, "a bell", ())


def test_the_scripts_own_key_goes_first_and_what_another_says_is_told(tmp_path: Path) -> None:
    records = [
        {"id": "1", "model_prediction": "a bell", "answer_prediction": "a bell"},
        {"id": "2", "model_prediction": "a drum", "answer_prediction": "a bell"},
        {"id": "3", "model_prediction": "a drum"},
    ]
    found = read(tmp_path / "p.json", json.dumps(records))
    assert [row.prediction for row in found.rows] == ["a bell", "a bell", MISSING]
    (note,) = found.notes
    other = "records with something else in model_prediction, which was ignored: 2"
    assert note == f"predictions were read from answer_prediction; {other}"


def test_odd_predictions_are_kept_as_they_are(tmp_path: Path) -> None:
    odd = [None, 3, 1.5, True, ["a"], {"text": "a"}, "", "\ud800 lone", "x" * 1_000_000]
    records = [{"id": str(n), "answer_prediction": prediction} for n, prediction in enumerate(odd)]
    found = read(tmp_path / "p.json", json.dumps([*records, {"id": "without"}]))
    assert [row.prediction for row in found.rows] == [*odd, MISSING]


NOT_PREDICTIONS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "no record in this file. A JSON list or JSON lines of records is expected."),
    "blank": (b" \r\n\n", "no record in this file. A JSON list"),
    "empty list": (b"[]", "no record in this file. A JSON list"),
    "CSV": (b"id,answer\n1,bell\n", "line 1, column 1: not JSON (Expecting value). A JSON list or JSON lines of"),
    "binary": (b"\x89PNG\r\n\x1a\n\x00", "not UTF-8 text (byte 0); is it another kind of file? A JSON list or"),
    "UTF-16": (LINES.encode("utf-16"), "not UTF-8 text (byte 0)"),
    "Latin-1": ('[{"answer_prediction": "für"}]'.encode("latin-1"), "not UTF-8 text (byte 25)"),
    "cut list": (json.dumps(TWO).encode()[:-20], "line 1, column "),
    "cut indented list": (json.dumps(TWO, indent=1).encode()[:-3], "line 9, column 2: not JSON ("),
    "list of texts": (b'["a bell", "a drum"]', "item 1: an object with fields is expected, found 'a bell'."),
    "lines of texts": (b'"a bell"\n"a drum"', "line 1: an object with fields is expected, found 'a bell'. A JSON"),
    "list of lists": (b"[[1, 2]]", "item 1: an object with fields is expected, found [1, 2]."),
    "indented object": (json.dumps({"data": TWO}, indent=1).encode(), "one JSON object over several lines; one rec"),
    "object": (json.dumps({"data": TWO}).encode(), "no record has a prediction: the key answer_pred"),
    "no prediction": (b'{"id": "1", "answer": "a bell"}', "found: id, answer."),
    "no field": (b"{}", "found: none."),
    "deep": (b"[" * 200_000, "the JSON is nested too deeply."),
    "long number in lines": (b'{"id": ' + b"9" * 5000 + b"}", "line 1: a number in it is too long to be read"),
    "long number in a list": (b"[" + b"9" * 5000 + b"]", "a number in it is too long to be read"),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "this is a Git LFS pointer, not the data"),
}


@pytest.mark.parametrize("kind", NOT_PREDICTIONS)
@pytest.mark.parametrize("of", [MMAR, MMSU], ids=lambda of: of.name)
def test_a_file_of_another_kind_is_one_clear_line(tmp_path: Path, kind: str, of: Task) -> None:
    content, complaint = NOT_PREDICTIONS[kind]
    line = refusal(tmp_path / "p.jsonl", content, of)
    assert complaint.replace("answer_pred", of.prediction_keys[0][:11]) in line
    assert len(line) < 400


def test_a_zip_a_folder_and_nothing_at_all_are_no_prediction_files(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.writestr("p.jsonl", LINES)
    with pytest.raises(UserError, match="is it another kind of file"):
        read_predictions(MMAR, tmp_path / "p.zip", None)
    with pytest.raises(UserError, match=r"this is a folder\. A JSON list or JSON lines"):
        read_predictions(MMAR, tmp_path, None)
    with pytest.raises(UserError, match=r"there is no such file\.$"):
        read_predictions(MMAR, tmp_path / "gone.json", None)
    with pytest.raises(UserError, match=r"cannot be read \(File name too long\)\.$"):
        read_predictions(MMAR, tmp_path / ("x" * 300), None)


def test_keys_of_a_file_without_predictions_are_listed_up_to_a_dozen(tmp_path: Path) -> None:
    line = refusal(tmp_path / "p.json", json.dumps({f"id-{number}": "a bell" for number in range(1000)}))
    assert line.endswith("found: " + ", ".join(f"id-{number}" for number in range(12)) + " and 988 more.")


def test_a_broken_line_is_named_where_the_script_stops_and_kept_in_its_place_where_it_goes_on(tmp_path: Path) -> None:
    broken = LINES.replace("}\n", "}\n{broken\n", 1)
    line = refusal(tmp_path / "p.jsonl", broken)
    assert line.startswith("line 2, column 2: not JSON (Expecting property name")
    assert line.endswith("The official script stops at this line: repair or remove it.")
    rows = read(tmp_path / "p.jsonl", broken, MMSU).rows
    assert [(row.number, row.id, row.item is None) for row in rows] == [
        (0, "1", False),
        (1, None, True),
        (2, "2", False),
    ]


def test_a_file_cut_off_in_its_last_line_is_not_taken_for_whole(tmp_path: Path) -> None:
    assert refusal(tmp_path / "p.jsonl", LINES[:-10]).startswith("line 2, column ")


@pytest.mark.parametrize("as_list", [True, False], ids=["list", "lines"])
def test_repeated_ids_are_refused_with_their_places_unless_allowed(tmp_path: Path, as_list: bool) -> None:
    records = [*TWO, TWO[0], TWO[1], TWO[0]]
    content = json.dumps(records) if as_list else "\n".join(json.dumps(record) for record in records)
    places = "item 1 and item 3" if as_list else "line 1 and line 3"
    assert refusal(tmp_path / "p.json", content) == (
        f"duplicate ids: 2 (first: '1', {places}). Remove the extra records, or score "
        f"every record as the official script does with --allow-duplicates."
    )
    found = read(tmp_path / "p.json", content, allow_duplicates=True)
    assert [row.id for row in found.rows] == ["1", "2", "1", "2", "1"]
    assert found.notes == ("duplicate ids: 2; every record is scored, as in the official script",)


@pytest.mark.parametrize(
    ("id_", "shown"), [("x", "x"), (7, "7"), (None, None), ([1], None), ({}, None), (1.5, None), (True, None)], ids=repr
)
def test_an_id_is_text_or_a_whole_number(tmp_path: Path, id_: object, shown: str | None) -> None:
    found = read(tmp_path / "p.json", json.dumps([{"id": id_, "answer_prediction": "a bell"}]))
    assert found.rows[0].id == shown


def test_records_without_ids_are_not_repeated_ones(tmp_path: Path) -> None:
    records = [{"answer_prediction": "a bell"}, {"answer_prediction": "a bell"}, {"id": None, "answer_prediction": ""}]
    assert [row.id for row in read(tmp_path / "p.json", json.dumps(records)).rows] == [None, None, None]


@pytest.fixture
def metadata(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "MMAR-meta.jsonl"
    small_data.write_json(path, small_data.mmar_items())
    return path


def answers(**changes: object) -> str:
    """A line for each item of the metadata: id and prediction, and what is changed in the first."""
    records = [{"id": item["id"], "answer_prediction": item["answer"]} for item in small_data.mmar_items()]
    records[0] |= changes
    return "\n".join(json.dumps(record) for record in records)


def test_with_metadata_ids_and_predictions_are_enough(tmp_path: Path, metadata: Path) -> None:
    for source in (metadata, metadata.parent):
        found = read(tmp_path / "p.jsonl", answers(), metadata=source)
        assert [row.item for row in found.rows] == small_data.mmar_items()
        assert (found.absent, found.version, found.notes) == (0, "v2-github", ())


def test_items_without_a_record_are_counted(tmp_path: Path, metadata: Path) -> None:
    short = "\n".join(answers().splitlines()[2:])
    assert read(tmp_path / "p.jsonl", short, metadata=metadata).absent == 2


@pytest.mark.parametrize(
    ("id_", "named"), [("other", "id 'other'"), (12, "id '12'"), (["x"], "id \"['x']\""), (None, "id 'None'")], ids=repr
)
def test_a_record_that_the_metadata_does_not_know_is_refused(
    tmp_path: Path, metadata: Path, id_: object, named: str
) -> None:
    line = refusal(tmp_path / "p.jsonl", answers(id=id_), metadata=metadata)
    assert line == (
        f"line 1: {named}: 1 of 6 records are not in {metadata}. "
        f"Name the metadata that these predictions were made from."
    )


def test_a_record_without_id_cannot_be_joined(tmp_path: Path, metadata: Path) -> None:
    line = refusal(tmp_path / "p.jsonl", '{"answer_prediction": "a bell"}', metadata=metadata)
    assert line.startswith("line 1: no id: 1 of 1 records are not in ")


@pytest.mark.parametrize("field", ["question", "choices", "answer"])
def test_records_of_another_version_of_the_data_are_told(tmp_path: Path, metadata: Path, field: str) -> None:
    found = read(tmp_path / "p.jsonl", answers(**{field: "changed since"}), metadata=metadata)
    (note,) = found.notes
    first = small_data.mmar_items()[0]
    assert note.startswith("records whose question, options or answer differ from the metadata: 1 (first: 'made-up-")
    assert found.rows[0].item == first


def test_metadata_that_is_not_there_or_of_another_kind_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("See the other folder.")
    for source, complaint in (
        (tmp_path / "gone", f"--metadata {tmp_path}/gone: there is no such file or folder."),
        (tmp_path / ("x" * 300), ": cannot be read (File name too long)."),
        (tmp_path / "p.jsonl", f"{tmp_path}/p.jsonl: line 1: the field 'modality' is missing"),
        (tmp_path / "notes.txt", f"{tmp_path}/notes.txt: line 1, column 1: not JSON"),
    ):
        with pytest.raises(UserError) as raised:
            read(tmp_path / "p.jsonl", answers(), metadata=source)
        assert complaint in str(raised.value)


def test_the_smallest_task_of_ones_own_is_scored_with_its_data_and_without(tmp_path: Path) -> None:
    birds = task_from_file(OWN_TASK)
    item = {"id": "1", "question": "Which bird calls?", "choices": ["crow", "jay"], "answer": "jay"}
    (tmp_path / "birds.json").write_text(json.dumps([{**item, "clip": "1.wav"}]))
    bare = read(tmp_path / "p.jsonl", '{"id": "1", "answer_prediction": "jay"}', birds, metadata=tmp_path)
    assert bare.rows[0].item == item
    whole = read(tmp_path / "p.jsonl", json.dumps({**item, "answer_prediction": "jay"}), birds)
    assert whole.rows[0].item == {**item, "answer_prediction": "jay"}


def test_a_fault_in_the_code_of_a_task_of_ones_own_is_named_with_its_line(tmp_path: Path) -> None:
    class Faulty(Task):
        name = "faulty"

        def samples(self, data_dir: Path | None) -> list[Sample]:
            return [Sample("1", "What?", (), str(1 // 0), Path())]

    with pytest.raises(TaskError) as raised:
        read(tmp_path / "p.jsonl", LINES, Faulty(), metadata=tmp_path)
    line = str(raised.value)
    assert line.startswith(f"task faulty: loading {tmp_path} failed with ZeroDivisionError: ")
    assert "(test_prediction_file.py, line " in line
