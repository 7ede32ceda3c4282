from __future__ import annotations

import dataclasses
import json
import random
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from trainer import MINI
from trainings import QUESTIONS, Skill, ask, write_base, write_training

from dtbench.harness.cli.claim_lines import print_claims
from dtbench.harness.core.errors import DataError, UserError
from dtbench.harness.score.measures import MeasuredAnswer
from dtbench.harness.stats.paired_tests import Bounds
from dtbench.harness.store.claim_types import ClaimResult, StageSteps, TrainedResult
from dtbench.training.claims.columns import (
    answer_columns,
    measured_row,
    pack_bits,
    pack_counts,
    unpack_bits,
    unpack_counts,
)
from dtbench.training.claims.curves import arm_curves, draw_curves
from dtbench.training.claims.digests import arm_digests
from dtbench.training.claims.examples import example_lines
from dtbench.training.claims.own_stages import own_claims
from dtbench.training.claims.plan import Experiment, common_stages, in_order, plan_experiment, sources
from dtbench.training.claims.recount import recount
from dtbench.training.claims.results import answer_examples, read_result, trained_result, write_result
from dtbench.training.claims.table import claim_line, report_lines
from dtbench.training.claims.verdicts import base_name, claim_results, verdict_of
from dtbench.training.recipe.claims import ClaimSide
from dtbench.training.recipe.recipe import RECIPES, load_claims
from dtbench.training.stages.options import TrainOptions

SEEDS = 3
PROMPTS = """[evaluation.base_prompts]
how = "{question}\\n{options}\\nwrite how ."
listen = "{question}\\n{options}\\nlisten ."

[[stage]]"""
CLAIM = """
[[claim]]
name = "{name}"
text = "Claim {name}."
between = {between}
at_least = 0.1
seeds = 3
questions = {questions}
primary = {primary}
"""


def recipe_file(folder: Path, questions: int = QUESTIONS) -> str:
    """The recipe mini with two prompts for the base, and claims of its own."""
    text = (RECIPES / "mini.toml").read_text().partition("[[claim]]")[0]
    before, _, rest = text.partition("[evaluation.base_prompts]")
    between: Mapping[str, tuple[Sequence[str], bool]] = {
        "over-base": (["hybrid", "base"], False),
        "over-answers": (["hybrid", "accuracy-only"], True),
        "over-form": (["hybrid", "format-accuracy"], False),
    }
    claims = [
        CLAIM.format(name=name, between=json.dumps(sides), questions=questions, primary=json.dumps(primary))
        for name, (sides, primary) in between.items()
    ]
    path = folder / "own.toml"
    path.write_text("".join([before, PROMPTS, rest.partition("[[stage]]")[2], *claims]))
    return str(path)


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    """Made-up trainings: hybrid does well, accuracy-only badly, and format-accuracy as hybrid does."""
    folder = tmp_path_factory.mktemp("claims")
    found = plan_experiment(recipe_file(folder), folder / "out")
    write_base(found.base.layout.root, found.base.recipe)
    skills = {
        "hybrid": Skill(0.9, "full"),
        "accuracy-only": Skill(0.5, "answer"),
        "format-accuracy": Skill(0.9, "full"),
    }
    for (arm, _), one in found.trainings.items():
        one.layout.root.parent.mkdir(parents=True, exist_ok=True)
        write_training(one.layout.root, one.recipe, found.base.layout.root, skills[arm])
    return found


@pytest.fixture(scope="module")
def kept(experiment: Experiment) -> Mapping[Path, TrainedResult]:
    """What is kept of them."""
    everything = [experiment.base, *experiment.trainings.values()]
    return {one.layout.root: trained_result(one, 60.0, 1) for one in everything}


def by_name(results: Sequence[ClaimResult]) -> Mapping[str, ClaimResult]:
    return {one["name"]: one for one in results}


def test_a_clone_elsewhere_goes_on_in_the_same_folders(tmp_path: Path) -> None:
    roots = []
    for clone in ("here", "there"):
        spec = Path(recipe_file(tmp_path))
        weights = shutil.copytree(MINI, tmp_path / clone)
        spec.write_text(spec.read_text().replace('model = "mini"', f"model = {json.dumps(str(weights))}"))
        found = plan_experiment(str(spec), tmp_path / "out")
        roots.append([one.layout.root for one in (found.base, *found.trainings.values())])
    assert roots[0] == roots[1]


def test_a_claim_is_met_refuted_or_undecided_by_its_interval() -> None:
    assert verdict_of(Bounds(0.12, 0.01, 0.2), 0.1) == "met"
    assert verdict_of(Bounds(0.12, -0.01, 0.2), 0.1) == "undecided"
    assert verdict_of(Bounds(0.05, 0.01, 0.2), 0.1) == "undecided"
    assert verdict_of(Bounds(0.05, 0.01, 0.09), 0.1) == "refuted"
    assert verdict_of(Bounds(-0.2, -0.3, -0.1), 0.1) == "refuted"


