"""docs/journeys/nightly.md: baseline, candidate, gate, sweep, and the step of a workflow."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from chat_server import chatting
from journeys import ROOT, Walked, page, unmarked, walk
from listeners import listener
from runs import audible_data

from dtbench.harness.stats.power import power_of_passing

PAGE = page("nightly")
QUESTIONS = 200


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    audible_data(folder / "mmar", QUESTIONS)
    return folder


def night(folder: Path, data: Path, deaf_to: int) -> Walked:
    """Walk the page with a baseline that hears, and a candidate that does not hear one clip in so many."""
    with (
        chatting(choose=listener(), models=("base",)) as base,
        chatting(choose=listener(deaf_in=deaf_to), models=("candidate",)) as candidate,
    ):
        return walk(PAGE, folder, BASE=base.url, CANDIDATE=candidate.url, TASKS="mmar", DTBENCH_DATA=str(data))


def test_a_candidate_as_good_passes(data: Path, tmp_path: Path) -> None:
    walked = night(tmp_path, data, 0)
    assert "gate: exit" not in walked.out
    assert json.loads((tmp_path / "gate.json").read_text())["verdict"] == "passed"
    assert "passed" in (tmp_path / "gate.md").read_text()
    assert ElementTree.parse(tmp_path / "gate.xml").getroot().get("failures") == "0"
    assert (tmp_path / "runs" / "next-baseline" / "summary.json").exists()
    assert len(list((tmp_path / "runs" / "sweep").glob("*/summary.json"))) == 2


def test_a_worse_candidate_is_red_with_exit_1(data: Path, tmp_path: Path) -> None:
    walked = night(tmp_path, data, 3)
    assert "gate: exit 1" in walked.out
    assert ElementTree.parse(tmp_path / "gate.xml").getroot().get("failures") == "1"
    assert "regressed" in (tmp_path / "gate.md").read_text()


def test_the_table_of_drops_is_what_the_gate_says() -> None:
    drops, passes = (
        re.findall(r"\d+", line)
        for line in PAGE.read_text().splitlines()
        if re.match(r"\| (`--max-drop`|passes) \|", line)
    )
    assert [f"{100 * power_of_passing(1000, 0.16, int(drop) / 100, 0.05):.0f}" for drop in drops] == passes


def test_the_step_of_the_workflow_gives_the_action_what_it_takes() -> None:
    (found,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (step,) = yaml.safe_load(found)
    action: Any = yaml.safe_load((ROOT / "action.yml").read_text())
    assert set(step["with"]) <= set(action["inputs"])
    assert {name for name, about in action["inputs"].items() if about.get("required")} <= set(step["with"])


def test_what_is_not_executed_says_what_it_needs() -> None:
    assert unmarked(PAGE) == []
