"""What is changed in the chains of a run, and the rates of a model that believes its chain and of one that does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from chain_reasoners import BY_ID, believe, insist, reference_answer
from made_up_run import write_run

from dtbench.harness.core.errors import TaskError, UserError
from dtbench.harness.core.schema import Sample
from dtbench.harness.core.task import ChainEdit
from dtbench.harness.faithful.interventions import ChangedRun, make_interventions
from dtbench.harness.faithful.options import INTERVENTION_NAMES
from dtbench.harness.faithful.rates import figures_by_group, intervention_figures, rate, read_answers
from dtbench.harness.score.stored_run import StoredTask
from dtbench.harness.store.run_folder import StoredRun
from dtbench.tasks.mini import Mini
from dtbench.tasks.stored import stored_task

COUNT = 24
DATA = Mini().load(None).select(range(COUNT))


def stored(folder: Path, says: Callable[[Sample, int], str | None] = reference_answer) -> StoredTask:
    write_run(folder, {"mini": folder / "data"}, says)
    return stored_task(StoredRun.open(folder), "mini")


def changed(task: StoredTask, limit: int | None = COUNT) -> ChangedRun:
    return make_interventions(task, DATA, limit=limit)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> StoredTask:
    return stored(tmp_path_factory.mktemp("run"))


def test_each_question_has_every_intervention_in_the_order_of_their_names(run: StoredTask) -> None:
    made = changed(run)
    assert (made.questions, made.chains) == (COUNT, COUNT)
    first = [one.name for one in made.interventions if one.sample.id == made.interventions[0].sample.id]
    assert first == list(INTERVENTION_NAMES)
    assert len({one.key for one in made.interventions}) == len(made.interventions)


def test_the_control_ends_where_the_edit_ends_and_says_what_the_model_said(run: StoredTask) -> None:
    by_name = {one.name: one for one in changed(run).interventions[: len(INTERVENTION_NAMES)]}
    description = by_name["control"].sample.item["description"]
    assert by_name["control"].begun == f"<think> {description}"
    assert by_name["control"].target is None
    assert by_name["description"].begun.startswith("<think> i hear first")
    assert "</think>" not in by_name["description"].begun + by_name["step"].begun
    assert by_name["empty"].begun == "<think> </think>"
    assert by_name["cut 50 %"].begun.endswith(" </think>")
    assert set(by_name["filler"].begun.split()) == {"<think>", ".", "</think>"}
    assert by_name["shuffled clips"].begun == ""


def test_the_chain_of_another_question_leads_to_another_option_where_there_is_such_a_chain(run: StoredTask) -> None:
    for one in changed(run).interventions:
        if one.name == "other reasoning" and one.target is not None:
            assert one.target in one.sample.choices
            assert one.target != one.kept
            assert one.begun.endswith(f"answer is {one.target} </think>")


def measured(run: StoredTask, says: Callable[[str, str], str]) -> dict[str, tuple[float | None, float, float]]:
    made = changed(run)
    texts = {one.key: says(one.sample.id, one.begun) for one in made.interventions}
    rates = {}
    for one in intervention_figures(read_answers(run, made, texts)):
        follow = None if one["follow"] is None else one["follow"]["accuracy"]
        rates[one["intervention"]] = (follow, one["keep"]["accuracy"], one["other"]["accuracy"])
    return rates


def test_a_model_that_believes_its_chain_follows_every_edit_and_keeps_the_control(run: StoredTask) -> None:
    rates = measured(run, believe)
    assert rates["control"] == (None, 1.0, 0.0)
    assert rates["description"] == rates["step"] == (1.0, 0.0, 0.0)
    assert rates["other reasoning"][0] == 1.0
    assert rates["empty"][1] < 0.6


def test_a_model_that_has_made_up_its_mind_keeps_its_answer_whatever_the_chain_says(run: StoredTask) -> None:
    rates = measured(run, insist)
    assert rates["description"] == rates["step"] == (0.0, 1.0, 0.0)
    assert {rates[name][1] for name in ("control", "empty", "cut 25 %", "filler", "other reasoning")} == {1.0}


def test_a_rate_has_its_count_its_interval_and_its_groups(run: StoredTask) -> None:
    made = changed(run)
    texts = {one.key: believe(one.sample.id, one.begun) for one in made.interventions}
    answers = read_answers(run, made, texts)
    follow = rate(intervention_figures(answers), "description", "follow")
    assert follow is not None
    assert (follow["correct"], follow["n"]) == (24 - made.left_out["no_edit"],) * 2
    assert 0.8 < follow["low"] < follow["high"] == 1.0
    groups = figures_by_group(answers)
    assert set(groups) == {"category", "difficulty"}
    easy, hard = (rate(groups["difficulty"][value], "description", "follow") for value in ("easy", "boundary"))
    assert easy is not None
    assert hard is not None
    assert easy["n"] + hard["n"] == follow["n"]
    assert rate(intervention_figures(answers), "description", "nothing") is None
    assert rate([], "description", "follow") is None


def test_an_answer_without_an_option_is_other_and_counted_as_unanswered(run: StoredTask) -> None:
    made = changed(run, limit=2)
    texts = {one.key: f"{one.begun} hm" for one in made.interventions if one.name == "empty"}
    (figures,) = intervention_figures(read_answers(run, made, texts))
    assert (figures["n"], figures["unanswered"], figures["other"]["correct"]) == (2, 2, 2)


def test_answers_without_chain_or_option_are_counted_and_only_asked_with_other_clips(tmp_path: Path) -> None:
    ids = list(BY_ID)

    def says(sample: Sample, repeat: int) -> str | None:
        number = ids.index(sample.id)
        texts = [reference_answer(sample), str(sample.answer), "<think> hm </think> no idea", None]
        return texts[number] if number < 4 else None

    made = changed(stored(tmp_path, says), limit=None)
    assert (made.questions, made.chains) == (3, 1)
    assert made.left_out == {"no_answer": 1, "no_chain": 1, "no_edit": 0}
    assert [one.name for one in made.interventions if one.sample.id == ids[1]] == ["shuffled clips"]


def test_only_what_is_named_is_made_and_what_is_no_intervention_is_refused(run: StoredTask) -> None:
    made = make_interventions(run, DATA, limit=3, only=("empty", "step"))
    assert [one.name for one in made.interventions] == ["step", "empty"] * 3
    with pytest.raises(UserError, match=r"--only cut: unknown\. Known are control, description"):
        make_interventions(run, DATA, only=("cut",))


class OddEdits(Mini):
    """Edits of a kind that nobody knows."""

    def chain_edits(self, item: object, chain: str) -> list[ChainEdit]:
        return [ChainEdit("mood", "hm", "2", "hm")]


def test_an_edit_of_an_unknown_kind_is_the_tasks_fault(run: StoredTask) -> None:
    odd = StoredTask(OddEdits(), run.about, run.records, run.folder)
    with pytest.raises(TaskError, match="has the kind 'mood'; description and step are known"):
        make_interventions(odd, DATA, limit=1)
