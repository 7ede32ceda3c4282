from __future__ import annotations

from pathlib import Path

import pytest
from browser import Browser

import dtbench

pytestmark = pytest.mark.browser
HOSTILE = "<img src=x onerror='document.title=1'>"
CONTRAST = """(() => {
  const light = (colour) => {
    const parts = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255);
    const linear = parts.map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const card = getComputedStyle(document.querySelector(".dtb .card")).backgroundColor;
  return [...document.querySelectorAll(".dtb h2, .dtb p, .dtb td, .dtb .note, .dtb summary")].map((element) => {
    const [low, high] = [light(getComputedStyle(element).color), light(card)].sort((one, other) => one - other);
    return (high + 0.05) / (low + 0.05);
  });
})()"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_cards_are_readable_in_each_theme_of_a_notebook(browser: Browser, tmp_path: Path, theme: str) -> None:
    row = {"question": "?", "choices": [HOSTILE, "b"], "answer": HOSTILE, "kind": HOSTILE}
    rows = [{"id": str(number), **row} for number in range(8)]
    task = dtbench.Task.of(rows, name="own", groups=["kind"], columns={"audio": None})
    runs = [dtbench.run(lambda choices, at=at: choices[at], task, out=tmp_path / f"run{at}") for at in (0, 1)]
    cards = runs[0]._repr_html_() + dtbench.compare(*runs)._repr_html_() + dtbench.gate(runs[1], runs[0])._repr_html_()
    page = tmp_path / "notebook.html"
    body = f'<body data-jp-theme-light="{"true" if theme == "light" else "false"}">{cards}</body>'
    page.write_text(f"<!doctype html><meta charset=utf-8><title>cards</title>{body}", encoding="utf-8")
    browser.dark(wanted=theme == "light")  # the system's theme is the other one
    browser.visit(page.as_uri(), ready="document.readyState === 'complete' && document.title === 'cards'")
    ratios = browser.run(CONTRAST)
    assert len(ratios) > 20
    assert min(ratios) >= 4.5
    assert browser.run("document.querySelectorAll('.dtb img').length") == 0
    assert HOSTILE in browser.text(".dtb")
