"""What judges marked in a real browser: in the list, to filter and sort by, and beside the item's own reference."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import Browser
from chat_server import chatting
from command import call
from judges import chain_of, honest, mmar_with_criteria
from made_up_run import number_of, write_run

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run whose chains meet none to all of five criteria, and of one that was not judged."""
    folder = tmp_path_factory.mktemp("judged")
    mmar_with_criteria(folder / "data", 12)
    write_run(folder / "run", {"mmar": folder / "data"}, lambda sample, _: chain_of(sample, number_of(sample) % 6))
    write_run(folder / "other", {"mmar": folder / "data"}, lambda sample, _: chain_of(sample, 2))
    with chatting(choose=honest) as chat:
        assert call("judge", folder / "run", "--model", "tiny", "--base-url", chat.url).code == 0
    assert call("report", folder / "run", folder / "other", "--clips", "none").code == 0
    return folder / "run" / "report.html"


def test_rubric_scores_stand_in_the_list_and_sort_it(browser: Browser, page: Path) -> None:
    browser.open(page, "#view=samples&sort=rubric")
    scores = browser.run("[...document.querySelectorAll('.row .value')].map(one => one.innerText)")
    assert scores == [f"rubric {score}, \u2013 %" for score in (0, 0, 20, 20, 40, 40, 60, 60, 80, 80, 100, 100)]
    browser.run("document.querySelector('[aria-label=\"Turn the order around\"]').click()")
    assert "sort=-rubric" in browser.run("location.hash")
    assert browser.run("document.querySelector('.row .value').innerText") == "rubric 100, \u2013 %"
    assert browser.problems == []


def test_questions_are_filtered_by_their_rubric_score(browser: Browser, page: Path) -> None:
    browser.open(page, "#view=samples")
    for value, count in (("zero", 2), ("low", 4), ("half", 4), ("all", 2)):
        browser.choose("any rubric score", value)
        assert browser.text("#found") == f"{count} of 12"
    browser.choose("in any run", "1")
    assert browser.text("#found") == "0 of 12"
    browser.choose("any rubric score", "none")
    assert browser.text("#found") == "12 questions"


def test_marks_stand_beside_the_reference_of_the_item(browser: Browser, page: Path) -> None:
    browser.open(page, "#view=samples&search=made-up-3_")
    shown = browser.text("#detail")
    assert "Judge tiny: 3 of 5 criteria met (60 %)" in shown
    assert "its words are there" in shown
    assert "Point 4: Says in scene 3 that a car leaves" in browser.text("#detail .reference")
    assert "In scene 3 a door opens and more." in browser.text("#detail .reference")
    marks = browser.run("[...document.querySelectorAll('#detail .judged li')].map(one => one.className)")
    assert marks == ["met", "met", "met", "unmet", "unmet"]


def test_the_prompt_is_shown_as_it_was_sent(browser: Browser, page: Path) -> None:
    browser.open(page, "#view=samples&search=made-up-3_")
    browser.run("document.querySelector('#detail .prompt').open = true")
    prompt = browser.text("#detail .prompt")
    assert "What is heard,\nin scene 3?\n(A) the sea" in prompt
    assert "Answer with one of the options only" in prompt
