"""Whole files of predictions as the official scripts read them: what they drop, where they stop, what is said of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dtbench.harness.core.errors import UserError
from dtbench.harness.score.prediction_file import read_predictions
from dtbench.harness.score.prediction_scores import PredictionScores, score_predictions
from dtbench.tasks.registry import get_task

BOM = "\ufeff"
MMSU: dict[str, Any] = {
    "id": "1",
    "category": "Perception",
    "sub-category": "Linguistics",
    "choice_a": "a bell",
    "choice_b": "a drum",
    "choice_c": None,
    "choice_d": None,
    "answer_gt": "a bell",
    "response": "A",
}
MMAR: dict[str, Any] = {
    "id": "1",
    "modality": "sound",
    "category": "Signal Layer",
    "sub-category": "Counting",
    "choices": ["a bell", "a drum"],
    "answer": "a bell",
    "answer_prediction": "a bell",
}
MMAU: dict[str, Any] = {
    "id": "1",
    "task": "sound",
    "difficulty": "easy",
    "sub-category": "Counting",
    "choices": ["a bell", "a drum"],
    "answer": "a bell",
    "model_output": "a bell",
}


def score(folder: Path, name: str, task: str, content: str, version: str = "") -> PredictionScores:
    path = folder / name
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    scorer = get_task(task)
    predictions = read_predictions(scorer, path, None, allow_duplicates=True)
    return score_predictions(scorer, version or scorer.official_versions[0], predictions)


def lines(*records: object) -> str:
    return "".join(f"{json.dumps(record)}\n" for record in records)


def mmsu(folder: Path, content: str) -> tuple[int, int]:
    """The script's right and counted records."""
    return score(folder, "p.jsonl", "mmsu", content).total


def test_a_byte_order_mark_costs_mmsu_its_first_record(tmp_path: Path) -> None:
    assert mmsu(tmp_path, BOM + lines(MMSU, {**MMSU, "response": "B"})) == (0, 1)


@pytest.mark.parametrize("space", ["\u00a0", "\u3000", "\x0c", "\x85", "\u2028", "\t"])
def test_spaces_around_a_record_are_those_of_python(tmp_path: Path, space: str) -> None:
    content = f"{space}{json.dumps(MMSU)}{space}\n{json.dumps({**MMSU, 'response': 'B'})}\n"
    assert mmsu(tmp_path, content) == (1, 2)
    assert score(tmp_path, "p.jsonl", "mmar", f"{space}{json.dumps(MMAR)}{space}\n").total == (1, 1)


def test_a_carriage_return_ends_a_line(tmp_path: Path) -> None:
    content = lines(MMSU, {**MMSU, "response": "B"}).replace("\n", "\r")
    assert mmsu(tmp_path, content) == (1, 2)


def test_a_category_that_is_not_there_is_a_line_of_mmsus_table(tmp_path: Path) -> None:
    bare = {name: value for name, value in MMSU.items() if name not in {"category", "sub-category"}}
    found = score(tmp_path, "p.jsonl", "mmsu", lines(MMSU, bare, {**MMSU, "category": None}, {**MMSU, "category": 3}))
    pairs, categories = found.groups.values()
    assert list(pairs) == ["Perception, Linguistics", ", ", "None, Linguistics", "3, Linguistics"]
    assert {line: count.counted for line, count in categories.items()} == {"Perception": 1, "": 1, "None": 1, "3": 1}


def test_categories_that_only_look_alike_stay_two_lines(tmp_path: Path) -> None:
    one, other = {**MMSU, "category": "a, b", "sub-category": "c"}, {**MMSU, "category": "a", "sub-category": "b, c"}
    pairs, _ = score(tmp_path, "p.jsonl", "mmsu", lines(one, other)).groups.values()
    assert [count.counted for count in pairs.values()] == [1, 1]


def test_a_sub_category_of_another_type_is_a_line_of_mmars_table(tmp_path: Path) -> None:
    content = lines({**MMAR, "sub-category": 3}, {**MMAR, "sub-category": True}, {**MMAR, "sub-category": None})
    *_, table = score(tmp_path, "p.jsonl", "mmar", content).groups.values()
    assert {line: count.counted for line, count in table.items()} == {"3": 1, "True": 1}