def test_trainings_are_read_as_verdicts_with_the_difference_of_each_seed(
    experiment: Experiment, kept: Mapping[Path, TrainedResult]
) -> None:
    results = claim_results(experiment, kept)
    assert [one["name"] for one in results] == ["over-answers", "over-base", "over-form"]
    found = by_name(results)
    assert {name: one["verdict"] for name, one in found.items()} == {
        "over-answers": "met",
        "over-base": "met",
        "over-form": "refuted" if (found["over-form"]["high"] or 0) < 0.1 else "undecided",
    }
    first = found["over-answers"]
    rights = [
        [kept[experiment.trainings[arm, seed].layout.root]["runs"][0]["measures"] for seed in range(SEEDS)]
        for arm in ("hybrid", "accuracy-only")
    ]
    gaps = [(a or {})["accuracy"] - (b or {})["accuracy"] for a, b in zip(*rights, strict=True)]
    assert first["by_seed"] == pytest.approx(gaps, abs=1e-4)
    assert first["difference"] == pytest.approx(sum(gaps) / SEEDS, abs=1e-4)
    assert claim_line(first).startswith("met: own: Claim over-answers. +")


def test_nothing_is_decided_while_seeds_or_questions_are_missing(
    experiment: Experiment, kept: Mapping[Path, TrainedResult], tmp_path: Path
) -> None:
    lost = experiment.trainings["hybrid", 1].layout.root
    found = by_name(claim_results(experiment, {root: one for root, one in kept.items() if root != lost}))
    assert {(one["verdict"], one["why"]) for one in found.values()} == {("undecided", "hybrid: 2 of 3 seeds")}
    assert found["over-answers"]["seeds"] == [0, 2]
    assert found["over-answers"]["difference"] is not None
    more = load_claims(recipe_file(tmp_path, QUESTIONS + 1))
    stricter = claim_results(experiment._replace(claimed=more), kept)
    assert {(one["verdict"], one["why"]) for one in stricter} == {
        ("undecided", f"{QUESTIONS} questions were asked, {QUESTIONS + 1} are wanted")
    }


def test_one_training_says_what_it_can_of_claims_about_its_stages_and_names_the_arms_that_others_take(
    experiment: Experiment, kept: Mapping[Path, TrainedResult], capsys: pytest.CaptureFixture[str]
) -> None:
    one = experiment.trainings["hybrid", 1]
    said = own_claims(TrainOptions(recipe=experiment.spec, out=one.layout.root, arm="hybrid", seed=1))
    (found,) = said.results
    (of_all,) = (result for result in claim_results(experiment, kept) if result["name"] == "over-base")
    assert (found["name"], found["verdict"], found["seeds"]) == ("over-base", "undecided", [1])
    assert found["difference"] == pytest.approx(of_all["by_seed"][1])
    assert (said.others, said.arms) == (2, ["accuracy-only", "format-accuracy"])
    print_claims(*said)
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "undecided  Claim over-base."
    assert lines[3].endswith("it holds here; a verdict takes 3 trainings with different seeds")
    assert lines[4].startswith("2 more claims compare with accuracy-only, format-accuracy: ")


def test_a_training_that_reused_another_arm_compares_with_it(
    experiment: Experiment, kept: Mapping[Path, TrainedResult]
) -> None:
    hybrid, answers = (experiment.trainings[arm, 2].layout.root for arm in ("hybrid", "accuracy-only"))
    said = own_claims(TrainOptions(recipe=experiment.spec, out=answers, arm="accuracy-only", seed=2, reuse=hybrid))
    found, of_all = by_name(said.results), by_name(claim_results(experiment, kept))
    assert (sorted(found), said.others, said.arms) == (["over-answers", "over-base"], 1, ["format-accuracy"])
    for name, one in found.items():
        assert one["difference"] == pytest.approx(of_all[name]["by_seed"][2])
    another = own_claims(
        TrainOptions(
            recipe=experiment.spec,
            out=answers,
            arm="accuracy-only",
            seed=2,
            reuse=experiment.trainings["hybrid", 1].layout.root,
        )
    )
    assert (another.results, another.others) == ([], 3), "seeds are paired"


def test_the_best_prompt_is_one_of_the_base_even_where_stages_are_beside_it(experiment: Experiment) -> None:
    one = experiment.trainings["hybrid", 0]
    result = trained_result(one, 0, 0, with_base=True)
    accuracy = {run["name"]: (run["measures"] or {"accuracy": None})["accuracy"] or 0 for run in result["runs"]}
    best = base_name(result, ClaimSide(prompt="best"), "mini")
    assert best.startswith("base")
    assert accuracy[best] < accuracy["stage-1"]


