"""`dtbench compare` and `dtbench gate` on runs whose difference is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from command import Done, call
from made_up_run import number_of, write_run
from runs import records
from small_data import mmar_items, mmsu_parquet, write_json

from dtbench.harness.core.schema import Sample
from dtbench.harness.run.plan import PromptForm

Says = Callable[[Sample, int], str | None]
QUESTIONS = 400


def right_but(*wrong: int, of: int = 10) -> Says:
    """Answers that are right, but for the questions whose number leaves one of these rests."""
    return lambda sample, repeat: sample.choices[1 if number_of(sample) % of in wrong else 0]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mmar")
    write_json(folder / "MMAR-meta.jsonl", mmar_items(QUESTIONS))
    return folder


@pytest.fixture
def made(data: Path, tmp_path: Path) -> Callable[..., Path]:
    def make(name: str, says: Says, **form: Any) -> Path:
        write_run(tmp_path / name, {"mmar": data}, says, form=PromptForm(**form))
        return tmp_path / name

    return make


def compared(*runs: Path, options: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    done = call("compare", *runs, "--json", *options)
    assert (done.code, done.err) == (0, ""), done
    found = json.loads(done.out)
    assert isinstance(found, list)
    return found


def gated(baseline: Path, candidate: Path, *options: str | Path) -> Done:
    return call("gate", "--baseline", baseline, "--candidate", candidate, *options)


def test_the_difference_is_counted_question_by_question(made: Callable[..., Path]) -> None:
    (found,) = compared(made("a", right_but(1, 2)), made("b", right_but(2, 3, 4)))
    assert (found["n"], found["before"], found["after"]) == (400, 0.8, 0.7)
    assert found["difference"] == pytest.approx(-0.1)
    assert (found["better"], found["worse"]) == (40, 80)
    assert found["low"] < -0.1 < found["high"] < 0
    assert 0.0001 < found["p"] < 0.001
    assert {flip["id"].partition("_")[0][-1] for flip in found["gained"]} == {"1"}
    assert len(found["lost"]) == 80
    assert found["confounders"] == []


def test_runs_that_reason_are_compared_at_matched_lengths(made: Callable[..., Path]) -> None:
    def thinks(steps: int, says: Says) -> Says:
        return lambda sample, repeat: f"<think>{'so ' * (number_of(sample) % 7 + steps)}</think>{says(sample, repeat)}"

    plain, wordy = made("a", thinks(1, right_but(1, 2))), made("b", thinks(3, right_but(2, 3, 4)))
    (found,) = compared(plain, wordy)
    matched = found["matched_lengths"]
    assert matched["n"] == 400
    assert matched["low"] < matched["difference"] < matched["high"]
    assert {one["n_before"] for one in matched["parts"]} <= {57, 58}  # one length each
    said = call("compare", plain, wordy).out
    assert f"lengths   {100 * matched['difference']:+.2f} points at matched lengths of reasoning" in said
    silent = compared(made("c", right_but(1)), plain)
    assert silent[0]["matched_lengths"] is None


def test_groups_are_compared_and_corrected_for_their_number(made: Callable[..., Path]) -> None:
    (found,) = compared(made("a", right_but(1, 2)), made("b", right_but(2, 3, 4)))
    groups = {(row["heading"], row["value"]): row for row in found["groups"]}
    part = groups["category", "Signal Layer"]
    assert sum(row["n"] for row in found["groups"] if row["heading"] == "category") == 400
    assert part["p_adjusted"] >= part["p"]


def test_what_makes_it_unfair_is_said_first(made: Callable[..., Path], tmp_path: Path) -> None:
    a, b = made("a", right_but(1)), made("b", right_but(1), template="{question}\n{options}", permute=1)
    (found,) = compared(a, b)
    assert {one["name"] for one in found["confounders"]} == {"prompt", "permute"}
    lines = call("compare", a, b).out.splitlines()
    assert lines[1].startswith("UNFAIR    prompt differs: ")
    assert lines[2].startswith("UNFAIR    permute differs: 0 vs 1")


def test_several_runs_are_held_against_the_first(made: Callable[..., Path]) -> None:
    a, b, c = made("a", right_but(1, 2)), made("b", right_but(1)), made("c", right_but())
    assert [round(100 * one["difference"]) for one in compared(a, b, c)] == [10, 20]


def test_several_candidates_are_tested_together(made: Callable[..., Path]) -> None:
    a, b, c = made("a", right_but(1)), made("b", right_but(1)), made("c", right_but(1, 2, of=30))
    one, other = compared(a, b, c)
    assert one["p_adjusted"] == 1.0
    assert other["p_adjusted"] == pytest.approx(2 * other["p"])
    assert one["p_all_equal"] == other["p_all_equal"] < 0.05
    assert compared(a, c)[0]["p_all_equal"] is None
    assert "that all are equally good has p = " in call("compare", a, b, c).out


def test_several_tasks_have_a_mean_difference(data: Path, tmp_path: Path) -> None:
    mmsu_parquet(tmp_path / "mmsu")
    folders = {"mmar": data, "mmsu": tmp_path / "mmsu"}
    write_run(tmp_path / "a", folders, right)
    write_run(
        tmp_path / "b",
        folders,
        lambda sample, repeat: (
            right_but(1)(sample, repeat) if sample.id.startswith("made-up-") else right(sample, repeat)
        ),
    )
    found = compared(tmp_path / "a", tmp_path / "b")
    assert found[0]["all_tasks"] == found[1]["all_tasks"]
    assert found[0]["all_tasks"]["difference"] == pytest.approx(sum(one["difference"] for one in found) / 2)
    assert "points on average (95 % interval " in call("compare", tmp_path / "a", tmp_path / "b").out


def right(sample: Sample, repeat: int) -> str:
    return str(sample.answer)


def test_the_table_shows_flips_and_power(made: Callable[..., Path]) -> None:
    done = call("compare", made("a", right_but(1, 2)), made("b", right_but(2, 3)), "--power", "--flips", "2")
    assert "changed   40 better, 40 worse, 320 unchanged" in done.out
    assert "questions detect a difference of 6.2 points with 80 % power" in done.out
    assert done.out.count("better    made-up-") == 2
    assert "better    and 38 more (--flips, or --json for all)" in done.out


def test_failures_are_left_out_and_told(made: Callable[..., Path]) -> None:
    def some(sample: Sample, repeat: int) -> str | None:
        return None if number_of(sample) < 5 else sample.choices[0]

    (found,) = compared(made("a", right_but()), made("b", some))
    assert (found["n"], found["only_before"], found["failed"]) == (395, 5, [0, 5])


def test_a_candidate_as_good_passes_and_a_worse_one_does_not(made: Callable[..., Path]) -> None:
    base, same, worse = made("base", right_but(1)), made("same", right_but(1)), made("worse", right_but(1, 2, 3))
    passed = gated(base, same, "--max-drop", "2")
    assert passed.code == 0
    assert passed.out.startswith("The candidate is not worse than the baseline by 2 points or more.\npassed    mmar: ")
    regressed = gated(base, worse, "--max-drop", "2")
    assert regressed.code == 1
    assert regressed.out.startswith("The candidate is worse than the baseline, and by at least 16.9 points.\n")
    assert "regressed mmar: 90.00 -> 70.00 (-20.00 points" in regressed.out


def test_too_few_questions_are_no_pass_and_no_failure(made: Callable[..., Path]) -> None:
    base, other = made("base", right_but(1)), made("other", right_but(2))
    done = gated(base, other, "--max-drop", "1")
    assert done.code == 4
    assert done.out.startswith(
        "Not enough questions to tell: the change may be anything from -3.7 to +3.7 points. About "
    )
    assert "questions would give 80 % power" in done.out
    assert gated(base, other, "--max-drop", "1", "--undecided", "pass").code == 0
    assert gated(base, other, "--max-drop", "1", "--undecided", "fail").code == 1


def test_by_default_an_equal_candidate_passes_and_the_drop_that_can_be_decided_is_told(
    made: Callable[..., Path],
) -> None:
    base, other = made("base", right_but(1)), made("other", right_but(2))
    (one,) = json.loads(gated(base, other, "--json").out)["results"]
    assert (one["verdict"], one["max_drop_given"]) == ("passed", False)
    assert 0.05 < one["max_drop"] < 0.08
    assert 0.9 <= one["passes"] < 0.93
    assert "smallest drop that so many questions can decide, 6.6 points" in gated(base, other).out


def test_a_real_loss_within_the_allowance_is_not_a_regression(made: Callable[..., Path]) -> None:
    base, worse = made("base", right_but()), made("worse", right_but(1, of=20))  # 5 points, each question by itself
    assert gated(base, worse).code == 1
    assert gated(base, worse, "--max-drop", "1").code == 1
    assert gated(base, worse, "--max-drop", "4.9").code == 4
    assert gated(base, worse, "--max-drop", "8").code == 0


def test_many_groups_share_the_chance_of_a_false_alarm(made: Callable[..., Path]) -> None:
    """A loss that one group alone would show is not claimed where all groups were looked at."""

    def loses(sample: Sample, repeat: int) -> str:
        number = number_of(sample)
        return sample.choices[1 if sample.item["modality"] == "sound" and number % 7 == 0 and number < 90 else 0]

    base, other = made("base", right_but()), made("other", loses)
    modalities = sorted({record["groups"]["modality"] for record in records(base)})
    every = [option for name in modalities for option in ("--group", f"modality={name}")]
    alone = json.loads(gated(base, other, "--json", "--group", "modality=sound").out)["results"]
    many = json.loads(gated(base, other, "--json", *every).out)["results"]
    p_alone, p_many = (
        next(one["p_loss"] for one in found if one["group"] == "modality=sound") for found in (alone, many)
    )
    assert p_many == pytest.approx(p_alone * (len(modalities) + 1) / 2)


def test_a_group_that_breaks_stops_the_candidate(made: Callable[..., Path]) -> None:
    def breaks(sample: Sample, repeat: int) -> str:
        return sample.choices[1 if sample.item["category"] == "Signal Layer" else 0]

    base, other = made("base", right_but()), made("other", breaks)
    assert gated(base, other, "--max-drop", "40", "--group", "category=Signal Layer").code == 1
    assert gated(base, other, "--max-drop", "40").code == 0
    refusal = gated(base, other, "--group", "category=Signal").refusal()
    assert "the runs have no such group. Did you mean category=Signal Layer" in refusal


def test_nothing_that_is_missing_or_unlike_passes(made: Callable[..., Path], data: Path, tmp_path: Path) -> None:
    base = made("base", right_but())
    worded = made("b", right_but(), template="{question}{options}")
    assert "differ in more than the model: prompt" in gated(base, worded).refusal(3)
    assert gated(base, worded, "--allow", "prompt").code == 0
    failing = made("c", lambda sample, repeat: None if number_of(sample) == 7 else sample.choices[0])
    told = "of 400 answers"
    assert f"the candidate lacks 1 {told} (1 failed, 0 were never asked)" in gated(base, failing).refusal(3)
    interrupted = made("d", right_but())
    lines = (interrupted / "mmar.jsonl").read_bytes().splitlines(keepends=True)
    (interrupted / "mmar.jsonl").write_bytes(b"".join(lines[:-3]))
    assert f"the candidate lacks 3 {told} (0 failed, 3 were never asked)" in gated(base, interrupted).refusal(3)


def test_a_ci_server_reads_the_verdicts(made: Callable[..., Path], tmp_path: Path) -> None:
    base, worse = made("base", right_but(1)), made("worse", right_but(1, 2, 3))
    done = gated(base, worse, "--junit", tmp_path / "gate.xml", "--markdown", tmp_path / "gate.md", "--json")
    assert json.loads(done.out)["verdict"] == "regressed"
    suite = ElementTree.parse(tmp_path / "gate.xml").getroot()
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert "400 questions): worse (p = " in str(failure.get("message"))
    text = (tmp_path / "gate.md").read_text()
    assert text.startswith(
        "## dtbench gate: ❌ regressed\n\nThe candidate is worse than the baseline, and by at least "
    )
    assert "| mmar | ❌ regressed | 90.00 | 70.00 | -20.00 |" in text


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--max-drop", "-1"], "--max-drop -1: 0 to 100 is expected"),
        (["--alpha", "0.6"], "--alpha 0.6: a chance above 0 and below 0.5 is expected"),
        (["--undecided", "maybe"], "--undecided maybe: pass or fail is expected"),
        (["--score", "best"], "--score best: unknown. "),
        (["--task", "mmsu"], "do not both have the task mmsu"),
        (["--model", "first"], "--model is for --until decided; without it, the candidate is a finished run"),
    ],
)
def test_a_wrong_wish_is_one_line(made: Callable[..., Path], options: list[str], complaint: str) -> None:
    base, other = made("base", right_but()), made("other", right_but())
    assert complaint in gated(base, other, *options).refusal()


def test_a_run_that_is_compared_with_itself_is_told(made: Callable[..., Path], tmp_path: Path) -> None:
    base, other = made("base", right_but()), made("other", right_but(1))
    one_run = f"--baseline and --candidate are one run, {base}: a run does not differ from itself"
    assert one_run in gated(base, base / ".." / base.name).err
    again = base / ".." / base.name
    assert f"note: {base} is named twice; name each run once." in call("compare", base, other, again).err


def test_runs_of_other_tasks_are_refused(made: Callable[..., Path], tmp_path: Path) -> None:
    mmsu_parquet(tmp_path / "mmsu")
    write_run(tmp_path / "other", {"mmsu": tmp_path / "mmsu"}, lambda sample, repeat: sample.answer)
    base = made("base", right_but())
    assert "have no task in common" in call("compare", base, tmp_path / "other").refusal()
    assert "two or more run folders are expected, the baseline first; found 1 run." in call("compare", base).refusal()
    assert "--candidate is missing" in call("gate", "--baseline", base).refusal()


def test_no_control_character_of_a_run_reaches_the_terminal(made: Callable[..., Path], tmp_path: Path) -> None:
    plain, odd = made("a", right_but(1)), made("b", right_but(2))
    info = json.loads((odd / "run.json").read_text())
    info["model"] |= {"temperature": "\x1b[2Jhot\x07", "quantization": "\x1b[2Jhot\x07"}
    (odd / "run.json").write_text(json.dumps(info))
    done = call("compare", plain, odd)
    assert "hot" in done.out
    assert not {"\x1b", "\x07"} & {*done.out, *done.err}
    hot = [one["after"] for one in compared(plain, odd)[0]["confounders"] if "hot" in one["after"]]
    assert [text.isprintable() for text in hot] == [True, True]
