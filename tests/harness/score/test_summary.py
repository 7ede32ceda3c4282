from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from made_up_run import Record, answered, failed
from small_data import mmar_items, mmau_items, mmsu_items

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.schema import Sample
from dtbench.harness.core.scorer import Grouping
from dtbench.harness.core.task import Task
from dtbench.harness.score import summary as summaries
from dtbench.harness.score.prediction_file import PredictionRow, Predictions
from dtbench.harness.score.prediction_scores import score_predictions
from dtbench.harness.score.summary import NONE_ANSWERED
from dtbench.harness.stats.intervals import wilson
from dtbench.tasks.mmar import Mmar
from dtbench.tasks.mmau_mini import MmauMini
from dtbench.tasks.mmau_test import MmauTest
from dtbench.tasks.mmsu import Mmsu

summarise: Any = summaries.summarise


def samples(task: Task, count: int = 60) -> list[Sample]:
    """Made-up questions, with the headings of the benchmark."""
    items: dict[str, Callable[[int], list[dict[str, Any]]]] = {"mmar": mmar_items, "mmsu": mmsu_items}
    return [_sample(task, item) for item in items.get(task.name, mmau_items)(count)]


def _sample(task: Task, item: dict[str, Any]) -> Sample:
    choices, answer = task.answer_key(item)
    headings = {name: value for name, value in item.items() if isinstance(value, str)}
    return Sample(item["id"], item["question"], tuple(choices), str(answer), Path(item["id"]), headings, item)


def mixed(task: Task, asked: list[Sample], seed: int = 0, repeat: int = 0) -> list[Record]:
    """Right, wrong, unreadable and failed answers."""
    dice = random.Random(seed)
    records = []
    for sample in asked:
        kind = dice.choices(("right", "any", "unread", "failed"), (5, 3, 1, 1))[0]
        if kind == "failed":
            records.append(failed(sample, repeat, dice.choice(("model", "audio"))))
            continue
        text = {"right": sample.answer, "any": dice.choice(sample.choices), "unread": "I cannot tell."}[kind]
        records.append(answered(task, sample, f"<think>{'so ' * dice.randrange(9)}</think>{text}", repeat))
    return records


def accuracies(value: Any) -> Iterator[Any]:
    """Every accuracy of a summary, wherever it stands."""
    if isinstance(value, dict):
        for name, part in value.items():
            if name in {"accuracy", "low", "high", "mean_accuracy"} or (
                name == "official" and not isinstance(part, dict)
            ):
                yield part
            else:
                yield from accuracies(part)
    elif isinstance(value, list):
        for part in value:
            yield from accuracies(part)


@pytest.mark.parametrize("task", [Mmar(), MmauMini(), Mmsu()], ids=lambda task: task.name)
def test_a_run_has_the_numbers_and_tables_of_a_file_of_what_it_would_submit(task: Task) -> None:
    asked = samples(task)
    records = mixed(task, asked)
    rows = []
    for number, (record, sample) in enumerate(zip(records, asked, strict=True)):
        if "error" not in record:
            choice = record["extraction"]["choice"]
            letter = "ABCD"[sample.choices.index(choice)] if choice and task.name == "mmsu" else choice
            rows.append(PredictionRow(number, "", sample.id, sample.item, letter or ""))
    predictions = Predictions(rows, "", len(asked) - len(rows), None, ())
    file = score_predictions(task, task.official_versions[0], predictions).as_json()
    run = summarise(task, records, expected=len(asked))
    assert {name: run["official"][name] for name in ("correct", "counted", "accuracy")} == {
        name: file["official"][name] for name in ("correct", "counted", "accuracy")
    }
    for heading, table in file["official"]["groups"].items():
        seen = {value: count for value, count in run["official"]["groups"][heading].items() if count["counted"]}
        assert seen == {value: count for value, count in table.items() if count["counted"]}
        assert seen
    assert (run["n"], run["dropped"], run["strict"]["correct"]) == (
        file["n"],
        file["dropped"],
        file["strict"]["correct"],
    )
    assert run["official"]["counted"] + run["dropped"] == run["n"]
    assert {*file} - {"data", "min_evidence"} <= {*run}  # which a stored run adds


