"""From predictions to tables, totals and the strict score."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import small_data

from dtbench.harness.core.errors import TaskError, UserError
from dtbench.harness.core.schema import Official, Sample
from dtbench.harness.core.scorer import Grouping, OfficialRule
from dtbench.harness.core.task import Task
from dtbench.harness.score.official import MISSING, NO_PREDICTION, NOT_TEXT
from dtbench.harness.score.prediction_file import PredictionRow, Predictions
from dtbench.harness.score.prediction_scores import NO_RECORD, NOT_JSON, PredictionScores, score_predictions
from dtbench.tasks.registry import get_task

MMAR, MMSU = get_task("mmar"), get_task("mmsu")
Item = dict[str, Any]


def mmar_item(**changes: object) -> Item:
    """A record of MMAR whose answer is `a drum`."""
    asked = {"id": "1", "question": "What is heard?", "choices": ["a bell", "a drum"], "answer": "a drum"}
    return {**asked, "modality": "sound", "category": "Signal Layer", "sub-category": "Anomaly Detection", **changes}


def mmsu_item(**changes: object) -> Item:
    """A record of MMSU whose answer is B."""
    asked = {"id": "1", "question": "What is heard?", "choice_a": "a bell", "choice_b": "a drum", "answer_gt": "a drum"}
    return {**asked, "category": "Reasoning", "sub-category": "Linguistics", **changes}


def scored(
    of: Task, *pairs: tuple[Mapping[str, Any] | None, object], absent: int = 0, scorer: str = ""
) -> PredictionScores:
    """The report on records and their predictions."""
    rows = [PredictionRow(n, f"p.jsonl: line {n + 1}", str(n), item, said) for n, (item, said) in enumerate(pairs)]
    predictions = Predictions(rows, "answer_prediction", absent, None, ())
    return score_predictions(of, scorer or of.official_versions[0], predictions)


def test_the_two_scores_stand_side_by_side_and_each_has_its_denominator() -> None:
    report = scored(MMAR, (mmar_item(), "a drum"), (mmar_item(), "B"), (mmar_item(), MISSING), absent=1)
    assert report.total == (1, 2)
    assert (report.strict.correct, report.strict.n) == (2, 4)
    assert report.unanswered == 2
    assert report.dropped == {NO_PREDICTION: 1, NO_RECORD: 1}


def test_every_record_has_its_line_in_order() -> None:
    report = scored(MMSU, (mmsu_item(), "B"), (None, MISSING), (mmsu_item(), None), (mmsu_item(), "a drum, I think"))
    assert [score.as_json() for score in report.rows] == [
        {"row": 0, "id": "0", "official_correct": True, "official_counted": True, "correct": True, "choice": "a drum"}
        | {"how": report.rows[0].how, "level": report.rows[0].level, "set_aside": None},
        {"row": 1, "id": "1", "official_correct": False, "official_counted": False, "correct": None, "choice": None}
        | {"how": NOT_JSON, "level": None, "set_aside": None},
        {"row": 2, "id": "2", "official_correct": False, "official_counted": False, "correct": None, "choice": None}
        | {"how": NOT_TEXT, "level": None, "set_aside": None},
        {"row": 3, "id": "3", "official_correct": False, "official_counted": False, "correct": True, "choice": "a drum"}
        | {"how": report.rows[3].how, "level": report.rows[3].level, "set_aside": None},
    ]


@pytest.mark.parametrize("prediction", [None, 3, ["a drum"], {"answer": "a drum"}, True], ids=repr)
def test_what_is_not_text_is_wrong_and_told_where_the_script_stops(prediction: object) -> None:
    report = scored(MMAR, (mmar_item(), prediction), (mmar_item(), "a drum"))
    assert (report.total, report.unanswered, report.rows[0].correct) == ((1, 2), 1, None)
    assert report.notes == ("records that stop the official script (prediction is not text): 1; they count as wrong",)


def test_fixed_groups_are_all_there_in_the_order_of_the_script() -> None:
    report = scored(MMAR, (mmar_item(modality="speech"), "a drum"), (mmar_item(modality="music"), ""))
    modality = next(table for grouping, table in report.groups.items() if grouping.title == "Modality")
    assert list(modality) == list(MMAR.groupings[0].values)
    assert {name: (count.counted, count.accuracy) for name, count in modality.items() if count.counted} == {
        "music": (1, 0.0),
        "speech": (1, 1.0),
    }
    assert modality["mix-sound-music"].accuracy == 0.0


def test_free_groups_are_as_first_seen_among_counted_records_field_within_field() -> None:
    seen = [("R", "x"), ("P", "x"), ("dropped", "x"), ("R", "y"), ("P", "z"), ("R", "x")]
    pairs = [
        (mmsu_item(**{"category": category, "sub-category": part}), "no" if category == "dropped" else "B")
        for category, part in seen
    ]
    pairs_table, categories = scored(MMSU, *pairs).groups.values()
    assert list(pairs_table.items()) == [("R, x", (2, 2)), ("R, y", (1, 1)), ("P, x", (1, 1)), ("P, z", (1, 1))]
    assert list(categories.items()) == [("R", (3, 3)), ("P", (2, 2))]


@pytest.mark.parametrize("value", [None, MISSING], ids=repr)
def test_a_record_without_a_free_heading_is_scored_outside_that_table(value: object) -> None:
    item = mmar_item(**{"sub-category": None})
    if value is MISSING:
        del item["sub-category"]
    report = scored(MMAR, (item, "a drum"), (mmar_item(), "a drum"))
    assert report.total == (2, 2)
    assert [dict(table) for table in report.groups.values()][2] == {"Anomaly Detection": (1, 1)}
    (note,) = report.notes
    assert note.startswith("records missing from the table 'Sub-category', ")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"modality": "noise"}, "modality 'noise' is unknown to the official script, which stops at it. Known: "),
        ({"modality": "n" * 5000}, "Known: sound, music"),
        ({"category": None}, "'category' must be text, found None; a table of scores is grouped by it."),
        ({"category": ["Signal Layer"]}, "'category' must be text, found ['Signal Layer'];"),
        ({"sub-category": ["x"]}, "'sub-category' must be text, found ['x'];"),
        ({"choices": "a bell"}, "the options must be a list of texts, found a bell."),
        ({"choices": None}, "the options must be a list of texts, found None."),
        ({"choices": ["a bell", 3]}, "the options must be a list of texts, found ['a bell', 3]."),
        ({"answer": 3}, "the answer must be text, found 3."),
        ({"answer": None}, "the answer must be text, found None."),
    ],
    ids=str,
)
def test_a_record_that_cannot_be_scored_is_named_with_its_place(changes: Item, complaint: str) -> None:
    with pytest.raises(UserError) as raised:
        scored(MMAR, (mmar_item(), "a drum"), (mmar_item(**changes), "a drum"))
    line = str(raised.value)
    assert line.startswith("p.jsonl: line 2: ")
    assert complaint in line
    assert len(line) < 400


@pytest.mark.parametrize("field", ["choices", "answer", "modality", "category"])
def test_a_missing_field_is_named_and_metadata_offered(field: str) -> None:
    item = mmar_item()
    del item[field]
    with pytest.raises(
        UserError, match=rf"^p\.jsonl: line 1: the field '{field}' is missing; add it, or name .* --metadata"
    ):
        scored(MMAR, (item, "a drum"))


def test_what_the_script_skips_needs_no_fields() -> None:
    assert scored(MMAR, ({"id": "1"}, MISSING), (mmar_item(), "a drum")).total == (1, 1)


def test_items_with_numbers_among_the_options_are_read_as_text_by_the_reader_only() -> None:
    report = scored(MMSU, (mmsu_item(choice_b=3, answer_gt="3"), "B"))
    assert report.rows[0].official.correct is False
    assert (report.rows[0].correct, report.rows[0].choice) == (True, "3")


def test_a_letter_is_carried_over_in_file_order_by_the_script_of_2025_only() -> None:
    pairs = [(mmsu_item(), ""), (mmsu_item(), "B"), (mmsu_item(), "")]
    assert scored(MMSU, *pairs, scorer="2026").total == (1, 3)
    report = scored(MMSU, *pairs, scorer="2025")
    assert report.total == (2, 3)
    assert [score.correct for score in report.rows] == [None, True, None]
    (note,) = report.notes
    assert "stop the official script (empty, and no earlier letter to carry over): 1; they count as wrong" in note


def test_a_report_of_no_records_is_all_zero() -> None:
    report = scored(MMAR)
    assert (report.total.accuracy, report.strict.accuracy, report.strict.n) == (0.0, 0.0, 0)


def test_the_machine_form_is_plain_json_with_fractions() -> None:
    report = scored(MMSU, (mmsu_item(), "B"), (mmsu_item(), "\ud800"), (mmsu_item(), "Because"))
    found = json.loads(json.dumps(report.as_json()))
    assert found["official"]["accuracy"] == 1.0
    assert found["official"]["groups"]["category, sub-category"] == {
        "Reasoning, Linguistics": {"correct": 2, "counted": 2, "accuracy": 1.0}
    }
    assert (found["n"], found["dropped"], found["dropped_why"]) == (3, 1, report.dropped)


SMALL: dict[str, list[Item]] = {
    "mmar": small_data.mmar_items(),
    "mmau-mini": small_data.mmau_items(),
    "mmsu": [item for item in small_data.mmsu_items() if item["answer_gt"] is not None],
}


@pytest.mark.parametrize("name", SMALL)
def test_every_gold_answer_is_right_to_the_script_and_to_the_reader(name: str) -> None:
    of = get_task(name)
    right = [of.answer_key(item) for item in SMALL[name]]
    said = ["ABCD"[gold.choices.index(gold.answer)] if name == "mmsu" else gold.answer for gold in right]
    for scorer in of.official_versions:
        report = scored(of, *zip(SMALL[name], said, strict=True), scorer=scorer)
        assert report.total == (len(said), len(said))
        assert report.strict.correct == len(said)


class Own(Task):
    """A task of a user's own, whose rule is what a test says it is."""

    name = "own"
    groupings = (Grouping("Difficulty", ("difficulty",), ("easy", "hard")),)

    def __init__(self, rule: OfficialRule | None = None) -> None:
        self.rule = rule

    def samples(self, data_dir: Path | None) -> Sequence[Sample]:
        return []

    def official(self, version: str) -> OfficialRule:
        return self.rule or super().official(version)


