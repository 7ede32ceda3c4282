"""The report's section on reasoning that was changed, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import Browser
from chain_reasoners import BY_ID, believe, reference_answer
from command import call
from made_up_run import write_run

from dtbench.harness.core.schema import Sample
from dtbench.harness.faithful.options import FaithfulOptions
from dtbench.harness.faithful.session import run_faithful
from dtbench.harness.run.live_line import LiveLine
from dtbench.harness.run.plan import PromptForm
from dtbench.models import from_function

pytestmark = pytest.mark.browser


def test_each_change_has_its_rates_and_an_example_shows_what_was_changed(browser: Browser, tmp_path: Path) -> None:
    ids = list(BY_ID)[:6]

    def says(sample: Sample, repeat: int) -> str | None:
        return reference_answer(sample) if sample.id in ids else None

    run = tmp_path / "run"
    write_run(run, {"mini": tmp_path / "data"}, says, form=PromptForm(answer="think"))
    run_faithful(FaithfulOptions(run=run, model_object=from_function(believe)), LiveLine(quiet=True))
    assert call("report", run, "--clips", "none").code == 0
    browser.open(run / "report.html")
    browser.run("document.querySelector('#tab-reasoning').click()")
    rows = browser.run(
        "[...document.querySelectorAll('#view-reasoning table')].map(table => "
        "[...table.querySelectorAll('tbody tr')].map(row => [...row.cells].map(cell => cell.textContent)))"
    )
    assert rows[0][0] == ["control", "6", "\u2013", "100.0 61.0 to 100.0", "0.0", "0", "100.0"]
    assert rows[0][1][0] == "description"
    assert rows[0][1][2].startswith("100.0 ")
    change, _, given, wrote, led, answer = rows[-1][0]
    assert change.startswith("description")
    assert given.startswith("<think> i hear first")
    target = led.split(" \u2192 ")[1]
    assert answer == f"{target}followed"
    assert wrote.split()[-1] == target
    marked = browser.run("document.querySelector('#view-reasoning mark').textContent")
    assert given.endswith(marked)
    assert browser.problems == []
