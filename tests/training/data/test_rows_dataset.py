"""Training rows go out as a data set of `datasets` and come in as one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from command import call
from sounds import encoded, sine

from dtbench.harness.core.errors import DataError, UserError
from dtbench.training.data.row_sources import load_rows
from dtbench.training.data.rows import TrainingRow, read_rows, write_rows
from dtbench.training.data.rows_task import RowsTask


def some_rows(folder: Path) -> Sequence[TrainingRow]:
    """Rows with clips of their own, one of them twice."""
    folder.mkdir()
    for number in range(2):
        (folder / f"{number}.wav").write_bytes(encoded(sine(300.0 + 100 * number, 0.1, 16000), 16000).data)
    extra = {"groups": {"kind": "bird"}, "depth": [1, 2]}
    return [
        TrainingRow(f"r{place}", folder / f"{place % 2}.wav", "Which?", ("Jay", "Crow"), "Jay", "A call.", "own", extra)
        for place in range(3)
    ]


def as_compared(row: TrainingRow) -> tuple[object, ...]:
    """A row by its clip's content: a copy has another place."""
    return row.id, row.audio.read_bytes(), row.question, row.choices, row.answer, row.chain, row.source, row.extra


def test_rows_are_the_same_after_they_went_out_and_in(tmp_path: Path) -> None:
    import datasets

    rows = some_rows(tmp_path / "clips")
    write_rows(tmp_path / "rows.jsonl", rows)
    assert call("data", "load", tmp_path / "rows.jsonl", "--to", tmp_path / "D").code == 0
    features = datasets.load_from_disk(str(tmp_path / "D")).features
    assert features["audio"] == datasets.Audio(decode=False)
    assert list(map(as_compared, read_rows(tmp_path / "D"))) == list(map(as_compared, rows))
    assert len(list((tmp_path / "D" / "clips").iterdir())) == 2, "a clip that two rows share is written once"
    assert call("data", "load", tmp_path / "D", "--to", tmp_path / "again.jsonl").code == 0
    assert list(map(as_compared, read_rows(tmp_path / "again.jsonl"))) == list(map(as_compared, rows))


def test_a_split_of_mini_goes_out_with_its_chains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DTBENCH_DATA", str(tmp_path / "data"))
    assert call("data", "load", "mini:train-1", "--to", tmp_path / "D", "--limit", "5").code == 0
    rows = list(load_rows(str(tmp_path / "D")))
    assert list(map(as_compared, rows)) == list(map(as_compared, load_rows("mini:train-1", limit=5)))
    assert all(row.chain for row in rows)


def test_a_task_that_was_saved_is_a_source_of_rows_and_keeps_its_groups(tmp_path: Path) -> None:
    assert call("data", "load", "mini", "--to", tmp_path / "D", "--limit", "4").code == 0
    samples = list(RowsTask().samples(tmp_path / "D"))
    assert len(samples) == 4
    assert all(set(sample.groups) == {"source", "category", "difficulty"} for sample in samples)


def test_a_data_set_of_someone_else_with_paths_is_read_where_they_lie(tmp_path: Path) -> None:
    import datasets

    (row, *_) = some_rows(tmp_path / "clips")
    column = {"id": ["a"], "question": ["Which?"], "choices": [["Jay", "Crow"]], "answer": ["Jay"]}
    datasets.Dataset.from_dict({**column, "audio": [str(row.audio)]}).save_to_disk(str(tmp_path / "D"))
    (read,) = read_rows(tmp_path / "D")
    assert (read.audio, read.chain, read.source, read.extra) == (row.audio, "", "", {})


def saved(tmp_path: Path, **columns: object) -> Path:
    """A data set with these columns in place of good ones."""
    import datasets

    good = {"id": ["a"], "question": ["Which?"], "choices": [["x", "y"]], "answer": ["x"], "audio": ["a.wav"]}
    given = {name: value for name, value in {**good, **columns}.items() if value is not None}
    datasets.Dataset.from_dict(given).save_to_disk(str(tmp_path / "D"))
    return tmp_path / "D"


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"answer": None}, "training rows need the column 'answer'; it has id, question, choices, audio"),
        ({"answer": ["z"]}, "row 1: the answer 'z' is none of the choices"),
        ({"audio": [""]}, "row 1: 'audio' has neither bytes nor a path"),
        ({"extra": ["{"]}, "row 1: 'extra' is not a JSON object"),
    ],
    ids=["a column", "an answer", "a clip", "extra"],
)
def test_what_is_no_row_is_named_with_its_place(tmp_path: Path, columns: dict[str, object], complaint: str) -> None:
    folder = saved(tmp_path, **columns)
    with pytest.raises(DataError) as raised:
        list(read_rows(folder))
    assert complaint in str(raised.value)
    assert str(folder) in str(raised.value)


def test_of_several_splits_one_has_to_be_named(tmp_path: Path) -> None:
    import datasets

    one = datasets.load_from_disk(str(saved(tmp_path)))
    datasets.DatasetDict({"train": one, "dev": one}).save_to_disk(str(tmp_path / "splits"))
    with pytest.raises(UserError, match=r"several splits: name one of .*splits/train, .*splits/dev"):
        list(read_rows(tmp_path / "splits"))
    assert [row.id for row in read_rows(tmp_path / "splits" / "dev")] == ["a"]


def test_a_damaged_folder_is_one_error(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "gone.arrow"}]}))
    with pytest.raises(DataError, match="datasets cannot read this folder"):
        list(read_rows(folder))
