from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from command import call
from made_up_run import answered
from trainings import Skill, made_up_recipe, write_base, write_training

from dtbench.harness.cli.train import print_table
from dtbench.harness.core.schema import Sample
from dtbench.harness.store.measure_types import RunMeasures
from dtbench.tasks.mini import Mini
from dtbench.training.mini.language import encode
from dtbench.training.recipe.recipe import load_recipe
from dtbench.training.recipe.settings import Recipe
from dtbench.training.rewards import Template
from dtbench.training.stages.layout import Layout
from dtbench.training.stages.outcome import (
    base_evaluations,
    base_prompts,
    description_runs,
    measure_records,
    outcome_table,
    stage_gains,
)
from dtbench.training.stages.watch import stage_evaluation

TASK = Mini()
TAGS = Template("<think>", "</think>")
SAMPLE: Sample = next(iter(TASK.samples(Path("clips"))))
REFERENCE = str(SAMPLE.item["thinking"])
WRONG = next(choice for choice in SAMPLE.choices if choice != SAMPLE.answer)


def recipe() -> Recipe:
    """The recipe mini with one stage and no prompts of its own for the base."""
    found = load_recipe("mini")
    plain = dataclasses.replace(found.evaluation, base_prompts={})
    return dataclasses.replace(found, stage=found.stage[:1], evaluation=plain)


def run(model: str, out: Path, data: Path, *more: str) -> None:
    asked = ("--tasks", "mini", "--limit", "40", "--data-dir", str(data), *more)
    assert call("run", "--model", model, "--out", out, *asked).code == 0


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """A base that always takes the first option, and a stage that is always right."""
    found, data = Layout(tmp_path_factory.mktemp("run")), tmp_path_factory.mktemp("data")
    prompt = data / "prompt.txt"
    prompt.write_text("{question}\n{options}\nthink and answer .")
    run("first", found.base_eval, data)
    run("echo-gold", found.stage("stage-1").eval, data, "--prompt", str(prompt))
    return found


def test_the_table_holds_each_run_that_is_done_with_its_interval_and_groups(layout: Layout) -> None:
    base, stage = outcome_table(recipe(), layout)["rows"]
    assert (base["name"], stage["name"]) == ("base", "stage-1")
    assert stage["strict"] == {
        "correct": 40,
        "n": 40,
        "accuracy": 1.0,
        "low": pytest.approx(0.912, abs=1e-3),
        "high": 1.0,
    }
    assert 0 < base["strict"]["accuracy"] < 0.7
    assert base["formed"] == 0
    both = [stage["groups"][f"difficulty: {name}"]["n"] for name in ("easy", "boundary")]
    assert sum(both) == 40
    assert min(both) > 0


def test_the_table_tells_criteria_and_length_of_chains_and_marks_the_best_untrained_prompt(tmp_path: Path) -> None:
    found = made_up_recipe()
    write_base(tmp_path / "base", found)
    told = write_training(tmp_path / "run", found, tmp_path / "base", Skill(0.7, "answer"), Skill(0.9, "full"))
    table = outcome_table(found, told)
    marks = {row["name"]: (row["formed"], row["criteria"], row["best"]) for row in table["rows"]}
    assert marks == {
        "base": (0.0, 0.0, False),
        "base, as-trained": (1.0, 1.0, False),
        "base, how": (1.0, 1.0, True),
        "base, listen": (0.0, 0.0, False),
        "stage-1": (1.0, 1.0, False),
        "stage-2": (1.0, 5.0, False),
        "stage-2, shuffled clips": (1.0, 5.0, False),
    }
    measures = {row["name"]: row["measures"] for row in table["rows"]}
    assert [measures[name]["lucky_rate"] for name in ("base", "stage-1", "stage-2")] == [1.0, 1.0, 0.0]
    assert measures["stage-2"]["shuffled_accuracy"] == measures["stage-2, shuffled clips"]["accuracy"]
    assert {name for name, own in measures.items() if "described" in own} == {"base", "stage-2"}
    before, after = (measures[name]["described"] for name in ("base", "stage-2"))
    assert 0.7 < before < 0.9
    assert 0.3 < after < 0.5
    easy = measures["stage-2"]["groups"]["difficulty"]["easy"]
    whole = next(row for row in table["rows"] if row["name"] == "stage-2")["groups"]["difficulty: easy"]
    assert (easy["n"], easy["right"], easy["accuracy"]) == (whole["n"], whole["correct"], whole["accuracy"])
    words = {row["name"]: row["words"] for row in table["rows"]}
    assert words["base"] is None
    assert 4 < words["stage-1"] < 6 < words["stage-2"]
    assert [(one.stage, one.base, one.best) for one in stage_gains(table, "mini")] == [
        (stage, name, name != "base") for stage in ("stage-1", "stage-2") for name in ("base", "base, how")
    ]


def test_descriptions_before_and_after_are_told_by_difficulty(tmp_path: Path) -> None:
    found = made_up_recipe()
    write_base(tmp_path / "base", found)
    told = write_training(tmp_path / "run", found, tmp_path / "base", Skill(0.7), Skill(0.9))
    rows = outcome_table(found, told)["described"]
    assert [(row["name"], row["difficulty"]) for row in rows] == [
        (name, part) for name in ("base", "stage-2") for part in ("easy", "boundary")
    ]
    exact = [row["exact"]["accuracy"] for row in rows]
    assert min(exact[:2]) > max(exact[2:]) > 0
    assert all(row["exact"]["accuracy"] <= row["sounds"] < 1 for row in rows)
    undescribed = dataclasses.replace(found, evaluation=dataclasses.replace(found.evaluation, describe=False))
    assert outcome_table(undescribed, told)["described"] is None