def test_failed_and_missing_questions_are_wrong_in_the_strict_score_and_told() -> None:
    task = Mmar()
    asked = samples(task, 10)
    records = [answered(task, sample, sample.answer or "") for sample in asked[:6]]
    records += [answered(task, asked[6], "Hard to say."), failed(asked[7]), failed(asked[8], kind="audio")]
    summary = summarise(task, records, expected=10)
    low, high = wilson(0.6, 10)
    assert summary["strict"] | {"groups": None} == {
        "correct": 6, "n": 10, "accuracy": 0.6, "low": low, "high": high, "groups": None,
    }  # fmt: skip
    assert (summary["unanswered"], summary["failed"], summary["missing"]) == (1, 2, 1)
    assert summary["failed_why"] == {"audio": 1, "model": 1}
    assert summary["dropped_why"] == {"failed, no response": 2, "not asked yet": 1}
    assert summary["official"]["accuracy"] == 6 / 7
    assert [(c["strict"], c["n"]) for c in summary["paper"] if c["column"] == "Avg"] == [(0.6, 10)]


def test_the_order_in_which_records_came_changes_nothing() -> None:
    task = Mmsu()
    asked = samples(task)
    records = [record for repeat in range(3) for record in mixed(task, asked, repeat, repeat)]
    shared = {sample.id: number // 4 for number, sample in enumerate(asked)}
    first = json.dumps(summarise(task, records, expected=200, samples_k=3, shared=shared))
    for seed in range(5):
        random.Random(seed).shuffle(records)
        assert json.dumps(summarise(task, records, expected=200, samples_k=3, shared=shared)) == first


def test_of_several_records_of_a_question_the_last_answer_counts_and_no_failure_takes_its_place() -> None:
    task = Mmar()
    (sample,) = samples(task, 1)
    wrong, right = answered(task, sample, sample.choices[1]), answered(task, sample, sample.choices[0])
    for records in (
        [failed(sample), wrong, right],
        [wrong, right, failed(sample)],
        [failed(sample), right, failed(sample)],
    ):
        summary = summarise(task, records, expected=1)
        assert (summary["strict"]["correct"], summary["failed"], summary["n"]) == (1, 0, 1)
        assert summary["seconds"]["total"] == 0.5
        assert summary["attempts"] == 1
    assert summarise(task, [failed(sample), failed(sample, kind="audio")], expected=1)["failed_why"] == {"audio": 1}


@pytest.mark.parametrize("repeats", [1, 4])
@pytest.mark.parametrize("what", ["failed", "unreadable", "nothing"])
def test_without_a_single_answer_there_is_no_accuracy_anywhere(what: str, repeats: int) -> None:
    task = MmauMini()
    asked = samples(task, 12)
    make = {"failed": failed, "unreadable": lambda sample, repeat: answered(task, sample, "Hm.", repeat)}
    records = [make[what](sample, repeat) for sample in asked for repeat in range(repeats)] if what != "nothing" else []
    summary = summarise(task, records, expected=12 * repeats, samples_k=repeats)
    found = list(accuracies(summary))
    assert found
    assert set(found) == {None}
    assert {column[name] for column in summary["paper"] for name in ("official", "strict")} == {None}
    assert summary["clustered"] is summary["repeats"] is None
    assert NONE_ANSWERED in summary["notes"]


def test_where_the_authors_keep_the_answers_there_is_no_accuracy() -> None:
    task = MmauTest()
    asked = samples(task, 6)
    summary = summarise(task, [answered(task, sample, sample.choices[0]) for sample in asked], expected=6)
    assert set(accuracies(summary)) == {None}
    assert "the authors withhold the answers" in summary["notes"][0]


@pytest.mark.parametrize(
    ("task", "columns"),
    [
        (
            Mmar(),
            "Avg, sound, music, speech, sound-music, sound-speech, music-speech, sound-music-speech",
        ),
        (MmauMini(), "Sound, Music, Speech, Avg"),
        (
            Mmsu(),
            "Per. Sem., Per. Phon., Per. Para., Per. Avg, Rea. Sem., Rea. Phon., Rea. Para., Rea. Avg, Avg (All)",
        ),
    ],
    ids=["mmar", "mmau", "mmsu"],
)
def test_the_columns_are_those_of_the_papers(task: Task, columns: str) -> None:
    summary = summarise(task, mixed(task, samples(task)), expected=60)
    assert ", ".join(column["column"] for column in summary["paper"]) == columns
    whole = next(column for column in summary["paper"] if column["n"] == 60)
    assert whole["official"] == summary["official"]["accuracy"]
    assert whole["strict"] == summary["strict"]["accuracy"]


def test_the_parts_of_mmsu_weigh_to_the_average_of_all() -> None:
    task = Mmsu()
    paper = {c["column"]: c for c in summarise(task, mixed(task, samples(task)), expected=60)["paper"]}
    halves = [paper["Per. Avg"], paper["Rea. Avg"]]
    assert sum(half["counted"] for half in halves) == paper["Avg (All)"]["counted"]
    weighed = sum(half["official"] * half["counted"] for half in halves) / paper["Avg (All)"]["counted"]
    assert weighed == pytest.approx(paper["Avg (All)"]["official"])


def test_questions_about_one_clip_widen_the_interval() -> None:
    task = Mmar()
    asked = samples(task, 200)
    # Right for all questions of a clip, or wrong for all.
    records = [answered(task, s, s.choices[0 if n // 5 % 3 else 1]) for n, s in enumerate(asked)]
    shared = {sample.id: number // 5 for number, sample in enumerate(asked)}
    summary = summarise(task, records, expected=200, shared=shared)
    over, alone = summary["clustered"], summarise(task, records, expected=200)["strict"]
    assert summary["strict"]["low"] == over["strict"]["low"]
    assert over["clips"] == 40
    assert over["strict"]["high"] - over["strict"]["low"] > 1.8 * (alone["high"] - alone["low"])
    assert summarise(task, records, expected=200)["clustered"] is None


def test_only_questions_that_share_a_clip_are_listed() -> None:
    one, two = Path("a/clip.wav"), Path("b/clip.wav")
    asked = [Sample(str(n), "", ("x",), "x", clip) for n, clip in enumerate((one, two, one, Path("c.wav"), two))]
    assert Dataset(asked, "own", "here").shared_clips() == {"0": 0, "2": 0, "1": 1, "4": 1}


def test_repeats_have_a_spread_a_majority_and_pass_at_k() -> None:
    task = Mmar()
    asked = [sample for sample in samples(task, 30) if len(sample.choices) > 2][:4]
    votes: Sequence[Sequence[int | None]] = [  # which option; the first is the right one
        [0, 0, 1, None],  # majority right, 2 of 4
        [0, 1, 1, 2],  # majority wrong, 1 of 4
        [0, 0, 1, 1],  # a tie is no answer, 2 of 4
        [0, None, None, None],  # the only vote, 1 of 4
    ]
    records = [
        failed(sample, repeat) if vote is None else answered(task, sample, sample.choices[vote], repeat)
        for sample, row in zip(asked, votes, strict=True)
        for repeat, vote in enumerate(row)
    ]
    summary = summarise(task, records, expected=5 * 4, samples_k=4)  # a fifth question was not asked yet
    repeats = summary["repeats"]
    assert repeats["strict"]["each"] == [4 / 5, 2 / 5, 0, 0]
    assert repeats["strict"]["mean"] == pytest.approx(summary["strict"]["accuracy"])
    assert repeats["strict"]["sd"] == pytest.approx(0.3829708)
    assert repeats["majority"]["correct"] == 2
    assert repeats["majority"]["n"] == 5
    assert repeats["pass"] == pytest.approx({"1": 6 / 20, "2": (2 * (1 - 1 / 6) + 2 * 0.5) / 5, "4": 4 / 5})
    assert summary["strict"]["low"] == summary["clustered"]["strict"]["low"] < 6 / 20
    assert summary["clustered"]["clips"] == 5


def test_costs_clips_and_ends_are_counted() -> None:
    task = Mmar()
    asked = samples(task, 4)
    thought = [
        answered(task, s, f"<think>{'x' * length}</think>{s.answer}")
        for s, length in zip(asked, (10, 20, 60, 0), strict=True)
    ]
    thought[1]["audio"]["rule"] = "cut"
    thought[2]["response"] |= {"finish_reason": "length", "seconds": 2.5, "attempts": 3, "usage": {"input_tokens": 5}}
    summary = summarise(task, thought, expected=4)
    assert summary["chains"] == {"n": 3, "mean": 30.0, "median": 20.0, "p95": 56.0}
    assert summary["clips"] == {"whole": 3, "cut": 1}
    assert summary["finish_reasons"] == {"stop": 3, "length": 1}
    assert summary["tokens"] == {"in": 305, "out": 21}
    assert summary["seconds"]["total"] == 4.0
    assert summary["attempts"] == 6


def test_tokens_that_no_endpoint_told_are_not_zero() -> None:
    task = Mmar()
    (sample,) = samples(task, 1)
    summary = summarise(task, [answered(task, sample, "a bird", usage={})], expected=1)
    assert summary["tokens"] == {"in": None, "out": None}


def test_a_task_without_groups_has_one_column() -> None:
    class Plain(Task):
        name = "plain"

        def samples(self, data_dir: Path | None) -> Iterator[Sample]:
            yield Sample("1", "Which?", ("x", "y"), "x", Path("1.wav"))

    task = Plain()
    summary = summarise(task, [answered(task, sample, "x") for sample in task.samples(None)], expected=1)
    assert [(column["column"], column["official"], column["strict"]) for column in summary["paper"]] == [("Avg", 1, 1)]


def test_fifty_thousand_records_are_held_in_little_memory() -> None:
    import tracemalloc

    task = Mmar()
    (sample,) = samples(task, 1)
    record = answered(task, sample, "a bird " * 100)
    tracemalloc.start()
    summary = summarise(task, ({**record, "id": f"question {n}"} for n in range(50_000)), expected=50_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert summary["n"] == 50_000
    assert peak < 25_000_000


def test_without_columns_of_its_own_a_task_has_those_of_its_first_grouping() -> None:
    class Rooms(Task):
        name = "rooms"
        groupings = (Grouping("Room and hour", ("room", "hour")), Grouping("Hour", ("hour",), ("early", "late")))

        def samples(self, data_dir: Path | None) -> Iterator[Sample]:
            for number, (room, hour) in enumerate((("hall", "late"), ("a yard, large", "early"), ("hall", "early"))):
                groups = {"room": room, "hour": hour}
                yield Sample(str(number), "Which?", ("x", "y"), "xy"[number % 2], Path("1.wav"), groups)

    task = Rooms()
    summary = summarise(task, [answered(task, sample, "x") for sample in task.samples(None)], expected=3)
    columns = [(column["column"], column["strict"], column["n"]) for column in summary["paper"]]
    assert columns == [("Avg", 2 / 3, 3), ("a yard, large, early", 0, 1), ("hall, early", 1, 1), ("hall, late", 1, 1)]
    assert list(summary["strict"]["groups"]["hour"]) == ["early", "late"]


def test_a_task_that_names_no_tables_has_one_for_each_heading_of_its_questions() -> None:
    class Rooms(Task):
        name = "rooms"

        def samples(self, data_dir: Path | None) -> Iterator[Sample]:
            for number in range(20):
                groups = {"number": str(number), "hour": "late" if number % 4 else "early"}
                yield Sample(str(number), "Which?", ("x", "y"), "xy"[number % 2], Path("1.wav"), groups)

    task = Rooms()
    summary = summarise(task, [answered(task, sample, "x") for sample in task.samples(None)], expected=20)
    assert [(column["column"], column["n"]) for column in summary["paper"]] == [("Avg", 20), ("early", 5), ("late", 15)]
    assert {heading: len(table) for heading, table in summary["strict"]["groups"].items()} == {"hour": 2, "number": 20}


def test_answers_of_one_token_each_are_summed_up_like_any_other() -> None:
    task = Mmar()
    usage = {"input_tokens": 1, "output_tokens": 1}
    summary = summarise(task, [answered(task, sample, "(A)", usage=usage) for sample in samples(task, 5)], expected=5)
    assert summary["tokens"] == {"in": 5, "out": 5}


class WithoutVerdict(Mmar):
    no_verdict = "similarity calls no single answer right"


def test_a_task_that_calls_no_answer_right_has_no_accuracy_no_unread_answers_and_says_why() -> None:
    task = WithoutVerdict()
    records = [answered(task, sample, "I cannot tell.") for sample in samples(task, 4)]
    summary = summarise(task, records, expected=4)
    assert set(accuracies(summary)) == {None}
    assert (summary["n"], summary["unanswered"], summary["missing"]) == (4, 0, 0)
    assert summary["notes"] == ["similarity calls no single answer right"]
    assert summarise(Mmar(), records, expected=4)["unanswered"] == 4
