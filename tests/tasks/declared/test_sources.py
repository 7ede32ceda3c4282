"""Sources of task files: the same questions and clips out of every form that records and clips may have."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from called_birds import calls
from task_files import BIRDS, clip_files, task_text, write_archive, write_birds, write_lines, write_parquet, write_table

from dtbench.harness.audio.prepare import read_clip
from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import DataError, UserError
from dtbench.tasks.declared.task import DeclaredTask
from dtbench.tasks.registry import task_from_file

COLUMNS = {"choices": '["option_1", "option_2", "option_3"]', "Habitat": '"habitat"'}


def json_list(folder: Path) -> str:
    (folder / "questions.json").write_text(json.dumps(BIRDS))
    clip_files(folder)
    return task_text('files = ["questions.json"]')


def one_object(folder: Path) -> str:
    (folder / "questions.json").write_text(json.dumps({"version": 2, "data": {"items": BIRDS}}, indent=1))
    clip_files(folder)
    return task_text('files = "questions.json"\nrows = "data.items"')


def comma_table(folder: Path) -> str:
    write_table(folder / "questions.csv", ",")
    clip_files(folder)
    return task_text('files = ["questions.csv"]', **COLUMNS)


def tab_table(folder: Path) -> str:
    write_table(folder / "questions.tsv", "\t")
    clip_files(folder)
    return task_text('files = ["questions.tsv"]', **COLUMNS)


def parquet(folder: Path) -> str:
    write_parquet(folder / "part.parquet")
    return task_text('files = ["*.parquet"]')


def shards(folder: Path) -> str:
    for number, item in enumerate(BIRDS):
        write_lines(folder / "parts" / f"{number}.jsonl", [item])
    clip_files(folder)
    return task_text('files = ["parts/*.jsonl"]')


def archive(folder: Path) -> str:
    write_lines(folder / "questions.jsonl", BIRDS)
    write_archive(folder / "sounds.tar.gz")
    return task_text('files = ["questions.jsonl"]\narchive = "sounds.tar.gz"')


def folder_of_clips(folder: Path) -> str:
    write_lines(folder / "questions.jsonl", [{**item, "clip": f"{item['id']}.wav"} for item in BIRDS])
    clip_files(folder / "audio")
    return task_text('files = ["questions.jsonl"]\nclips = "audio/clips"')


def saved_dataset(folder: Path) -> str:
    import datasets

    clip_files(folder)
    rows = [{**item, "clip": str(folder / item["clip"])} for item in BIRDS]
    data = datasets.Dataset.from_list(rows).cast_column("clip", datasets.Audio(decode=False))
    data.save_to_disk(str(folder / "saved"))
    return task_text('files = ["saved"]\nformat = "datasets"')


FORMS = (json_list, one_object, comma_table, tab_table, parquet, shards, archive, folder_of_clips)


def loaded(folder: Path, text: str) -> Dataset:
    (folder / "birds.toml").write_text(text)
    return task_from_file(folder / "birds.toml").load(None)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_questions_and_clips(tmp_path: Path, form: Callable[[Path], str]) -> None:
    data = loaded(tmp_path, form(tmp_path))
    told = [(one.id, one.question, list(one.choices), one.answer, dict(one.groups)) for one in data.samples]
    assert told == [
        (
            item["id"],
            item["question"],
            item["options"],
            item["answer"],
            {"Continent": item["continent"], "Habitat": item["where"]["habitat"]},
        )
        for item in BIRDS
    ]
    assert [read_clip(one.audio) for one in data.samples] == calls(len(BIRDS))
    assert data.notes == ()


def test_a_saved_data_set_gives_the_same_questions_and_clips(tmp_path: Path) -> None:
    data = loaded(tmp_path, saved_dataset(tmp_path))
    assert [one.id for one in data.samples] == [item["id"] for item in BIRDS]
    assert [read_clip(one.audio) for one in data.samples] == calls(len(BIRDS))


def test_a_list_of_clips_in_a_row_of_parquet_is_several_clips(tmp_path: Path) -> None:
    write_parquet(tmp_path / "part.parquet", several=True)
    data = loaded(tmp_path, task_text('files = ["part.parquet"]'))
    heard = [[read_clip(clip) for clip in one.clips] for one in data.samples]
    assert heard == [[sound, sound] for sound in calls(len(BIRDS))]


def test_a_list_of_paths_is_several_clips(tmp_path: Path) -> None:
    file = write_birds(tmp_path, items=[{**BIRDS[0], "clip": ["clips/b2.wav", "clips/b1.wav"]}])
    (sample,) = task_from_file(file).load(None).samples
    assert sample.clips == (tmp_path / "clips/b2.wav", tmp_path / "clips/b1.wav")


def test_columns_of_clips_are_several_clips_and_an_empty_one_is_none(tmp_path: Path) -> None:
    items = [{**BIRDS[0], "clip_2": "clips/b3.wav"}, {**BIRDS[1], "clip_2": None}]
    file = write_birds(tmp_path, task_text(audio='["clip", "clip_2"]'), items)
    assert [len(one.clips) for one in task_from_file(file).load(None).samples] == [2, 1]


def test_questions_are_found_in_the_data_folder_too(tmp_path: Path) -> None:
    file = write_birds(tmp_path / "here")
    for place in ("data", "data/birds"):
        shutil.rmtree(tmp_path / "data", ignore_errors=True)
        shutil.copytree(tmp_path / "here", tmp_path / place)
        data = task_from_file(file).load(tmp_path / "data")
        assert data.source == str(tmp_path / place / "questions.jsonl")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "no item in this file"),
        ("{}\n", "line 1: the field 'id' (id) is missing; found: none"),
        ('{"id": "b1"}\n', "line 1: the field 'options' (choices) is missing; found: id"),
        ("[1]\n", "item 1: an object with fields is expected, found 1"),
        ("{\n", "not JSON"),
        ("\xff", "not JSON"),
    ],
)
def test_records_that_make_no_question_are_one_line_with_their_place(
    tmp_path: Path, content: str, complaint: str
) -> None:
    file = write_birds(tmp_path)
    (tmp_path / "questions.jsonl").write_text(content)
    with pytest.raises(DataError) as raised:
        task_from_file(file).load(None)
    assert complaint in str(raised.value)
    assert str(tmp_path / "questions.jsonl") in str(raised.value)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"options": "Crow; Jay"}, "options is 'Crow; Jay', and a list of texts is expected; `json = true`, `split`"),
        ({"options": [None]}, "options is None, and a text is expected"),
        ({"answer": {"a": 1}}, "answer is {'a': 1}, and a text is expected"),
        ({"id": ""}, "id (id) is empty, and a text or a number is expected"),
        ({"clip": "../secret.wav"}, '"../secret.wav" is no path of a clip below the folder of the data'),
        ({"clip": "/etc/passwd"}, '"/etc/passwd" is no path of a clip below the folder of the data'),
        ({"clip": 3}, "3 is not a clip; a path, encoded bytes or a list of them is expected"),
        ({"id": "b2"}, "duplicate id 'b2' (items 1 and 2); ids must be unique"),
    ],
)
def test_a_value_that_fits_no_field_is_one_line_with_its_place(
    tmp_path: Path, change: dict[str, object], complaint: str
) -> None:
    file = write_birds(tmp_path, items=[{**BIRDS[0], **change}, BIRDS[1]])
    with pytest.raises(DataError) as raised:
        task_from_file(file).load(None)
    assert complaint in str(raised.value)
    assert str(tmp_path / "questions.jsonl") in str(raised.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("id,id\n1,2\n", "line 1: the column 'id' is there twice"),
        ("id,question\n1,2,3\n", "line 2: it has more cells than the 2 columns of the first line"),
        ('id,question\n1,"2\n', "not a table of text (unexpected end of data)"),
    ],
)
def test_a_table_of_text_that_is_none_is_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "questions.csv").write_text(text)
    with pytest.raises(DataError) as raised:
        loaded(tmp_path, task_text('files = ["questions.csv"]', **COLUMNS))
    assert complaint in str(raised.value)


def test_files_that_are_nowhere_are_named_with_where_they_were_looked_for(tmp_path: Path) -> None:
    file = tmp_path / "birds.toml"
    file.write_text(task_text())
    with pytest.raises(DataError) as raised:
        task_from_file(file).load(None)
    assert str(raised.value).startswith(f"birds: questions.jsonl is in none of {tmp_path}, ")
    with pytest.raises(DataError, match="there is no such folder"):
        task_from_file(file).load(tmp_path / "nowhere")


def test_a_function_of_the_users_may_make_records_of_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "birds_of_mine.py").write_text(
        "def twice(record):\n    return [{**record, 'id': f\"{record['id']}-{n}\"} for n in (1, 2)]\n"
        "def fails(record):\n    raise KeyError('no')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    file = write_birds(tmp_path, task_text('files = ["questions.jsonl"]\ntransform = "birds_of_mine:twice"'))
    ids = [one.id for one in task_from_file(file).load(None).samples]
    assert ids == ["b1-1", "b1-2", "b2-1", "b2-2", "b3-1", "b3-2"]
    table = DeclaredTask.from_file(file).declared.table
    with pytest.raises(UserError, match="birds_of_mine:twice is code, and a task that a data set or a run"):
        DeclaredTask.from_table(table, "hf:ORG/birds")