def test_what_is_printed_says_what_a_stage_gained_over_direct_answers_and_over_the_best_prompt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    found = made_up_recipe()
    write_base(tmp_path / "base", found)
    told = write_training(tmp_path / "run", found, tmp_path / "base", Skill(0.7, "answer"), Skill(0.9, "full"))
    table = outcome_table(found, told)
    print_table(table)
    printed = [line.strip() for line in capsys.readouterr().out.splitlines()]
    over = stage_gains(table, "mini")[-1]
    (line,) = [line for line in printed if line.startswith("stage-2 over base, how *")]
    near = over.groups["boundary"]
    assert line.split()[-2:] == [f"{100 * near['difference']:+.1f}", f"{near['p']:.2g}"]
    assert any(line.startswith("base, how *") for line in printed)
    assert any(line.startswith("stage-2 over base, direct") for line in printed)
    assert any(line.startswith("stage-2, boundary") for line in printed)
    (last,) = [line for line in printed if line.startswith("stage-2 ") and "over" not in line and "->" not in line]
    assert last.split()[-3:-1] == ["100.0", "5.00"]


def test_a_stage_is_held_against_what_was_before_it_by_a_paired_test(layout: Layout) -> None:
    (pair,) = outcome_table(recipe(), layout)["paired"]
    assert (pair["from"], pair["to"], pair["n"]) == ("base", "stage-1", 40)
    assert pair["better"] == round(40 * pair["difference"])
    assert pair["worse"] == 0
    assert pair["p"] < 0.001
    assert pair["low"] > 0
    assert {"easy", "boundary"} <= {group["group"] for group in pair["groups"]}


def test_the_base_is_asked_under_the_prompt_of_the_training_and_under_at_least_five_others() -> None:
    found = load_recipe("mini")
    assert base_prompts(found)["as-trained"] == found.prompt
    assert len(set(found.evaluation.base_prompts.values()) - {found.prompt}) >= 5
    assert [exam.prompt for exam in base_evaluations(found, Layout(Path("x")))] == [None, *base_prompts(found).values()]


def test_the_base_has_the_system_prompt_under_the_prompt_of_the_training_alone() -> None:
    found = dataclasses.replace(load_recipe("mini"), system="listen .")
    layout = Layout(Path("x"))
    asked = {run.prompt: run.system for run in base_evaluations(found, layout)}
    assert {prompt for prompt, system in asked.items() if system} == {found.prompt}
    assert asked[found.prompt] == "listen ."
    assert {run.system for run in description_runs(found, layout).values()} == {""}
    assert [stage_evaluation(found, layout, stage).system for stage in found.stage] == ["listen ."] * 2


def test_prompts_for_the_base_hold_only_words_that_it_knows() -> None:
    for prompt in base_prompts(load_recipe("mini")).values():
        assert prompt.startswith("{question}\n{options}\n")
        assert encode(prompt.partition("{options}\n")[2])


def marks(*texts: str, task: str = "mini") -> RunMeasures:
    return measure_records([record(text) for text in texts], task, TAGS)


def main(measures: RunMeasures) -> tuple[float | None, float | None, float | None]:
    return measures["formed"], measures["words"], measures["criteria"]


def record(text: str) -> Any:
    return answered(TASK, SAMPLE, text)


def test_a_right_answer_behind_the_reference_chain_meets_all_five_criteria() -> None:
    assert main(marks(f"<think> {REFERENCE} </think> {SAMPLE.answer}")) == (1.0, len(REFERENCE.split()), 5.0)


def test_a_right_answer_without_a_chain_meets_none_and_counts() -> None:
    told = marks(f"<think> {REFERENCE} </think> {SAMPLE.answer}", str(SAMPLE.answer))
    assert main(told) == (0.5, len(REFERENCE.split()), 2.5)
    assert (told["lucky_rate"], told["empty_rate"], told["empty_accuracy"]) == (0.5, 0.5, 1.0)


def test_criteria_of_wrong_answers_do_not_count() -> None:
    assert marks(f"<think> {REFERENCE} </think> {WRONG}")["criteria"] is None


def test_a_chain_in_another_form_is_held_against_the_criteria_too() -> None:
    answer = SAMPLE.answer
    told = marks(f"<think> {REFERENCE} </think> <think> {REFERENCE} </think> {answer}", f"<think> so </think> {answer}")
    assert told["formed"] == 0.5
    assert told["criteria"] == 2.5


def test_another_task_has_no_criteria_here_and_no_answers_have_no_marks() -> None:
    assert marks(f"<think> {REFERENCE} </think> {SAMPLE.answer}", task="mmar")["criteria"] is None
    assert main(measure_records([], "mini", TAGS)) == (None, None, None)


@pytest.mark.parametrize("number", range(3))
def test_what_a_chain_leaves_out_is_a_criterion_less(number: int) -> None:
    cue = SAMPLE.item["cue"][number + 2]
    told = marks(f"<think> {REFERENCE.replace(cue, 'it')} </think> {SAMPLE.answer}")
    assert told["criteria"] is not None
    assert told["criteria"] < 5


class Whistling(Mini):
    """A task of a user's own that marks chains by one word."""

    def chain_criteria(self, item: Mapping[str, Any], chain: str) -> tuple[bool, ...]:
        return ("whistle" in chain, str(item["id"]) in chain)


def test_a_task_of_ones_own_marks_chains_by_its_own_criteria() -> None:
    spec = f"{__name__}:{Whistling.__name__}"
    right = f"<think> a whistle in {SAMPLE.id} </think> {SAMPLE.answer}"
    assert marks(right, f"<think> a whistle </think> {SAMPLE.answer}", task=spec)["criteria"] == 1.5
