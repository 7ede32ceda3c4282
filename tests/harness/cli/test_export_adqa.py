"""The file that DCASE 2026 Task 5 takes: a table of ids and the texts of the options that were chosen."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from audio_benchmarks import write_adqa
from command import call


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adqa")
    write_adqa(folder, hidden=True)
    return folder


def test_a_run_becomes_a_table_of_ids_and_options_which_its_own_check_accepts(data: Path, tmp_path: Path) -> None:
    run, file = tmp_path / "run", tmp_path / "Name_Inst_task5_1.output.csv"
    assert call("run", "--model", "first", "--tasks", "adqa-bench", "--data-dir", data, "--out", run).code == 0
    made = call("export", run, "--format", "dcase-adqa", "--out", file, "--data-dir", data)
    assert made.code == 0, made.err
    with file.open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    assert rows[0] == {"question": "eval_0000", "answer": "A goose"}
    assert [row["question"] for row in rows] == [f"eval_{number:04}" for number in range(6)]
    checked = call("export", "--format", "dcase-adqa", "--check", file, "--data-dir", data)
    assert checked.code in {0, 4}, checked.err
    assert "duplicate" not in checked.out + checked.err


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("id,answer\neval_0000,A goose\n", "its first line is 'id,answer': 'question,answer' is expected"),
        ("question,answer\neval_0000,A goose,B\n", "rows that do not have 2 cells: 1 (first: row 1 with 3 cells)"),
        ("question,answer\neval_0000,A goose\neval_0000,A lamb\n", "duplicate ids: 1 (first: 'eval_0000')"),
        ("question,answer\neval_0000,A goose\n", "are missing: 5 (first: 'eval_0001'"),
        ("question,answer\n", "it is empty"),
        ("", "its first line is '': 'question,answer' is expected"),
        ('question,answer\n"eval', "it is not a table of text"),
    ],
)
def test_a_table_that_would_not_be_taken_is_told(content: str, complaint: str, data: Path, tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    file.write_text(content, encoding="utf-8")
    checked = call("export", "--format", "dcase-adqa", "--check", file, "--data-dir", data)
    assert checked.code == 2
    assert complaint in checked.out + checked.err
