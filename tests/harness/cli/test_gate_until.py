"""`dtbench gate --until decided`: real runs ask the candidate in rounds, and the chance of a mistake is kept."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from command import Done, call
from runs import audible_data, records
from stand_ins import DICE, PERFECT

from dtbench.harness.stats.distributions import NORMAL
from dtbench.harness.stats.looks import chances_of_rounds

COUNT = 300


@pytest.fixture(autouse=True)
def _baseline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    audible_data(tmp_path / "data", COUNT)
    done = call("run", "--model", "first", "--tasks", "mmar", "--data-dir", "data", "--out", "base")
    assert done.code == 0


def gated(*options: str) -> Done:
    return call("gate", "--baseline", "base", "--candidate", "candidate", "--until", "decided", *options)


def found(done: Done) -> dict[str, Any]:
    about: dict[str, Any] = json.loads(done.out)
    return about


def test_a_clear_verdict_stops_the_questions_early(tmp_path: Path) -> None:
    done = gated("--model", PERFECT, "--json")
    about = found(done)
    assert about["verdict"] == "passed"
    assert about["asked"] < about["of"] == COUNT
    assert len(list(records(tmp_path / "candidate"))) == about["asked"]


def test_an_oracle_is_refused_after_the_first_round() -> None:
    done = gated("--model", "echo-gold", "--json")
    assert done.code == 2
    assert done.err.splitlines()[-1].startswith("error: --candidate candidate: echo-gold is an oracle: ")


def test_what_is_not_clear_is_asked_to_the_end_and_goes_on_where_it_was(tmp_path: Path) -> None:
    about = found(gated("--model", DICE, "--max-drop", "1", "--json"))
    assert about["asked"] == about["of"]
    assert about["verdict"] in {"undecided", "passed", "regressed"}
    again = found(gated("--max-drop", "1", "--json"))
    assert (again["asked"], again["verdict"]) == (about["asked"], about["verdict"])
    assert len(list(records(tmp_path / "candidate"))) == COUNT


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ((), "there is no run yet; name the model with --model"),
        (("--history", "."), "--until and --history cannot be combined"),
        (("--model", "first", "--candidate", "base"), "--model first: base is a run already; leave --model out"),
    ],
)
def test_what_cannot_be_asked_is_one_line(options: tuple[str, ...], complaint: str) -> None:
    assert complaint in gated(*options).refusal()


def test_the_rounds_together_take_no_more_than_alpha() -> None:
    parts = (0.2, 0.4, 0.6, 0.8, 1.0)
    chances = chances_of_rounds(0.05, parts)
    assert list(chances) == sorted(chances)
    assert 0.035 < chances[-1] < 0.05
    dice, steps, wrong = random.Random(1), 5, 0
    limits = [NORMAL.inv_cdf(1 - chance) for chance in chances]
    for _ in range(20_000):
        total = 0.0
        for number in range(steps):
            total += dice.gauss(0, 1)
            if total / (number + 1) ** 0.5 > limits[number]:
                wrong += 1
                break
    assert wrong / 20_000 == pytest.approx(0.05, abs=0.006)
