from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path
from typing import Any

import pytest
from made_up_run import Record, answered, failed, write_run
from small_data import mmar_items, mmar_v2_folder, mmsu_items
from written_outcomes import answer

from dtbench.harness.core.schema import Sample
from dtbench.harness.core.task import Task, rotate_options
from dtbench.harness.score.chain_lengths import length_figures
from dtbench.harness.score.chance_level import above_chance
from dtbench.harness.score.outcomes import Outcomes
from dtbench.harness.score.paper_figures import RunDesign, paper_figures
from dtbench.harness.score.script_ceiling import ScriptCeiling
from dtbench.harness.score.summary import summarise
from dtbench.harness.store.paper_types import PaperFigures
from dtbench.harness.store.run_folder import StoredRun
from dtbench.tasks.mmar import Mmar
from dtbench.tasks.mmsu import Mmsu
from dtbench.tasks.stored import rescore_run


def questions(task: Task, items: list[dict[str, Any]]) -> list[Sample]:
    samples = []
    for item in items:
        choices, gold = task.answer_key(item)
        headings = {name: value for name, value in item.items() if isinstance(value, str)}
        samples.append(Sample(item["id"], item["question"], tuple(choices), str(gold), Path("x"), headings, item))
    return samples


def ceiling_figures(task: Task, version: str, samples: list[Sample]) -> Any:
    ceiling = ScriptCeiling(task, version)
    for sample in samples:
        ceiling.add(sample)
    return ceiling.figures()


