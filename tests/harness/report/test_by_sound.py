"""`dtbench report --acoustics`: groups by sound, the trend of each run, and of its gain over the first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from command import call
from noisy_run import deafened_run, noisy_clips
from reported import first

from dtbench.harness.acoustics.columns import MEASURES
from dtbench.harness.store.comparison_types import ComparisonAmongSeveral

QUESTIONS = 60


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("by sound")
    data = noisy_clips(folder / "data", QUESTIONS)
    deafened_run(folder / "deaf", data, below_db=20)
    deafened_run(folder / "better", data, below_db=5)
    return folder


@pytest.fixture(autouse=True)
def cache(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DTBENCH_ACOUSTICS", str(world / "cache"))


def shown(world: Path, *runs: str) -> dict[str, Any]:
    page = world / "page.html"
    done = call("report", *(world / run for run in runs), "--acoustics", "--clips", "none", "--out", page)
    assert done.code == 0, done.err
    (task,) = first(page)["tasks"]
    return dict(task)


def test_one_run_has_the_figures_that_score_prints(world: Path) -> None:
    (run,) = shown(world, "deaf")["runs"]
    (summary,) = json.loads(call("score", world / "deaf", "--acoustics", "--json").out)
    assert run["acoustics"] == summary["acoustics"]
    assert run["acoustics"]["measures"]["snr_db"]["trend"]["p_adjusted"] < 0.01
    assert "acoustic_change" not in run


def test_groups_by_sound_stand_beside_the_others_and_are_the_same_in_all_runs(world: Path) -> None:
    task = shown(world, "deaf", "better")
    assert "snr_db" in task["headings"]
    assert "duration_s" not in task["headings"]  # all are of one length
    assert not set(MEASURES) & set(task["runs"][0]["by_group"])  # figures of the script are what they were
    words = [list(run["acoustics"]["measures"]["snr_db"]["groups"]) for run in task["runs"]]
    assert words[0] == words[1]
    assert len(words[0]) == 4


def test_where_the_second_run_gains_is_a_trend_of_its_own(world: Path) -> None:
    plain, gained = shown(world, "deaf", "better")["runs"]
    assert "acoustic_change" not in plain
    change = gained["acoustic_change"]
    assert change["questions"] == QUESTIONS
    trends = change["measures"]
    assert trends["duration_s"] is None
    assert trends["snr_db"]["p_adjusted"] >= trends["snr_db"]["p"]
    same = shown(world, "better", "deaf")["runs"][1]["acoustic_change"]["measures"]
    assert same["snr_db"]["slope"] == pytest.approx(-trends["snr_db"]["slope"])


def test_compare_says_the_same_of_the_gain(world: Path) -> None:
    runs = (world / "deaf", world / "better")
    (comparison,) = json.loads(call("compare", *runs, "--acoustics", "--json").out)
    msgspec.convert(comparison, ComparisonAmongSeveral)
    assert comparison["acoustics"] == shown(world, "deaf", "better")["runs"][1]["acoustic_change"]
    printed = call("compare", *runs, "--acoustics")
    assert printed.code == 0, printed.err
    lines = [line.split() for line in printed.out.splitlines()]
    assert any(line[:1] == ["snr_db"] and len(line) == 8 for line in lines)
    assert "acoustics" not in call("compare", *runs, "--json").out


def test_without_the_option_nothing_is_measured(world: Path) -> None:
    page = world / "plain.html"
    assert call("report", world / "deaf", "--clips", "none", "--out", page).code == 0
    (task,) = first(page)["tasks"]
    assert "acoustics" not in task["runs"][0]
    assert "snr_db" not in task["headings"]