OWN_ITEM = {"choices": ["a bell", "a drum"], "answer": "a drum", "difficulty": "easy"}


def test_a_task_without_a_rule_asks_for_the_options_very_text_and_counts_everything() -> None:
    report = scored(Own(), (OWN_ITEM, "a drum"), (OWN_ITEM, "The drum"), (OWN_ITEM, None), (OWN_ITEM, MISSING))
    assert report.total == (1, 4)
    assert (report.strict.correct, report.unanswered) == (2, 2)


def test_a_fault_in_the_rule_of_a_task_of_ones_own_is_named_with_its_line() -> None:
    def faulty(item: Mapping[str, Any], prediction: object) -> Official:
        return Official(correct=1 // 0 == 0, counted=True)

    with pytest.raises(TaskError) as raised:
        scored(Own(faulty), (OWN_ITEM, "a drum"))
    line = str(raised.value)
    assert line.startswith("task own: scoring p.jsonl: line 1 failed with ZeroDivisionError: ")
    assert "(test_prediction_scores.py, line " in line


class WithoutRule(Task):
    """A task of a user's own, with nothing but its name."""

    name = "own"

    def samples(self, data_dir: Path | None) -> Sequence[Sample]:
        return []


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"answer": ""}, "its answer is empty, and the text of the correct option is expected."),
        ({"answer": "a horn"}, "its answer 'a horn' is not one of its options ['a bell', 'a drum']."),
        ({"choices": []}, "it has no options, and its task cannot score open answers: "),
        ({"choices": ["a drum"]}, "its options are ['a drum'], and two or more different ones are expected."),
    ],
    ids=str,
)
def test_without_an_official_rule_a_record_needs_options_and_one_of_them_as_its_answer(
    changes: Item, complaint: str
) -> None:
    with pytest.raises(UserError) as raised:
        scored(WithoutRule(), (OWN_ITEM, "a drum"), (OWN_ITEM | changes, ""))
    line = str(raised.value)
    assert line.startswith(f"p.jsonl: line 2: the record cannot be scored: {complaint}")
    assert line.endswith(". Correct it, or leave it out.")


@pytest.mark.parametrize("said", [None, "", " ", MISSING, 3], ids=repr)
def test_where_nothing_is_said_a_task_without_a_rule_calls_nothing_right(said: object) -> None:
    for answer in ("", " ", None, "a drum"):
        assert not WithoutRule().official("official")({**OWN_ITEM, "answer": answer}, said).correct


@pytest.mark.parametrize(
    ("of", "item", "official"),
    [
        (MMAR, mmar_item(answer=""), [False, True, True]),
        (MMSU, mmsu_item(answer_gt="", choice_b=""), [False, True, False]),
    ],
    ids=["mmar", "mmsu"],
)
def test_an_empty_gold_of_a_published_file_has_the_verdict_of_its_script_and_a_note(
    of: Task, item: Item, official: Sequence[bool]
) -> None:
    """The script finds all of its no words in any answer that no option shares a word with."""
    report = scored(of, (item, ""), (item, "B"), (item, "Hm, horns"))
    assert [row.official.correct for row in report.rows] == official
    assert not any(row.correct for row in report.rows)
    assert report.notes == (
        "records whose correct answer is empty: 3 (first: p.jsonl: line 1); they have "
        "the script's own verdict in the official score and count as wrong in the strict score",
    )
