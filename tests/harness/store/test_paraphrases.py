"""A file of paraphrases: what is in it, and what is said of a line that is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dtbench.harness.core.errors import DataError, UserError
from dtbench.harness.store.paraphrases import COPY, Paraphrase, keep_paraphrases, kept_paraphrases, read_paraphrases


def file_of(folder: Path, *rows: object) -> Path:
    path = folder / "words.jsonl"
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return path


def test_lines_of_one_question_are_numbered_as_they_stand(tmp_path: Path) -> None:
    found = read_paraphrases(
        file_of(
            tmp_path,
            {"id": "a", "question": "Who then?", "by": "someone"},
            {"id": "b", "question": "And who?", "choices": ["x", "y"]},
            "",
            {"id": "a", "choices": ["p", "q"]},
        )
    )
    assert found.most == 2
    assert found.numbered(1) == {"a": Paraphrase("Who then?", None), "b": Paraphrase("And who?", ("x", "y"))}
    assert found.numbered(2) == {"a": Paraphrase(None, ("p", "q"))}


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("{", 'line 2: not JSON; {"id": "...", "question": "..."} is expected.'),
        ("[1]", "line 2: a JSON object is expected"),
        ({"id": 7, "question": "Who?"}, "line 2: id is 7, the id of a question is expected, as a text."),
        ({"question": "Who?"}, "line 2: id is null"),
        ({"id": "b"}, "line 2: question and choices are missing"),
        ({"id": "b", "question": " "}, """line 2: the question of 'b' is " ", a text is expected."""),
        ({"id": "b", "choices": ["x", ""]}, "line 2: choices of 'b' are"),
        ({"id": "b", "choices": ["x", "x "]}, "line 2: two choices of 'b' are the same"),
        ({"id": "a", "question": "Who?"}, "line 2: the same paraphrase of 'a' is already on an earlier line"),
    ],
)
def test_a_line_that_is_no_paraphrase_is_told_with_its_number(tmp_path: Path, row: object, told: str) -> None:
    path = file_of(tmp_path, {"id": "a", "question": "Who?"}, row)
    with pytest.raises(UserError) as error:
        read_paraphrases(path)
    assert f"--paraphrase {path}, {told}" in str(error.value)


def test_a_file_without_a_paraphrase_and_one_that_is_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no paraphrase in it"):
        read_paraphrases(file_of(tmp_path, ""))
    (tmp_path / "clip").write_bytes(b"\xff\xfb\x90")
    with pytest.raises(UserError, match="not UTF-8 text"):
        read_paraphrases(tmp_path / "clip")
    with pytest.raises(UserError, match="none: there is no such file"):
        read_paraphrases(tmp_path / "none")


def test_a_run_keeps_the_words_it_was_asked_in_and_knows_them_from_others(tmp_path: Path) -> None:
    given = read_paraphrases(file_of(tmp_path, {"id": "a", "question": "Who?"}))
    keep_paraphrases(tmp_path, given)
    assert kept_paraphrases(tmp_path, given.sha256, 1) == {"a": Paraphrase("Who?", None)}
    (tmp_path / COPY).write_text('{"id": "a", "question": "What?"}\n')
    kept_paraphrases.cache_clear()
    with pytest.raises(DataError, match="another file than the run was asked with"):
        kept_paraphrases(tmp_path, given.sha256, 1)
    (tmp_path / COPY).unlink()
    with pytest.raises(DataError, match="they are gone"):
        kept_paraphrases(tmp_path, given.sha256, 1)
