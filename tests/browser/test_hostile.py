"""What may be written to make a page do its bidding is shown by it, and nothing of it runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from browser import PHONE, Browser
from command import call
from reported import HOSTILE, run_that_says
from small_data import mmar_items, write_json

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report whose questions, options, groups, answers, errors, settings and names are all hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    items = mmar_items(2 * len(HOSTILE))
    for number, item in enumerate(items):
        text = HOSTILE[number % len(HOSTILE)].encode("utf-8", "replace").decode()
        item["id"] = f"{number} {text[:80]}"
        item["question"] = text
        item["choices"] = [f"{text[:500]} {letter}" for letter in "ab"]
        item["answer"] = item["choices"][0]
    write_json(folder / "data" / "MMAR-meta.jsonl", items)
    runs = [run_that_says(folder / name, folder / "data", texts) for name, texts in RUNS.items()]
    done = call("report", *runs, "--out", folder / "report.html")
    assert done.code == 0, done
    return folder / "report.html"


RUNS = {"one": HOSTILE, "two": HOSTILE[::-1]}


@pytest.mark.parametrize("width", [1280, PHONE[0]])
def test_no_hostile_text_runs_loads_or_breaks_anything(browser: Browser, page: Path, width: int) -> None:
    browser.size(width, 844)
    browser.open(page)
    for key in ("o", "i", "s"):
        browser.press(key)
        assert browser.run("document.documentElement.scrollWidth") == width
    if width == PHONE[0]:
        browser.click(".row")
    for _ in range(2 * len(HOSTILE)):
        browser.press("j")
        assert browser.run(
            "document.getElementById('detail').scrollWidth <= document.getElementById('detail').clientWidth"
        )
    assert browser.run("window.hacked") is None
    assert (
        browser.run(
            "document.querySelectorAll('iframe, object, embed, base, a[href], img, meta[http-equiv=refresh]').length"
        )
        == 0
    )
    assert (
        browser.run(
            "[...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames()).filter(n => n.startsWith('on'))"
        )
        == []
    )
    assert browser.problems == []
    assert {url.partition("#")[0] for url in browser.asked if not url.startswith("about:")} == {page.as_uri()}


def test_hostile_text_is_shown_to_the_letter(browser: Browser, page: Path) -> None:
    browser.open(page, "#view=samples")
    browser.search("</script><script>window.hacked = 1")
    assert "</script><script>window.hacked = 1</script>" in browser.text("#detail .question")
    assert "</script><script>window.hacked = 1</script>" in browser.text("#detail .response")


def test_signs_that_turn_the_text_around_are_named(browser: Browser, page: Path) -> None:
    browser.open(page, "#view=samples")
    browser.search("gnp.exe")
    assert "\u27e8U+202E\u27e9gnp.exe reversed \u27e8U+2066\u27e9" in browser.text("#detail")
    assert "\u202e" not in browser.run(
        "document.body.textContent.replace(document.getElementById('first').textContent, '')"
    )


def test_the_policy_stops_even_a_script_that_got_in(browser: Browser, page: Path) -> None:
    browser.open(page)
    attack = (
        "<script>window.hacked = 7</script><img src=x onerror='window.hacked = 8'>"
        "<a id=l href='javascript:window.hacked=9'>"
    )
    browser.run(f"document.body.insertAdjacentHTML('beforeend', {json.dumps(attack)})")
    browser.run(
        "(s => { s.textContent = 'window.hacked = 10'; document.body.append(s) })(document.createElement('script'))"
    )
    browser.click("#l")
    browser.run("new Promise(done => setTimeout(done, 100))")
    assert browser.run("window.hacked") is None
    assert any("Content Security Policy" in problem for problem in browser.problems), browser.problems
