"""Training data as JSON lines: what is written is read back, and what cannot be trained on is told with its line."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from training_rows import made_rows, rows_file

from dtbench.harness.core.errors import DataError, UserError
from dtbench.tasks.mini import MiniTrain1
from dtbench.training.data.row_sources import load_rows, split_task
from dtbench.training.data.rows import read_rows, write_rows
from dtbench.training.data.rows_task import RowsTask


def test_what_is_written_is_read_back_and_paths_move_with_the_folder(tmp_path: Path) -> None:
    rows = made_rows(tmp_path / "here", 4)
    rows[2] = dataclasses.replace(rows[2], question='Which "instrument" — ö, 音?', extra={"n": [1, {"deep": None}]})
    write_rows(tmp_path / "here" / "rows.jsonl", rows)
    assert list(read_rows(tmp_path / "here" / "rows.jsonl")) == rows
    told = json.loads((tmp_path / "here" / "rows.jsonl").read_text().splitlines()[0])
    assert list(told) == ["id", "audio", "question", "choices", "answer", "chain", "source", "extra"]
    (tmp_path / "here").rename(tmp_path / "there")
    assert all(row.audio.is_file() for row in read_rows(tmp_path / "there" / "rows.jsonl"))


GOOD = {
    "id": "a",
    "audio": "a.wav",
    "question": "Which?",
    "choices": ["x", "y"],
    "answer": "x",
    "chain": "",
    "source": "made",
}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"answer": "z"}, "line 2: the answer 'z' is none of the choices"),
        ({"choices": ["x"]}, "line 2: 'choices' must be two or more different texts"),
        ({"choices": ["x", "x"]}, "line 2: 'choices' must be two or more different texts"),
        ({"choices": "x, y"}, "line 2: 'choices' must be a list of texts"),
        ({"question": " "}, "line 2: 'question' is empty"),
        ({"question": 3}, "line 2: 'question' must be text, found 3"),
        ({"id": "first"}, "line 2: duplicate id 'first' "),
        ({"extra": []}, "line 2: 'extra' must be an object"),
        ({"audio": None}, "line 2: 'audio' must be text"),
    ],
)
def test_what_is_wrong_with_a_row_is_one_line(tmp_path: Path, change: dict[str, Any], complaint: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{json.dumps({**GOOD, 'id': 'first'})}\n{json.dumps({**GOOD, **change})}\n")
    with pytest.raises(DataError, match=complaint):
        list(read_rows(path))


def test_a_draft_may_lack_question_and_chain_but_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "drafts.jsonl"
    path.write_text('{"id": "a", "audio": "a.wav", "source": "captions only"}\n')
    (draft,) = read_rows(path, drafts=True)
    assert (draft.question, draft.choices, draft.answer, draft.chain) == ("", (), "", "")
    with pytest.raises(DataError, match="the field 'question' is missing"):
        list(read_rows(path))
    path.write_text('{"audio": "a.wav", "source": "captions only"}\n')
    with pytest.raises(DataError, match="the field 'id' is missing"):
        list(read_rows(path, drafts=True))


def test_no_file_and_no_row_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file; training data is JSON lines with id, audio"):
        list(read_rows(tmp_path / "gone.jsonl"))
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(DataError, match="no row in this file"):
        list(read_rows(tmp_path / "empty.jsonl"))
    with pytest.raises(UserError, match="nor a training split: mini-train-1 or mini-train-2 or mini-hop-train-1 or "):
        list(load_rows("mini:test"))


def test_a_split_of_mini_is_rows_with_clips_that_are_there(tmp_path: Path) -> None:
    rows = list(load_rows("mini:train-1", tmp_path, limit=5))
    samples = [sample for sample, _ in zip(MiniTrain1().samples(tmp_path), range(5), strict=False)]
    assert [(row.id, row.question, row.answer) for row in rows] == [(s.id, s.question, s.answer) for s in samples]
    assert all(row.audio.read_bytes()[:4] == b"RIFF" for row in rows)
    assert all(row.chain.endswith(f"so the answer is {row.answer}") for row in rows)
    assert [row.extra["events"] for row in rows] == [sample.item["events"] for sample in samples]
    write_rows(tmp_path / "rows.jsonl", rows)
    assert list(read_rows(tmp_path / "rows.jsonl")) == rows


def test_rows_are_a_task_like_any_other_and_show_nothing_but_the_question(tmp_path: Path) -> None:
    task, path = RowsTask(), rows_file(tmp_path, 6)
    data = task.load(path)
    assert (data.version, data.source, len(data.ids)) == ("rows", str(path), 6)
    sample = data.samples[1]
    assert sample.groups == {"source": "made up", "kind": "struck"}
    text = task.prompt_for(sample, "think").text
    assert "(B) a drum" in text
    assert "rings on" not in text
    assert "made up" not in text


def test_a_training_split_has_one_name_and_its_former_one_is_read() -> None:
    names = ("mini-train-1", "mini-hop-train-2", "mini-lure-train")
    assert [split_task(name) for name in names] == list(names)
    assert [split_task(name.replace("mini-", "mini:", 1)) for name in names] == list(names)
    assert [split_task(source) for source in ("mini", "mini-hop", "mini:test", "train-1", "rows.jsonl")] == [None] * 5