def test_a_result_fits_until_settings_or_its_file_change(experiment: Experiment, tmp_path: Path) -> None:
    one = experiment.trainings["hybrid", 0]
    path = write_result(tmp_path, one, trained_result(one, 1.0, 1))
    assert path == tmp_path / "own" / "hybrid-0.json"
    assert read_result(tmp_path, one) == trained_result(one, 1.0, 1) | {"made": json.loads(path.read_text())["made"]}
    other = dataclasses.replace(one.recipe, training=dataclasses.replace(one.recipe.training, beta=0.5))
    assert read_result(tmp_path, one._replace(digests=arm_digests(other))) is None
    louder = dataclasses.replace(one.recipe, title="other", machines=dataclasses.replace(one.recipe.machines, port=1))
    assert arm_digests(louder) == one.digests
    path.write_text("{")
    with pytest.raises(DataError, match=r"hybrid-0\.json: not the result of a training"):
        read_result(tmp_path, one)


def test_an_arm_of_two_stages_and_3000_questions_is_kept_in_less_than_20_kilobytes() -> None:
    chance = random.Random(0)
    answers = [
        MeasuredAnswer(
            right=chance.random() < 0.7,
            words=max(0, round(chance.gauss(30, 6))),
            formed=chance.random() < 0.97,
            cut=chance.random() < 0.02,
            criteria=[chance.random() < 0.8 for _ in range(5)],
            groups={},
        )
        for _ in range(3000)
    ]
    columns = answer_columns(answers)
    assert len(json.dumps(columns)) < 6_000
    assert 2 * len(json.dumps(columns)) + 2 * 3000 / 4 < 14_000  # what else a result has takes less than 6 KB


def test_columns_say_what_was_packed_and_refuse_what_is_damaged() -> None:
    bits, numbers = [True, False, True, True, False], [0, 3, 255, 7]
    assert unpack_bits(pack_bits(bits), 5) == bits
    assert pack_bits(bits) == "b0"
    assert unpack_counts(pack_counts([*numbers[:2], 300, 7]), 4) == numbers
    for damaged in ("zz", pack_counts(numbers)[:-6]):
        with pytest.raises(DataError):
            unpack_counts(damaged, 4)
    with pytest.raises(DataError, match="8 bits, 12 are expected"):
        unpack_bits("b0", 12)


def test_measures_are_those_of_the_answers_that_count(experiment: Experiment) -> None:
    answers = [
        MeasuredAnswer(True, 5, True, False, [True] * 5, {}),
        MeasuredAnswer(True, 0, False, False, [True, False, False, False, False], {}),
        MeasuredAnswer(False, 3, True, True, [True] * 5, {}),
    ]
    columns = answer_columns(answers, followed=[2, 0, 1])
    run = {**trained_result(experiment.trainings["hybrid", 0], 1, 1)["runs"][0], "asked": 3, "columns": columns}
    expected = {
        "accuracy": 2 / 3,
        "criteria": 3.0,
        "lucky_rate": 0.5,
        "formed": 2 / 3,
        "words": 4.0,
        "empty_rate": 1 / 3,
        "cut_rate": 1 / 3,
        "follow_rate": 0.5,
    }
    for measure, value in expected.items():
        row = measured_row(run, measure)  # type: ignore[arg-type]
        assert row is not None
        assert row[0].sum() / row[1].sum() == pytest.approx(value), measure


def test_the_table_has_a_row_for_each_prompt_and_arm_and_every_claim(
    experiment: Experiment, kept: Mapping[Path, TrainedResult]
) -> None:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in report_lines(experiment, kept) if line]
    named = {row[0]: row for row in reversed(rows)}
    assert {"base", "base, as-trained", "base, how", "base, listen"} <= named.keys()
    assert named["hybrid"][1] == "3"
    assert named["hybrid"][2].startswith(("8", "9"))
    start = next(place for place, row in enumerate(rows) if row[0] == "mini: reasoning")
    chains = {row[0]: row for row in reversed(rows[start:])}
    assert chains["base"][1:3] == ["none", "none"]
    assert chains["hybrid"][1].startswith("5.00")
    (claim,) = (row for row in rows if row[0] == "**Claim over-answers.**")
    assert claim[1:3] == ["accuracy: hybrid − accuracy-only", "met"]


