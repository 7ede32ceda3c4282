"""What a report shows of what papers print beside accuracy, in a real browser."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from browser import PHONE, Browser
from command import call
from made_up_run import write_run
from small_data import mmar_items, write_json

pytestmark = pytest.mark.browser


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Three answers a question; the first option is right, and the script cannot be satisfied by one question."""
    items = mmar_items(60)
    items[0] |= {"choices": ["...", "a bell"], "answer": "..."}
    write_json(tmp_path / "data" / "MMAR-meta.jsonl", items)
    data = {"mmar": tmp_path / "data"}
    write_run(tmp_path / "run", data, lambda sample, repeat: sample.choices[repeat == 2], repeats=3)
    return tmp_path / "run"


def opened(browser: Browser, *runs: Path) -> str:
    assert call("report", *runs, "--clips", "none").code == 0
    browser.open(runs[0] / "report.html")
    assert browser.problems == []
    return browser.text("#view-overview")


def test_figures_and_letters_are_those_of_score(browser: Browser, run: Path) -> None:
    (found,) = json.loads(call("score", run, "--json").out)
    shown = opened(browser, run)
    assert re.search(r"official ceiling\s+98.3 \(60 questions\)", shown)
    chance = found["chance_corrected"]["chance"]
    assert re.search(rf"chance level\s+{100 * chance:.1f}", shown)
    majority = found["majority_at"]["3"]
    assert re.search(rf"majority@3 \(0.0 % ties, as wrong\)\s+{100 * majority['value']:.1f}", shown)
    for part in found["by_letter"]:
        assert f"{part['options']} options, {part['n']} answers" in shown
    assert re.search(r"A\s+100.0\s+66.7\s+66.7", shown)


def test_headings_without_a_table_of_the_script_can_be_opened(browser: Browser, run: Path) -> None:
    opened(browser, run)
    browser.run(
        "[...document.querySelectorAll('details')].find((one) => one.innerText.includes('By language')).open = true"
    )
    assert re.search(r"en\s+\d+\.\d\s+\d+\.\d to \d+\.\d\s+\d+", browser.text("#view-overview"))


def test_two_runs_stand_side_by_side_and_fit_on_a_phone(browser: Browser, run: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write_run(other, {"mmar": tmp_path / "data"}, lambda sample, _: sample.choices[0], repeats=3)
    browser.size(*PHONE)
    shown = opened(browser, run, other)
    assert "Figures that papers print" in shown
    for place in (1, 2):
        assert f"Run {place}: 4 options, 60 answers" in shown
    assert browser.run("document.documentElement.scrollWidth <= window.innerWidth")
