"""The site of `make docs` in a browser, from disk: no host is asked, nothing fails, and the search finds."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import Browser

SITE = Path(__file__).resolve().parents[2] / "build" / "site"
SHOWN = ("index.html", "reference/commands.html", "house/models/index.html")
LOADED = "document.readyState === 'complete'"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (SITE / "index.html").is_file(), reason="the site is not built: make docs"),
]


def test_pages_open_from_disk_and_ask_no_host(browser: Browser) -> None:
    for name in SHOWN:
        browser.visit((SITE / name).as_uri(), LOADED)
        assert [url for url in browser.asked if not url.startswith(("file:", "data:", "about:"))] == []
        assert browser.problems == []
        assert browser.run("document.documentElement.scrollWidth <= innerWidth")


def test_the_search_finds_a_page_from_disk(browser: Browser) -> None:
    browser.visit((SITE / "glossary.html").as_uri(), LOADED)
    browser.run(
        "(i => { i.focus(); i.value = 'calibration'; i.dispatchEvent(new Event('input', {bubbles: true}));"
        " i.dispatchEvent(new KeyboardEvent('keyup', {bubbles: true})) })(document.querySelector('.md-search__input'))"
    )
    browser.until("document.querySelectorAll('.md-search-result__item').length > 0")
    assert browser.problems == []
