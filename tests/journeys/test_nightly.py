"""docs/journeys/nightly.md: baseline, candidate, gate, sweep, and the step of a workflow."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml
from chat_server import chatting
from journeys import ROOT, Walked, page, unmarked, walk
from listeners import listener
from runs import audible_data

from dtbench.harness.compare.action_steps import words
from dtbench.harness.stats.looks import chance_of_each_look
from dtbench.harness.stats.power import power_of_passing

PAGE = page("nightly")


def night(folder: Path, questions: int, deaf_to: int) -> Walked:
    """Walk the page with a baseline that hears, and a candidate that does not hear one clip in so many."""
    data = folder / "data"
    audible_data(data / "mmar", questions)
    with (
        chatting(choose=listener(), models=("base",)) as base,
        chatting(choose=listener(deaf_in=deaf_to), models=("candidate",)) as candidate,
    ):
        return walk(PAGE, folder, BASE=base.url, CANDIDATE=candidate.url, TASKS="mmar", DTBENCH_DATA=str(data))


def test_a_candidate_as_good_passes(tmp_path: Path) -> None:
    walked = night(tmp_path, 200, 0)
    assert "gate: exit" not in walked.out
    assert "The candidate is not worse than the baseline by 4 points or more." in walked.out
    assert "passed" in (tmp_path / "gate.md").read_text()
    assert ElementTree.parse(tmp_path / "gate.xml").getroot().get("failures") == "0"
    assert len(list((tmp_path / "runs" / "nights").glob("*/summary.json"))) == 1
    assert json.loads((tmp_path / "runs" / "baseline" / "run.json").read_text())["request"]["samples"] == 8
    assert len(list((tmp_path / "runs" / "sweep").glob("*/summary.json"))) == 2


def test_a_worse_candidate_is_red_with_exit_1(tmp_path: Path) -> None:
    walked = night(tmp_path, 48, 3)
    assert "gate: exit 1" in walked.out
    assert ElementTree.parse(tmp_path / "gate.xml").getroot().get("failures") == "1"
    assert "regressed" in (tmp_path / "gate.md").read_text()


def test_the_table_of_drops_is_what_the_gate_says() -> None:
    """Of two single answers 16 in 100 differ; of the mean of some answers and of eight, less by their number."""
    rows = [line.strip("| ").split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines()]
    table = {row[0]: [re.findall(r"\d+", cell)[0] for cell in row[1:]] for row in rows if len(row) == 6}
    drops = [int(drop) / 100 for drop in table.pop("`--max-drop`")]
    flips, each = 0.16, chance_of_each_look(0.05, 30, 5, 8)
    expected = {
        "one run against another, once": (flips, 0.05),
        "first of 30 nights, against 8 answers": (flips / 2 * (1 + 1 / 8), each),
        "from the fifth night on": (flips / 2 * (1 / 5 + 1 / 8), each),
    }
    assert table == {
        name: [f"{100 * power_of_passing(1000, changes, drop, alpha):.0f}" for drop in drops]
        for name, (changes, alpha) in expected.items()
    }


def test_no_page_advises_to_take_the_last_pass_as_a_baseline() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert "next-baseline" not in text
    assert "Do not replace it with the last checkpoint that passed." in text


def test_the_exit_codes_are_those_of_the_gate() -> None:
    cells = [line.split("|") for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    named = {cell.strip() for row in cells for cell in row if re.fullmatch(r"\d+", cell.strip())}
    assert {"0", "1", "2", "3", "4", "130"} == named - {"5"}


def test_the_step_of_the_workflow_gives_the_action_what_it_takes() -> None:
    (found,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (step,) = yaml.safe_load(found)
    assert words("options", step["with"]["options"])[-1].startswith('extra={"chat_template_kwargs":')
    action: Any = yaml.safe_load((ROOT / "action.yml").read_text())
    assert set(step["with"]) <= set(action["inputs"])
    assert {name for name, about in action["inputs"].items() if about.get("required")} <= set(step["with"])


def test_what_is_not_executed_says_what_it_needs() -> None:
    assert unmarked(PAGE) == []
