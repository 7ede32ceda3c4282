"""Files of questions: which line stands, in which order, and what a kill or an edit leaves of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from run_records import SETTINGS, TASK

from dtbench.harness.core.errors import DataError
from dtbench.harness.store.jsonl import encode_line
from dtbench.harness.store.question_files import question_heads, read_questions
from dtbench.harness.store.question_types import QuestionRecord
from dtbench.harness.store.run_folder import RunFolder


def question(place: int, id_: str = "", clip: str | None = "0123456789ab", text: str = "Which?") -> QuestionRecord:
    return {
        "id": id_ or f"id {place}",
        "question_hash": f"{place:012x}",
        "place": place,
        "clips": [{"name": 'a "clip".wav', "hash": clip}],
        "question": text,
        "options": ["Crow", "Jay"],
        "answer": "Jay",
        "groups": {"level": "high"},
        "item": {"id": id_, "sample": 3, "hash": None},
    }


def written(folder: Path, questions: Iterable[QuestionRecord], name: str = f"{TASK}.questions.jsonl") -> Path:
    (folder / name).write_bytes(b"".join(map(encode_line, questions)))
    return folder


def test_the_last_line_of_a_question_stands_in_the_order_of_the_data_set(tmp_path: Path) -> None:
    late, early, again = question(7), question(2, clip=None), question(2)
    assert list(read_questions(written(tmp_path, (late, early, again)), TASK)) == [again, late]
    assert [(head.place, head.lacks_clip) for head in question_heads(tmp_path, TASK)] == [
        (7, False),
        (2, True),
        (2, False),
    ]


def test_a_question_that_moved_in_its_data_set_is_there_once(tmp_path: Path) -> None:
    before, moved, other = question(0, "moved"), question(3, "moved"), question(0, "new")
    assert list(read_questions(written(tmp_path, (before, moved, other)), TASK)) == [other, moved]


def test_the_files_of_shards_are_one(tmp_path: Path) -> None:
    written(tmp_path, [question(1)], f"{TASK}.2-of-2.questions.jsonl")
    written(tmp_path, [question(0)], f"{TASK}.1-of-2.questions.jsonl")
    written(tmp_path, [question(2)])
    assert [one["place"] for one in read_questions(tmp_path, TASK)] == [0, 1, 2]


@pytest.mark.parametrize("id_", ['with "quotes" and \\', "с буквами", "half \ud83d", '{"id":"x","question_hash":"'])
def test_any_text_may_be_an_id(tmp_path: Path, id_: str) -> None:
    odd = question(0, id_, text=id_)
    assert list(read_questions(written(tmp_path, [odd]), TASK)) == [odd]
    assert [head.id for head in question_heads(tmp_path, TASK)] == [id_]


def test_what_a_kill_left_of_the_last_line_is_cut_off_by_the_next_writer(tmp_path: Path) -> None:
    with RunFolder.start(tmp_path / "run", SETTINGS) as folder:
        folder.append_question(TASK, question(0))
        folder.append_question(TASK, question(1))
    path = tmp_path / "run" / f"{TASK}.questions.jsonl"
    whole = path.read_bytes()
    for size in range(len(encode_line(question(0))), len(whole)):
        path.write_bytes(whole[:size])
        assert list(read_questions(tmp_path / "run", TASK)) == [question(0)]
    with RunFolder.start(tmp_path / "run", SETTINGS) as folder:
        folder.append_question(TASK, question(1))
        assert list(folder.questions(TASK)) == [question(0), question(1)]
    assert path.read_bytes() == whole


def test_a_line_that_is_no_question_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, [question(0)]) / f"{TASK}.questions.jsonl"
    path.write_bytes(path.read_bytes() + encode_line({"id": "1", "sample": 0}))
    with pytest.raises(DataError, match=r"questions.jsonl, line 2: not a dtbench question. Remove the line"):
        list(read_questions(tmp_path, TASK))


def test_a_secret_in_a_question_is_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MADE_UP_API_KEY", "sesame-open-1234567")
    with RunFolder.start(tmp_path / "run", SETTINGS) as folder:
        folder.append_question(TASK, question(0, text="Is it sesame-open-1234567?"))
    assert b"sesame-open" not in (tmp_path / "run" / f"{TASK}.questions.jsonl").read_bytes()
    assert [one["place"] for one in read_questions(tmp_path / "run", TASK)] == [0]
