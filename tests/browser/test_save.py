"""What can be taken out of a report in a real browser: cards as SVG and PNG, tables as CSV and on the clipboard."""

from __future__ import annotations

import base64
import csv
import io
import json
import shutil
import struct
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from browser import Browser
from command import call
from reported import audible, run_that_says

pytestmark = pytest.mark.browser
SVG = "{http://www.w3.org/2000/svg}"
CARD = "[...document.querySelectorAll('section.card')].find((one) => one.querySelector('h2').innerText === {})"
FORMULA = '=HYPERLINK("http://x","click")'


def saved(browser: Browser, folder: Path, card: str, label: str) -> Path:
    """The file that a button of a card's menu downloads."""
    browser.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    before = set(folder.iterdir())
    press(browser, card, label)
    patience = time.monotonic() + 60
    while not (new := [one for one in set(folder.iterdir()) - before if one.suffix != ".crdownload"]):
        assert time.monotonic() < patience, f"{label} of {card} saved nothing; {browser.problems}"
        time.sleep(0.02)
    return new[0]


def press(browser: Browser, card: str, label: str) -> None:
    """Open a card's menu, and press a button of it."""
    find = f"{CARD.format(json.dumps(card))}.querySelector('.save')"
    browser.run(f"{find}.open = true")
    button = f"[...{find}.querySelectorAll('button')].find((one) => one.innerText === {json.dumps(label)})"
    browser.until(f"!!{button}")
    browser.run(f"{button}.click()")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "saved").mkdir()
    return tmp_path / "saved"


@pytest.mark.parametrize("dark", [False, True])
def test_a_card_is_saved_as_an_svg_of_text_and_shapes(browser: Browser, two: Path, folder: Path, dark: bool) -> None:
    browser.dark(wanted=dark)
    browser.open(two)
    path = saved(browser, folder, "By category", "SVG")
    assert path.name == "mmar-by-category.svg"
    root = ElementTree.parse(path).getroot()
    assert {one.tag for one in root.iter()} <= {SVG + tag for tag in ("svg", "g", "title", "rect", "line", "text")}
    texts = [one.text or "" for one in root.iter(SVG + "text")]
    shown = browser.run(f"{CARD.format(json.dumps('By category'))}.querySelector('.groups').innerText").split("\n")
    words = " ".join(texts)
    assert all(one in words for one in shown)
    assert texts[-1].startswith("By category \u00b7 made up")
    assert "class=" not in path.read_text()
    assert "var(" not in path.read_text()
    assert "system-ui" in root.attrib["font-family"]
    back = next(root.iter(SVG + "rect")).attrib["fill"]
    assert back == browser.run("getComputedStyle(document.body).backgroundColor")
    assert browser.problems == []


def test_a_card_is_saved_as_a_png_twice_as_large_as_it_is_seen(browser: Browser, two: Path, folder: Path) -> None:
    browser.open(two)
    title = "Accuracy by length of reasoning, %"
    root = ElementTree.parse(saved(browser, folder, title, "SVG")).getroot()
    assert len([*root.iter(SVG + "circle")]) == 16
    data = saved(browser, folder, title, "PNG").read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", data[16:24]) == (2 * int(root.attrib["width"]), 2 * int(root.attrib["height"]))
    source = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    colours = browser.run(
        "(async (image) => { await image.decode(); const canvas = document.createElement('canvas');"
        " [canvas.width, canvas.height] = [image.width, image.height]; const pen = canvas.getContext('2d');"
        " pen.drawImage(image, 0, 0); const pixels = pen.getImageData(0, 0, image.width, image.height).data;"
        " const found = new Set(); for (let at = 0; at < pixels.length; at += 4)"
        " found.add(pixels.slice(at, at + 3).join()); return [...found] })"
        f"(Object.assign(new Image(), {{ src: {json.dumps(source)} }}))"
    )
    assert {"42,93,159", "168,80,15"} <= set(colours), "the points of both runs"
    assert browser.problems == []