def test_an_entry_without_keys_is_skipped_as_one_without_a_prediction(tmp_path: Path) -> None:
    found = score(tmp_path, "p.json", "mmar", json.dumps([MMAR, [], "x"]))
    assert found.total == (1, 1)
    assert found.strict.n == 3
    with pytest.raises(UserError, match="The official script stops at this line"):
        score(tmp_path, "p.json", "mmar", json.dumps([MMAR, 3]))


KINDER = [
    ("p.json", "mmsu", json.dumps([MMSU, MMSU], indent=1), "it expects one record per line, and reads 0 of this list"),
    ("p.json", "mmsu", json.dumps([MMSU]), "line 1 is not a record but another JSON value"),
    ("p.jsonl", "mmsu", lines(MMSU, None), "line 2 is not a record but another JSON value"),
    ("p.jsonl", "mmsu", lines(MMSU) + f'{{"id": {"9" * 5000}}}\n', "line 2 is JSON that Python cannot read"),
    ("p.jsonl", "mmar", BOM + lines(MMAR), "it begins with a byte order mark"),
    ("p.json", "mmau-mini", BOM + json.dumps([MMAU]), "it begins with a byte order mark"),
    ("p.jsonl", "mmar", lines(MMAR) + "\n" + lines(MMAR), "line 2 is blank"),
    ("p.txt", "mmar", lines(MMAR), "it knows a file by its name, which must end with .json or .jsonl"),
    ("p.jsonl", "mmar", json.dumps([MMAR]), "it expects one record per line, and this is one JSON list"),
    ("p.json", "mmar", lines(MMAR), "it expects one JSON list, and this is one record per line"),
    ("p.jsonl", "mmau-mini", lines(MMAU), "it expects one JSON list, and this is one record per line"),
]


@pytest.mark.parametrize(("name", "task", "content", "why"), KINDER)
def test_where_the_script_stops_or_reads_less_a_note_says_so(
    tmp_path: Path, name: str, task: str, content: str, why: str
) -> None:
    found = score(tmp_path, name, task, content)
    assert found.total.counted >= 1
    (note,) = [note for note in found.notes if note.startswith("the official script has no score for this file: ")]
    assert why in note


@pytest.mark.parametrize(
    ("task", "record", "does"),
    [
        ("mmsu", {**MMSU, "model_output": "A"}, "takes every record's response for empty"),
        ("mmar", {**MMAR, "model_prediction": "a bell"}, "skips every record and stops"),
        ("mmau-mini", {**MMAU, "model_prediction": "a bell"}, "skips every record and stops"),
    ],
)
def test_predictions_under_a_name_that_the_script_does_not_read_are_told(
    tmp_path: Path, task: str, record: dict[str, Any], does: str
) -> None:
    own = get_task(task).prediction_keys[0]
    other = {name: value for name, value in record.items() if name != own}
    name, content = ("p.jsonl", lines(other)) if task != "mmau-mini" else ("p.json", json.dumps([other]))
    found = score(tmp_path, name, task, content)
    assert found.total == (1, 1)
    assert any(note.startswith(f"the official script reads {own!r}") and does in note for note in found.notes)


@pytest.mark.parametrize(
    ("task", "name", "content"),
    [
        ("mmsu", "p.jsonl", lines(MMSU) + "no JSON\n\n" + lines({**MMSU, "id": "2"})),
        ("mmsu", "p.txt", lines(MMSU)),
        ("mmar", "p.jsonl", lines(MMAR).rstrip("\n")),
        ("mmar", "p.json", json.dumps([MMAR], indent=2)),
        ("mmau-mini", "p.txt", json.dumps([MMAU])),
    ],
)
def test_a_file_that_the_script_reads_as_it_is_read_here_has_no_note(
    tmp_path: Path, task: str, name: str, content: str
) -> None:
    assert score(tmp_path, name, task, content).notes == ()


def test_half_a_surrogate_pair_stops_the_script_where_it_prints_the_response(tmp_path: Path) -> None:
    found = score(tmp_path, "p.jsonl", "mmsu", lines(MMSU, {**MMSU, "response": "\ud800 no letter"}))
    assert any("half a surrogate pair" in note for note in found.notes)


def test_a_record_that_is_refused_is_told_with_the_scripts_own_verdict(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"must be text, found None\. To the official script the record is wrong"):
        score(tmp_path, "p.jsonl", "mmsu", lines({**MMSU, "answer_gt": None}))
    with pytest.raises(UserError, match=r"the answer must be text, found 3\. The official script stops at it"):
        score(tmp_path, "p.jsonl", "mmar", lines({**MMAR, "answer": 3}))
