"""What a report shows of the evidence that its answers rest on, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import levelled
import pytest
from browser import PHONE, Browser
from command import call
from runs import write_script

pytestmark = pytest.mark.browser
DETAIL = "#detail"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """The report of a run that counts what is stated or chosen."""
    script, run = write_script(tmp_path / "script", levelled.texts()), tmp_path / "run"
    task = Path(levelled.__file__)
    assert call("run", *script, "--task-file", task, "--out", run, "--min-evidence", "chosen").code == 0
    assert call("report", run, "--clips", "none").code == 0
    return run / "report.html"


def test_each_level_is_a_line_that_leads_to_its_answers(browser: Browser, page: Path) -> None:
    browser.open(page)
    shown = browser.text("#view-overview")
    for level, (n, right) in levelled.COUNTS.items():
        counts = "counted" if level in ("stated", "chosen") else "set aside"
        assert re.search(rf"{level}\s+{counts}\s+{n}\s+{right}\s+{100 * right / n:.1f}", shown), (level, shown)
    browser.run("[...document.querySelectorAll('table.levels button')][2].click()")
    assert browser.text("#found") == "4 of 22"
    assert "set aside: a bell" in browser.text(DETAIL)
    assert "evidence: concluded" in browser.text(DETAIL)
    assert browser.problems == []


def test_answers_are_filtered_by_their_level(browser: Browser, page: Path) -> None:
    browser.open(page, "#view=samples")
    browser.choose("any evidence", "inferred")
    assert browser.text("#found") == "3 of 22"
    browser.choose("any outcome", "right")
    assert browser.text("#found") == "0 of 22"


def test_the_levels_fit_on_a_phone(browser: Browser, page: Path) -> None:
    browser.size(*PHONE)
    browser.open(page)
    assert "Evidence for the answers" in browser.text("#view-overview")
    assert browser.run("document.documentElement.scrollWidth <= window.innerWidth")
