"""Every published layout loads, verifies and scores; every broken one is refused in one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import small_data
from small_data import LAYOUTS

from dtbench.harness.audio.prepare import read_clip
from dtbench.harness.core.errors import DataError
from dtbench.harness.core.schema import Sample
from dtbench.harness.core.task import Task
from dtbench.harness.extract.answer import Extraction
from dtbench.tasks import registry as task_registry
from dtbench.tasks.data.verify import verify_dataset

SCORED = {name: found for name, found in LAYOUTS.items() if found[0] != "mmau-test"}


def task_in(layout: str, folder: Path) -> Task:
    name, build = LAYOUTS[layout]
    build(folder)
    return task_registry.get_task(name)


def answered(choice: str | None) -> Extraction:
    return Extraction(thinking="", answer=choice or "", choice=choice, how="test")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_published_layout_verifies_with_every_clip(layout: str, tmp_path: Path) -> None:
    report = verify_dataset(task_in(layout, tmp_path), tmp_path, subset=True)
    assert report.problems == ()
    assert report.clips is not None
    assert report.clips.decoded == 6
    assert dict(report.clips.formats) == {"WAV": 3, "MP3": 1, "FLAC": 1, "OGG": 1}
    assert set(report.clips.channels) == {1, 2, 6}


@pytest.mark.parametrize("layout", SCORED)
def test_every_gold_answer_scores_right_and_no_answer_scores_wrong(layout: str, tmp_path: Path) -> None:
    task = task_in(layout, tmp_path)
    samples = list(task.samples(tmp_path))
    assert len(samples) == 6
    for sample in samples:
        right = task.score(sample, answered(sample.answer))
        assert (right.official.correct, right.official.counted, right.correct) == (True, True, True)
        none = task.score(sample, answered(None))
        assert (none.official.correct, none.correct) == (False, None)
        wrong = next(choice for choice in sample.choices if choice != sample.answer)
        assert task.score(sample, answered(wrong)).correct is False


@pytest.mark.parametrize("layout", LAYOUTS)
def test_data_is_found_in_d_and_in_d_task(layout: str, tmp_path: Path) -> None:
    name, build = LAYOUTS[layout]
    build(tmp_path / "inside" / name)
    task = task_registry.get_task(name)
    assert task.load(tmp_path / "inside").sha256 == task.load(tmp_path / "inside" / name).sha256


def test_the_default_folder_is_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_data.mmsu_parquet(tmp_path / "mmsu")
    monkeypatch.setenv("DTBENCH_DATA", str(tmp_path))
    assert len(task_registry.get_task("mmsu").load(None).samples) == 6


def test_all_layouts_of_mmau_hold_the_same_questions(tmp_path: Path) -> None:
    layouts = [name for name, (task, _) in LAYOUTS.items() if task == "mmau-mini"]
    found = [task_in(name, tmp_path / name).load(tmp_path / name) for name in layouts]
    assert len(layouts) == 4
    assert len({data.sha256 for data in found}) == 1


def test_prefixed_options_are_read_as_plain_text(tmp_path: Path) -> None:
    samples = list(task_in("mmau hub parquet", tmp_path).samples(tmp_path))
    for sample, item in zip(samples, small_data.mmau_items(), strict=True):
        assert dict(sample.item) == item
        assert (list(sample.choices), sample.answer) == (item["choices"], item["answer"])


def test_options_that_only_look_prefixed_stay_as_they_are(tmp_path: Path) -> None:
    items = small_data.mmau_items(1)
    items[0] |= {"choices": ["(B) flat", "(A) sharp"], "answer": "(A) sharp"}
    small_data.write_json(tmp_path / "mmau-test-mini.json", items)
    (sample,) = task_registry.get_task("mmau-mini").samples(tmp_path)
    assert sample.choices == ("(B) flat", "(A) sharp")


def test_groups_are_text_and_hold_what_the_tables_need(tmp_path: Path) -> None:
    def first(layout: str) -> Sample:
        return next(iter(task_in(layout, tmp_path / layout).samples(tmp_path / layout)))

    assert set(first("mmar v2 jsonl, folder").groups) == {"modality", "category", "sub-category", "language"}
    assert set(first("mmau json, folder").groups) == {"task", "difficulty", "sub-category", "category", "dataset"}
    assert set(first("mmsu parquet").groups) == {
        "category",
        "sub-category",
        "sub-sub-category",
        "linguistics_sub_discipline",
        "task_name",
    }
    listed = list(task_registry.get_task("mmau-mini").samples(tmp_path / "mmau json, folder"))[2]
    assert (listed.groups["category"], listed.item["category"]) == ("Reasoning", ["Reasoning"])


def test_mmsu_submits_letters_and_keeps_numbers_for_the_script(tmp_path: Path) -> None:
    task = task_in("mmsu question/jsonl, folder", tmp_path)
    samples = list(task.samples(tmp_path))
    assert (samples[0].choices, samples[0].item["choice_c"]) == (("a bird", "a bell"), None)
    assert (samples[3].choices, samples[3].item["answer_gt"]) == (("3", "3 at most", "4", "5"), 4)
    assert [task.submission(sample, answered(sample.answer)) for sample in samples] == ["A", "B", "C", "C", "A", "B"]
    assert samples[1].answer == "None"
    assert task.submission(samples[0], answered(None)) == ""


def test_mmsu_of_2025_starts_afresh_for_each_file() -> None:
    task = task_registry.get_task("mmsu")
    item = small_data.mmsu_items(1)[0]
    rule = task.official("2025")
    assert [rule(item, text).correct for text in ("A", "", "B", "")] == [True, True, False, False]
    assert task.official("2025")(item, "").correct is False
    assert task.official("2026")(item, "").correct is False


def test_mmau_test_withholds_answers(tmp_path: Path) -> None:
    data = task_in("mmau test json, tar.gz", tmp_path).load(tmp_path)
    assert {sample.answer for sample in data.samples} == {None}
    assert "withheld" in data.notes[0]


def test_clips_are_opened_by_audio_path_and_not_by_id(tmp_path: Path) -> None:
    samples = list(task_in("mmar v2 jsonl, folder", tmp_path).samples(tmp_path))
    assert samples[0].audio == tmp_path / "audio" / "clip of 0.wav"


def test_v2_is_read_where_both_are_there_and_it_is_said(tmp_path: Path) -> None:
    small_data.mmar_v1_archive(tmp_path)
    assert task_registry.get_task("mmar").load(tmp_path).version == "v1-hf"
    small_data.mmar_v2_archive(tmp_path)
    data = task_registry.get_task("mmar").load(tmp_path)
    assert data.version == "v2-github"
    assert data.notes == ("read MMAR-meta.jsonl, not MMAR-meta.json beside it",)


def test_an_archive_is_unpacked_when_a_clip_is_read_and_not_before(tmp_path: Path) -> None:
    samples = list(task_in("mmar v2 jsonl, tar.gz", tmp_path).samples(tmp_path))
    assert not (tmp_path / "audio").exists()
    assert read_clip(samples[0].audio) == small_data.published_clips(1)[0]
    assert len(list((tmp_path / "audio").iterdir())) == 6


def test_a_broken_archive_is_one_problem_not_one_a_clip(tmp_path: Path) -> None:
    task = task_in("mmar v2 jsonl, tar.gz", tmp_path)
    archive = tmp_path / "mmar-audio.tar.gz"
    archive.write_bytes(archive.read_bytes()[:-100])
    (problem,) = verify_dataset(task, tmp_path, subset=True).problems
    assert "truncated" in problem
    assert "(6 clips)" in problem


def test_metadata_without_audio_loads_for_scoring_and_fails_to_verify(tmp_path: Path) -> None:
    small_data.write_json(tmp_path / "MMAR-meta.jsonl", small_data.mmar_items())
    task = task_registry.get_task("mmar")
    (note,) = task.load(tmp_path).notes
    assert "mmar-audio.tar.gz" in note
    assert verify_dataset(task, tmp_path, audio=False, subset=True).problems == ()
    (problem,) = verify_dataset(task, tmp_path, subset=True).problems
    assert problem.startswith("6 of 6 clips are missing (first: ")
    with pytest.raises(DataError, match="clip is missing"):
        read_clip(next(iter(task.samples(tmp_path))).audio)


def without(key: str) -> str:
    item = small_data.mmar_items(1)[0]
    del item[key]
    return json.dumps([item])


def with_value(key: str, value: object) -> str:
    return json.dumps(small_data.mmar_items(1)[0] | {key: value})


BAD_METADATA = {
    "empty": ("", "no item"),
    "empty list": ("[]", "no item"),
    "spaces only": ("\n \n", "no item"),
    "not JSON": ("<html>", r"line 1, column 1: not JSON"),
    "cut list": ('[{"id": "a"},\n{"id": ', r"line 2, column 8: not JSON"),
    "cut line": (json.dumps(small_data.mmar_items(1)[0]) + '\n{"id": "b', r"line 2, column 8: not JSON"),
    "list of numbers": ("[1, 2]", r"item 1: an object .* found 1"),
    "line with a list": ('"text"\n', r"line 1: an object .* found 'text'"),
    "nested too deeply": ("[" * 100_000, "nested too deeply"),
    "no id": (without("id"), "item 1: the field 'id' is missing; found: audio_path, question"),
    "no choices": (without("choices"), "'choices' is missing"),
    "no sub-category": (without("sub-category"), "'sub-category' is missing"),
    "no audio_path": (without("audio_path"), "'audio_path' is missing"),
    "id is a number": (with_value("id", 3), "line 1: 'id' must be text, found 3"),
    "answer is null": (with_value("answer", None), "'answer' must be text, found None"),
    "choices is text": (with_value("choices", "a"), "'choices' must be a list of texts, found 'a'"),
    "choices is empty": (with_value("choices", []), "'choices' must be a list of texts"),
    "a choice is a number": (with_value("choices", ["a", 3]), "'choices' must be a list of texts"),
    "path leads out": (with_value("audio_path", "audio/../../../etc/passwd"), "'audio_path' must be a path like"),
    "path without folder": (with_value("audio_path", "x.wav"), "'audio_path' must be a path like"),
    "path with NUL": (with_value("audio_path", "audio/\0.wav"), "'audio_path' must be a path like"),
    "half a character": (
        '{"id": "\\ud800", ' + with_value("source", "x")[1:].replace('"id"', '"i"'),
        "cannot be encoded",
    ),
    "LFS pointer": ("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "git lfs pull"),
    "same id twice": (
        json.dumps(small_data.mmar_items(1) * 2),
        r"duplicate id 'made-up-0.*' \(items 1 and 2\)",
    ),
}


@pytest.mark.parametrize("case", BAD_METADATA)
def test_bad_metadata_is_one_line_that_names_file_and_place(case: str, tmp_path: Path) -> None:
    text, message = BAD_METADATA[case]
    (tmp_path / "MMAR-meta.jsonl").write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        task_registry.get_task("mmar").load(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}/MMAR-meta.jsonl")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_metadata_that_is_not_utf8_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "MMAR-meta.json").write_bytes(b'[{"id": "\xff"}]')
    with pytest.raises(DataError, match=r"not UTF-8 text \(byte 9\)"):
        task_registry.get_task("mmar").load(tmp_path)


def test_a_byte_order_mark_and_line_separators_in_texts_are_harmless(tmp_path: Path) -> None:
    item = small_data.mmar_items(1)[0] | {"question": "one\u2028two"}
    (tmp_path / "MMAR-meta.jsonl").write_text("\ufeff" + json.dumps(item, ensure_ascii=False) + "\r\n", "utf-8")
    assert next(iter(task_registry.get_task("mmar").samples(tmp_path))).question == "one\u2028two"


@pytest.mark.parametrize("name", ["mmar", "mmau-mini", "mmau-test", "mmsu"])
def test_a_folder_without_metadata_is_said_to_be_so_with_what_to_do(name: str, tmp_path: Path) -> None:
    (tmp_path / "audio").mkdir()
    with pytest.raises(DataError, match=rf"no {name} metadata in .*dtbench data pull {name}"):
        task_registry.get_task(name).load(tmp_path)


def test_a_folder_that_is_not_there_is_named() -> None:
    with pytest.raises(DataError, match="--data-dir /no/such/folder: there is no such folder"):
        task_registry.get_task("mmar").load(Path("/no/such/folder"))


def test_missing_shards_are_counted(tmp_path: Path) -> None:
    task = task_in("mmsu parquet", tmp_path)
    (tmp_path / "data" / "train-00001-of-00003.parquet").unlink()
    with pytest.raises(DataError, match=r"1 of 3 parts are missing: train-00001-of-00003.parquet"):
        task.load(tmp_path)


@pytest.mark.parametrize("keep", [0, 3, 300])
def test_a_damaged_parquet_file_is_one_line(keep: int, tmp_path: Path) -> None:
    task = task_in("mmau hub parquet", tmp_path)
    file = tmp_path / "test_mini.parquet"
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"test_mini.parquet: not a readable parquet file") as caught:
        task.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_parquet_file_of_something_else_names_the_column(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"x": [1]}), tmp_path / "test_mini.parquet")
    with pytest.raises(DataError, match=r"the column 'answer' is missing; found: x"):
        task_registry.get_task("mmau-mini").load(tmp_path)


def test_every_item_of_mmsu_names_its_clip_in_either_copy(tmp_path: Path) -> None:
    ids = [item["id"] for item in small_data.mmsu_items()]
    parquet = task_in("mmsu parquet", tmp_path / "parquet").samples(tmp_path / "parquet")
    assert [sample.item["audio_path"] for sample in parquet] == [f"{id_}.wav" for id_ in ids]
    folder = task_in("mmsu question/jsonl, folder", tmp_path / "folder").samples(tmp_path / "folder")
    assert [sample.item["audio_path"] for sample in folder] == [item["audio_path"] for item in small_data.mmsu_items()]


def test_questions_without_any_audio_load_with_a_note_in_every_layout_of_folders(tmp_path: Path) -> None:
    said = {}
    for layout in ("mmar v2 jsonl, folder", "mmau json, folder", "mmsu question/jsonl, folder"):
        task = task_in(layout, tmp_path / layout)
        assert not [note for note in task.load(tmp_path / layout).notes if note.startswith("no audio")]
        for folder in (tmp_path / layout).iterdir():
            if folder.is_dir() and folder.name != "question":
                shutil.rmtree(folder)
        said[task.name] = [note for note in task.load(tmp_path / layout).notes if note.startswith("no audio")]
    assert {name: len(notes) for name, notes in said.items()} == {"mmar": 1, "mmau-mini": 1, "mmsu": 1}
    assert "a run needs the folder audio or audio.tar.gz or audio.zip in" in said["mmsu"][0]


@pytest.mark.parametrize(
    ("layout", "column"), [("mmau lmms parquet", "choices"), ("mmau hub parquet", "other_attributes")]
)
def test_a_column_of_json_that_is_none_is_named_with_its_row(layout: str, column: str, tmp_path: Path) -> None:
    from pyarrow import parquet

    task = task_in(layout, tmp_path)
    (file,) = tmp_path.rglob("*.parquet")
    rows = parquet.read_table(file)
    place = rows.column_names.index(column)
    parquet.write_table(rows.set_column(place, column, [["[1"] * len(rows)]), file)
    with pytest.raises(DataError, match=rf"row 0: '{column}' must be JSON \(Expecting"):
        task.load(tmp_path)
