"""`dtbench view` in a real browser, while a real run goes on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from browser import PHONE, READY, Browser
from chat_server import answering_in_steps
from reported import two_runs
from runs import PATIENCE, audible_data, lines_of, started, wait_until
from viewed import viewing

pytestmark = pytest.mark.browser
COUNT = 40


def lines(browser: Browser) -> list[str]:
    """The names of the runs, from the first line down."""
    return list(
        browser.run("[...document.querySelectorAll('#lines td.name')].map((one) => one.innerText.split('\\n')[0])")
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two runs at their end, and a damaged one."""
    two_runs(tmp_path / "runs", 60, 3)
    (tmp_path / "runs" / "broken").mkdir()
    (tmp_path / "runs" / "broken" / "run.json").write_text("{")
    return tmp_path / "runs"


def test_runs_are_listed_sorted_searched_and_chosen(browser: Browser, folder: Path) -> None:
    with viewing(folder) as viewed:
        browser.visit(viewed.url)
        assert sorted(lines(browser)) == ["broken", "first", "second"]
        assert "broken/run.json: not JSON" in browser.text("#lines")
        browser.click("[data-sort=score]")
        assert lines(browser) == ["second", "first", "broken"]
        browser.click("[data-sort=score]")
        assert lines(browser) == ["broken", "first", "second"]
        assert browser.run("document.querySelector('th[aria-sort=ascending]').innerText") == "Score, % \u2191"
        browser.search("sec don")
        assert lines(browser) == ["second"]
        browser.search("")
        browser.run("document.querySelectorAll('#lines input:not(:disabled)').forEach((one) => one.click())")
        assert browser.text("#open") == "Report of 2 runs"
        browser.click("#open")
        browser.until(f"location.pathname === '/report' && {READY}")
        assert browser.run("document.querySelectorAll('section.score').length") == 2
        assert browser.problems == []
        browser.size(*PHONE)
        browser.visit(viewed.url)
        assert browser.run("document.documentElement.scrollWidth") == PHONE[0]


def test_list_and_report_follow_a_run_that_goes_on(browser: Browser, folder: Path, tmp_path: Path) -> None:
    audible_data(tmp_path / "data", COUNT)
    options = ("--tasks", "mmar", "--data-dir", tmp_path / "data", "--concurrency", "1", "--out", folder / "live")
    with (
        answering_in_steps() as (url, may_answer),
        viewing(folder) as viewed,
        started("--model", url, *options) as run,
    ):
        may_answer.release(4)
        wait_until(lambda: lines_of(folder / "live") > 2)
        browser.visit(viewed.url)
        browser.until("document.querySelector('#lines').innerText.includes('running')")
        progress = "Number(document.querySelector('#lines progress[value]:not([value=\"60\"])').value)"
        seen = browser.run(progress)
        may_answer.release(8)
        browser.until(f"{progress} > {seen}")
        browser.visit(f"{viewed.url}report?run=live#view=samples&state=wrong")
        question = browser.text("#detail .id")
        begun = shown(browser)
        may_answer.release(COUNT)
        browser.until(f"Number(document.querySelector('#found').innerText.match(/\\d+/)[0]) > {begun}")
        assert browser.run("new URLSearchParams(location.hash.slice(1)).get('state')") == "wrong", "filters stay"
        assert browser.text("#detail .id") == question, "and so does the question"
        assert run.wait(PATIENCE) == 0
        browser.press("o")
        browser.until("!document.querySelector('#view-overview').innerText.includes('not asked')")
        assert re.search(r"\b40\b", browser.text("section.score"))
        assert browser.problems == []
        assert all(url.startswith((viewed.url, "about:", "data:")) for url in browser.asked), browser.asked


def test_a_clip_that_is_served_plays_and_has_a_spectrogram(browser: Browser, folder: Path) -> None:
    with viewing(folder) as viewed:
        browser.visit(f"{viewed.url}report?run=first#view=samples&search=made-up-2_")
        browser.until("document.querySelector('#detail .frame') && !document.querySelector('#detail .frame').hidden")
        assert browser.run("Math.abs(document.querySelector('#detail audio').duration - 0.6) < 0.1")
        browser.press(" ")
        browser.until("document.querySelector('#detail audio').currentTime > 0")
        assert browser.problems == []


def shown(browser: Browser) -> int:
    """How many questions are found."""
    found = re.search(r"\d+", browser.text("#found"))
    assert found is not None
    return int(found[0])