def figures_of(task: Task, records: list[Record], shown: list[Sample] | None, *, k: int = 1) -> Any:
    outcomes = Outcomes(records)
    summary = summarise(task, outcomes, expected=len(outcomes), samples_k=k)
    return paper_figures(task, outcomes, summary, RunDesign(len(outcomes) // k, k, {}), shown)


def test_chance_is_that_of_each_questions_own_options() -> None:
    task = Mmar()
    asked = questions(task, mmar_items(9))  # two, three and four options in turn
    records = [answered(task, one, one.answer or "") for one in asked[:6]] + [failed(one) for one in asked[6:]]
    found = figures_of(task, records, asked)["chance_corrected"]
    chance = (1 / 2 + 1 / 3 + 1 / 4) / 3
    assert found["chance"] == pytest.approx(chance)
    assert found["strict"]["value"] == pytest.approx((6 / 9 - chance) / (1 - chance))
    assert found["official"]["value"] == 1.0
    assert above_chance(0.2, 0.25) == pytest.approx(-1 / 15)
    assert above_chance(0.25, 0.25) == 0


def test_the_letter_is_that_of_the_order_shown() -> None:
    task = Mmar()
    asked = questions(task, mmar_items(9))
    records = [answered(task, one, one.choices[0]) for one in asked]  # which is the right one of each
    first = figures_of(task, records, asked)["by_letter"]
    turned = figures_of(task, records, [rotate_options(one, 1) for one in asked])["by_letter"]
    for plain, rotated in zip(first, turned, strict=True):
        assert plain["letters"]["A"]["chosen"] == plain["n"]
        last = "ABCD"[rotated["options"] - 1]
        assert rotated["letters"][last]["chosen"] == rotated["letters"][last]["right"] == rotated["n"]


def test_mmsu_has_a_table_of_its_tasks_and_one_of_linguistics() -> None:
    task = Mmsu()
    items = [{**item, "task_name": f"task {n % 3}"} for n, item in enumerate(mmsu_items(30))]
    asked = questions(task, items)
    found = figures_of(task, [answered(task, one, one.answer or "") for one in asked], asked)
    assert {name: part["strict"]["n"] for name, part in found["by_group"]["task_name"].items()} == {
        "task 0": 10, "task 1": 10, "task 2": 10,
    }  # fmt: skip
    assert {"category, sub-category", "category", "linguistics_sub_discipline"} <= {*found["by_group"]}
    assert found["macro"]["task_name"]["groups"] == 3


def test_the_ceiling_is_the_share_of_right_options_that_the_script_calls_right() -> None:
    items = mmar_items(4)
    items[0] |= {
        "choices": ["the red bird", "red bird"],
        "answer": "red bird",
    }  # "the" is a word of the wrong one alone
    items[1] |= {"choices": ["!!!", "a bell"], "answer": "!!!"}  # no word at all
    items[2] |= {"choices": ["Bird a", "a bird"], "answer": "a bird"}  # the same words
    found = ceiling_figures(Mmar(), "official", questions(Mmar(), items))
    assert found == {
        "n": 4,
        "reachable": 3,
        "ceiling": 0.75,
        "wrong_called_right": 1,
        "ids": sorted([items[1]["id"], items[2]["id"]]),
    }


def test_the_ceiling_is_the_official_score_of_right_options_alone() -> None:
    task = Mmar()
    items = mmar_items(12)
    items[3] |= {"choices": ["...", "a bell"], "answer": "..."}
    asked = questions(task, items)
    records = [answered(task, one, one.answer or "") for one in asked]
    score = summarise(task, records, expected=12)["official"]["accuracy"]
    assert figures_of(task, records, asked)["ceiling"]["ceiling"] == score == 11 / 12


def test_a_letter_rule_has_no_ceiling_and_each_version_starts_afresh() -> None:
    asked = questions(Mmsu(), mmsu_items(12))
    for version in Mmsu.official_versions:
        found = ceiling_figures(Mmsu(), version, asked)
        assert (found["ceiling"], found["wrong_called_right"]) == (1.0, 0)


def test_a_task_without_a_script_has_no_ceiling() -> None:
    class Own(Mmar):
        script_input = None  # type: ignore[assignment]

    assert ceiling_figures(Own(), "official", questions(Own(), mmar_items(3))) is None


def test_an_answer_that_is_no_option_can_be_reached_by_the_option_that_the_script_takes_for_it() -> None:
    items = mmar_items(2)
    items[0] |= {"choices": ["A bird.", "a bell"], "answer": "bird a"}
    items[1] |= {"choices": ["two drums", "a bell"], "answer": "nothing"}
    found = ceiling_figures(Mmar(), "official", questions(Mmar(), items))
    assert (found["reachable"], found["ids"]) == (1, [items[1]["id"]])


def test_lengths_make_parts_of_equal_size_and_one_length_stays_together() -> None:
    answers = [answer(f"q{n}", right=n < 25, chain=n + 1) for n in range(50)]
    found = length_figures(answers)
    assert [(one["shortest"], one["longest"], one["n"], one["correct"]) for one in found] == [
        (1, 10, 10, 10), (11, 20, 10, 10), (21, 30, 10, 5), (31, 40, 10, 0), (41, 50, 10, 0),
    ]  # fmt: skip
    level = length_figures([answer(f"q{n}", chain=7 if n < 40 else 90) for n in range(50)])
    assert [(one["shortest"], one["longest"], one["n"]) for one in level] == [(7, 7, 40), (90, 90, 10)]
    assert length_figures(answers[:15]) == []
    assert length_figures([answer(f"q{n}") for n in range(50)]) == []


def test_without_the_questions_only_what_needs_no_options_is_there() -> None:
    task = Mmar()
    asked = questions(task, mmar_items(6))
    records = [answered(task, one, one.answer or "") for one in asked]
    assert {*figures_of(task, records, None)} == {"by_group", "macro"}
    assert {*figures_of(task, records, asked[:5])} == {"by_group", "macro"}  # of one the options are not known
    whole = {*figures_of(task, records, asked)}
    assert whole == {"by_group", "macro", "by_letter", "chance_corrected", "ceiling"}


def test_the_order_of_records_and_questions_changes_no_figure() -> None:
    task = Mmar()
    asked = questions(task, mmar_items(40))
    dice = random.Random(5)
    records = [
        answered(task, one, f"<think>{'so ' * dice.randrange(9)}</think>{dice.choice(one.choices)}", repeat)
        for one in asked
        for repeat in range(3)
    ]
    first = json.dumps(figures_of(task, records, asked, k=3), sort_keys=True)
    for seed in range(3):
        random.Random(seed).shuffle(records)
        random.Random(seed).shuffle(asked)
        assert json.dumps(figures_of(task, records, asked, k=3), sort_keys=True) == first


def test_a_stored_run_has_the_figures_in_its_own_order_of_options(tmp_path: Path) -> None:
    mmar_v2_folder(tmp_path / "data")
    write_run(tmp_path / "run", {"mmar": tmp_path / "data"}, lambda sample, _: sample.answer)
    (plain,) = rescore_run(StoredRun.open(tmp_path / "run"))
    assert {part["options"]: part["letters"]["A"]["chosen"] for part in plain.summary["by_letter"]} == {
        2: 2,
        3: 2,
        4: 2,
    }
    run = StoredRun.open(tmp_path / "run")
    run.info["tasks"]["mmar"]["permute"] = 1
    (turned,) = rescore_run(run)
    assert all(part["letters"]["A"]["chosen"] == 0 for part in turned.summary["by_letter"])


def test_nothing_is_added_where_nothing_was_read(tmp_path: Path) -> None:
    mmar_v2_folder(tmp_path / "data")
    write_run(tmp_path / "run", {"mmar": tmp_path / "data"}, lambda sample, _: None)
    (found,) = rescore_run(StoredRun.open(tmp_path / "run"))
    assert not {*found.summary} & {*PaperFigures.__annotations__}


def test_a_question_with_one_option_is_all_chance() -> None:
    task = Mmar()
    (sample,) = questions(task, mmar_items(1))
    single = dataclasses.replace(sample, choices=sample.choices[:1])
    found = figures_of(task, [answered(task, single, single.choices[0])], [single])
    assert found["chance_corrected"]["strict"] == {"value": None, "low": None, "high": None}
    assert found["by_letter"][0]["recall_sd"] is None


def test_questions_are_read_once_and_not_kept() -> None:
    import tracemalloc

    task = Mmar()
    (sample,) = questions(task, mmar_items(1))
    record: Any = answered(task, sample, "a bird")
    records: list[Any] = [{**record, "id": f"question {n}"} for n in range(8_000)]
    outcomes = Outcomes(records)
    summary = summarise(task, outcomes, expected=8_000)
    long = {**sample.item, "question": "What is heard? " * 100}
    shown = (dataclasses.replace(sample, id=f"question {n}", item=dict(long, id=n)) for n in range(8_000))
    tracemalloc.start()
    found = paper_figures(task, outcomes, summary, RunDesign(8_000, 1, {}), shown)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found["ceiling"]["n"] == 8_000
    assert peak < 8_000_000
