"""`dtbench score RUN --acoustics`: where a run fails, by sound."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from command import call
from noisy_run import deafened_run, noisy_clips

from dtbench.harness.acoustics.columns import MEASURES
from dtbench.harness.store.summary_types import TaskSummary

QUESTIONS = 60


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("noisy")
    deafened_run(folder / "run", noisy_clips(folder / "data", QUESTIONS), below_db=15)
    return folder


@pytest.fixture(autouse=True)
def cache(world: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DTBENCH_ACOUSTICS", str(world / "cache"))
    return world / "cache"


def by_sound(*arguments: str | Path) -> Mapping[str, Any]:
    done = call("score", *arguments, "--acoustics", "-j", "2", "--json")
    assert done.code == 0, done.err
    (found,) = json.loads(done.out)
    msgspec.convert(found, TaskSummary)
    return dict(found["acoustics"])


def test_a_run_that_fails_in_noise_is_found_out(world: Path) -> None:
    found = by_sound(world / "run")
    assert (found["clips"], found["failed"], list(found["measures"])) == (QUESTIONS // 2, {}, list(MEASURES))
    noise = found["measures"]["snr_db"]
    trend = noise["trend"]
    assert trend["clips"] == QUESTIONS // 2
    assert trend["p"] < trend["p_adjusted"] < 0.01
    assert trend["slope"] > 0.8
    assert trend["low"] > 0
    words = list(noise["groups"])
    assert len(words) == 4
    assert words[0].startswith("below ")
    assert words[-1].endswith(" and above")
    shares = [part["strict"]["accuracy"] for part in noise["groups"].values()]
    assert shares[0] == 0
    assert shares[-1] > 0.8
    assert sum(part["strict"]["n"] for part in noise["groups"].values()) == QUESTIONS


def test_clips_that_are_all_alike_in_something_have_one_group_and_no_trend(world: Path) -> None:
    length = by_sound(world / "run")["measures"]["duration_s"]
    assert (list(length["groups"]), length["trend"], length["unmeasured"]) == (["all"], None, 0)


def test_the_tables_are_printed(world: Path) -> None:
    done = call("score", world / "run", "--acoustics")
    assert done.code == 0, done.err
    lines = [line.split() for line in done.out.splitlines()]
    heading = lines.index(["snr_db"])
    assert lines[heading + 1][:1] == ["below"]
    assert any(line[:1] == ["snr_db"] and len(line) == 8 for line in lines)
    assert ["duration_s", "none"] in lines
    assert "acoustics" not in call("score", world / "run", "--json").out


def test_where_the_data_is_gone_the_cache_is_enough(world: Path) -> None:
    before = by_sound(world / "run")
    shutil.move(world / "data", world / "elsewhere")
    try:
        assert by_sound(world / "run") == before
        shutil.move(world / "cache", world / "other cache")
        gone = by_sound(world / "run")
        assert gone["failed"] == {"missing": QUESTIONS // 2}
        assert {measure["unmeasured"] for measure in gone["measures"].values()} == {QUESTIONS}
        note = call("score", world / "run", "--acoustics").err
        assert f"{QUESTIONS // 2} of {QUESTIONS // 2} clips could not be measured: {QUESTIONS // 2} missing" in note
    finally:
        shutil.move(world / "elsewhere", world / "data")


def test_it_is_of_runs_and_at_least_one_clip_is_measured_at_once(world: Path) -> None:
    refused = call("score", "--task", "mmar", "--predictions", world / "no.jsonl", "--acoustics").refusal()
    assert refused == "error: --acoustics: this option needs a run folder, not --predictions."
    assert "-j" in call("score", world / "run", "--acoustics", "-j", "0").refusal()