def test_answers_of_all_arms_stand_under_their_question_and_those_of_a_folder_are_as_many_as_wanted(
    experiment: Experiment, kept: Mapping[Path, TrainedResult]
) -> None:
    lines = list(example_lines(experiment, kept, 2))
    questions = [place for place, line in enumerate(lines) if line.startswith("**")]
    assert [line.partition(",")[0] for line in lines[questions[0] + 2 : questions[0] + 5]] == [
        "- hybrid",
        "- accuracy-only",
        "- format-accuracy",
    ]
    assert "`<think> " in lines[questions[0] + 2]
    assert len(questions) == 2
    one = experiment.trainings["hybrid", 0]
    assert len({example["id"] for example in answer_examples(one, "stage-1", 7)}) == 7


def test_curves_are_those_of_each_seed_over_all_steps_and_their_mean(
    experiment: Experiment, kept: Mapping[Path, TrainedResult]
) -> None:
    with pytest.raises(UserError, match="no arm is trained yet"):
        draw_curves([experiment], {})
    learnt: dict[Path, TrainedResult] = {}
    for seed in (0, 1):
        root = experiment.trainings["hybrid", seed].layout.root
        course: StageSteps = {
            "stage": "stage-1",
            "steps": [10, 20],
            "reward": [1.0 + seed, 2.0 + seed],
            "completion_length": [5.0, None],
            "kl": [0.0, 0.0],
        }
        learnt[root] = {**kept[root], "steps": [course]}
    (curve,) = arm_curves(experiment, learnt, "reward")
    assert curve == ("hybrid", [10, 20], [1.5, 2.5], [[1.0, 2.0], [2.0, 3.0]])
    assert arm_curves(experiment, learnt, "accuracy") == []
    assert [axes.get_ylabel() for axes in draw_curves([experiment], learnt).axes] == ["Reward", "Tokens of an answer"]


def test_a_result_is_made_anew_from_its_folder_and_keeps_with_what_it_was_trained(
    experiment: Experiment, kept: Mapping[Path, TrainedResult], tmp_path: Path
) -> None:
    one, said = experiment.trainings["hybrid", 0], list[str]()
    stored = kept[one.layout.root]
    write_result(tmp_path, one, {**stored, "examples": []})
    recount([experiment], tmp_path, said.append)
    assert said == [], "no training has come to its end"
    (one.layout.root / "outcome.json").write_text("{}")
    steps = [{"step": number, "reward": number, "reward/accuracy": number / 60} for number in range(1, 61)]
    one.layout.stage("stage-1").metrics.write_text("".join(f"{json.dumps(step)}\n" for step in steps))
    recount([experiment], tmp_path, said.append)
    again = read_result(tmp_path, one)
    assert again is not None
    assert (again["examples"], again["made"]) == (stored["examples"], stored["made"])
    (course,) = again["steps"]
    assert (course["steps"][-1], course["reward"][-1], len(course["steps"])) == (60, 60, 30)
    assert course.get("accuracy", [])[-2:] == [pytest.approx(115 / 120, abs=1e-4), pytest.approx(119 / 120, abs=1e-4)]
    recount([experiment], tmp_path, said.append)
    changed = f"own: hybrid-0: changed ({tmp_path / 'own' / 'hybrid-0.json'})"
    assert said == [changed, "own: hybrid-0: as it was"]


def test_arms_that_decide_come_first_and_seeds_outermost(experiment: Experiment) -> None:
    order = [(one.arm, one.recipe.seed) for one in in_order([experiment])]
    decide = [(arm, seed) for seed in range(SEEDS) for arm in ("hybrid", "accuracy-only")]
    assert order == [*decide, *(("format-accuracy", seed) for seed in range(SEEDS))]


def test_a_stage_is_taken_over_from_an_arm_of_the_same_seed_that_begins_with_it(tmp_path: Path) -> None:
    found = plan_experiment("mini", tmp_path)
    own, hybrid = found.trainings["recipe", 1], found.trainings["hybrid", 1]
    assert common_stages(own.recipe, hybrid.recipe) == 1
    assert common_stages(own.recipe, found.trainings["hybrid", 0].recipe) == 0
    assert common_stages(own.recipe, found.trainings["accuracy-only", 1].recipe) == 0
    assert [one.arm for one in sources(own, found)] == ["long-stage-1", "hybrid", "base"]
    assert [one.arm for one in sources(found.trainings["accuracy-only", 1], found)] == ["base"]


def test_answers_to_other_questions_than_the_first_are_refused(experiment: Experiment, tmp_path: Path) -> None:
    one = experiment.trainings["hybrid", 2]
    other = one._replace(layout=type(one.layout)(tmp_path / "other"))
    ask(other.layout.stage("stage-1").eval, Skill(0.5))
    lines = next(other.layout.stage("stage-1").eval.glob("**/*.jsonl"))
    rest = lines.read_text().splitlines(keepends=True)[1:]
    lines.write_text("".join(rest))
    with pytest.raises(DataError, match="not those to the first questions of mini"):
        trained_result(other, 1.0, 1)