def test_tables_are_saved_as_csv_with_the_numbers_that_are_shown(
    browser: Browser, two: Path, runs: tuple[Path, Path], folder: Path
) -> None:
    browser.open(two)
    path = saved(browser, folder, "By category", "CSV")
    titles, *lines = csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig")))
    assert titles == ["Group", "Run", "Official score, %", "95 % interval", "n"]
    (summary,) = json.loads(call("score", runs[1], "--json").out)
    for value, part in summary["official"]["groups"]["category"].items():
        (line,) = [one for one in lines if one[:2] == [value, "Run 2"]]
        assert line[2] == f"{100 * part['accuracy']:.1f}"
    assert sum(int(one[4]) for one in lines if one[1] == "Run 2") == summary["official"]["counted"]
    cost = saved(browser, folder, "Cost", "CSV")
    tokens = f"{summary['tokens']['in']:,}, {summary['tokens']['out']:,}"
    rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(cost.read_text(encoding="utf-8-sig")))}
    assert rows["input, output tokens"][1] == tokens
    assert browser.problems == []


def test_the_matrix_of_runs_is_saved_with_a_line_for_each(
    browser: Browser, runs: tuple[Path, Path], folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(runs[0], tmp_path / "third")
    assert call("report", *runs, tmp_path / "third", "--clips", "none", "--out", tmp_path / "report.html").code == 0
    browser.open(tmp_path / "report.html")
    path = saved(browser, folder, "Runs by groups", "CSV")
    titles, *lines = csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig")))
    assert titles[:2] == ["Run", "All"]
    (summary,) = json.loads(call("score", runs[0], "--json").out)
    official = summary["official"]
    low, high = (100 * official[name] for name in ("low", "high"))
    assert lines[0][0].startswith("Run 1 \u00b7 made up (")
    assert lines[0][1].startswith(f"{100 * official['accuracy']:.1f} {low:.1f} to {high:.1f}")
    assert lines[2][1:] == lines[0][1:]


def test_what_would_be_a_formula_is_a_text_in_the_table(browser: Browser, tmp_path: Path, folder: Path) -> None:
    data = audible(tmp_path / "data", 20, 0)
    run_that_says(tmp_path / "run", data, [FORMULA])
    assert call("report", tmp_path / "run").code == 0
    browser.open(tmp_path / "run" / "report.html")
    path = saved(browser, folder, "How answers were extracted", "CSV")
    _, (rule, answers, _) = csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig")))
    assert (rule, answers) == (f"'{FORMULA}", "17")


def test_a_table_is_copied_to_the_clipboard(browser: Browser, one: Path) -> None:
    browser.open(one)
    browser.call(
        "Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"], origin="file://"
    )
    press(browser, "By category", "Copy table")
    status = f"{CARD.format(json.dumps('By category'))}.querySelector('[role=status]').innerText"
    browser.until(f"{status} === 'Copied'")
    text = browser.run("navigator.clipboard.readText()")
    assert text.splitlines()[0].split("\t") == ["Group", "Official score, %", "95 % interval", "n"]
    assert len(text.splitlines()) == 5, "a line for each layer, and the titles"


def test_the_menu_is_reached_by_keys_and_closes_with_escape(browser: Browser, one: Path) -> None:
    browser.open(one)
    menu = f"{CARD.format(json.dumps('By category'))}.querySelector('.save')"
    browser.run(f"{menu}.querySelector('summary').focus()")
    assert browser.run("document.activeElement.getAttribute('aria-label')") == "Save By category"
    browser.run(f"{menu}.open = true")
    browser.press("Tab")
    assert browser.run("document.activeElement.innerText") == "SVG"
    browser.press("Escape")
    assert browser.run(f"{menu}.open") is False
    assert browser.run("document.activeElement.tagName") == "SUMMARY"
