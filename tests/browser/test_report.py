"""The report in a real browser, opened from disk: what one sees, what keys and filters do, what a phone shows."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
from browser import PHONE, Browser
from command import call
from made_up_run import number_of, write_run
from reported import audible

pytestmark = pytest.mark.browser
DETAIL = "#detail"


def found(browser: Browser) -> int:
    """How many questions the list has."""
    (number, *_) = re.findall(r"[\d,]+", browser.text("#found"))
    return int(number.replace(",", ""))


def mel(hertz: float) -> float:
    """The pitch of a frequency as HTK defines it."""
    return 2595 * math.log10(1 + hertz / 700)


def assert_quiet(browser: Browser, page: Path) -> None:
    """Nothing was complained of, and nothing was asked for but the file."""
    assert browser.problems == []
    assert {url.partition("#")[0] for url in browser.asked if not url.startswith(("data:", "about:"))} == {
        page.as_uri()
    }


def test_the_first_view_shows_what_score_prints(browser: Browser, one: Path, runs: tuple[Path, Path]) -> None:
    (summary,) = json.loads(call("score", runs[0], "--json").out)
    browser.open(one)
    shown = browser.text("#view-overview")
    for kind in ("official", "strict"):
        part = summary[kind]
        assert f"{100 * part['accuracy']:.2f}" in shown
        assert f"{100 * part['low']:.1f} to {100 * part['high']:.1f}" in shown
    for value, part in summary["official"]["groups"]["category"].items():
        assert re.search(rf"{value}\s+{100 * part['accuracy']:.1f}", shown), (value, part)
    assert f"{summary['unanswered']} unanswered" in shown
    assert f"{summary['failed']} failed" in shown
    assert "the chain was cut off" in shown
    assert "Accuracy by length of reasoning" in shown
    assert browser.run("document.querySelectorAll('#view-overview .point').length") == 8
    assert_quiet(browser, one)


def test_a_number_of_the_first_view_leads_to_its_samples(browser: Browser, one: Path, runs: tuple[Path, Path]) -> None:
    (summary,) = json.loads(call("score", runs[0], "--json").out)
    browser.open(one)
    browser.run("[...document.querySelectorAll('button.count')].find(b => b.innerText.includes('unanswered')).click()")
    assert found(browser) == summary["unanswered"]
    assert "unanswered" in browser.text(DETAIL)
    assert "the chain was cut off" in browser.text(DETAIL)


def test_filters_and_search_narrow_the_list(browser: Browser, two: Path) -> None:
    browser.open(two, "#view=samples")
    assert found(browser) == 300
    browser.choose("any category", "Signal Layer")
    assert found(browser) == 75
    browser.search("made-up-4_ SCENE")
    assert found(browser) == 1
    assert "What is heard,\nin scene 4?" in browser.text(DETAIL)
    browser.search("no such words anywhere")
    assert found(browser) == 0
    assert "No matching questions" in browser.text("#list")
    browser.press("Escape")
    assert found(browser) == 300


def test_escape_clears_the_filters_also_from_within_the_search(browser: Browser, two: Path) -> None:
    browser.open(two, "#view=samples&state=wrong&search=nowhere")
    browser.run("document.getElementById('search').focus()")
    assert found(browser) == 0
    browser.press("Escape")
    assert found(browser) == 300
    assert browser.run("document.activeElement === document.body")


def test_the_official_and_the_strict_score_are_shown_twice_only_where_they_differ(
    browser: Browser, tmp_path: Path
) -> None:
    data = audible(tmp_path / "data", 20, 0)
    write_run(tmp_path / "alike", {"mmar": data}, lambda sample, _: sample.choices[0])
    failing = lambda sample, _: sample.answer if number_of(sample) % 5 else None  # noqa: E731
    write_run(tmp_path / "apart", {"mmar": data}, failing)
    for name, kinds in (("alike", ["accuracy"]), ("apart", ["official script", "strict scoring"])):
        assert call("report", tmp_path / name, "--clips", "none").code == 0
        browser.open(tmp_path / name / "report.html")
        shown = browser.run("[...document.querySelectorAll('.score .kind')].map(one => one.innerText)")
        (summary,) = json.loads(call("score", tmp_path / name, "--json").out)
        assert (summary["official"]["accuracy"] == summary["strict"]["accuracy"]) is (name == "alike")
        assert shown == kinds


def test_bars_have_an_axis_and_the_line_of_chance(browser: Browser, one: Path, runs: tuple[Path, Path]) -> None:
    (summary,) = json.loads(call("score", runs[0], "--json").out)
    chance = summary["chance_corrected"]["chance"]
    browser.open(one)
    assert f"line: chance, {100 * chance:.1f} %" in browser.text("#view-overview")
    lines = browser.run("[...document.querySelectorAll('.groups .bar .chance')].map(one => one.getAttribute('x1'))")
    assert {*lines} == {f"{100 * chance:.2f}%"}
    marks = browser.run("[...document.querySelector('.axis-row .bar-axis').children].map(one => one.innerText)")
    assert marks == ["0", "25", "50", "75", "100", "chance"]
    boxes = browser.run(
        "[...document.querySelector('.axis-row .bar-axis').children].map(one => one.getBoundingClientRect().toJSON())"
    )
    assert [
        (marks[place], marks[later])
        for place, one_box in enumerate(boxes)
        for later, other in enumerate(boxes[place + 1 :], place + 1)
        if one_box["left"] < other["right"] and other["left"] < one_box["right"]
        if one_box["top"] < other["bottom"] and other["top"] < one_box["bottom"]
    ] == []


def test_two_runs_stand_side_by_side_with_what_got_worse_first(
    browser: Browser, two: Path, runs: tuple[Path, Path]
) -> None:
    (compared,) = json.loads(call("compare", *runs, "--json").out)
    browser.open(two, "#view=samples")
    first = browser.run("[...document.querySelectorAll('.row')].slice(0, 10).map(row => row.innerText)")
    lost = {flip["id"] for flip in compared["lost"]}
    assert all(any(id_ in row for id_ in lost) for row in first)
    assert browser.run("document.querySelectorAll('#detail .said').length") == 2
    browser.press("f")
    assert found(browser) == compared["better"] + compared["worse"]
    browser.press("o")
    shown = browser.text("#view-overview")
    assert f"+{100 * compared['difference']:.1f}" in shown
    assert f"{compared['better']} better in run 2" in shown


def test_the_answer_that_was_read_is_marked_and_the_chain_folds(browser: Browser, one: Path) -> None:
    browser.open(one, "#view=samples")
    browser.choose("any outcome", "right")
    assert browser.text("#detail mark").startswith("Answer: ")
    gold = browser.text("#detail li.gold .words")
    assert browser.text("#detail mark") == f"Answer: {gold}"
    assert browser.run("document.querySelector('#detail details.chain').open") is True
    browser.press("c")
    assert browser.run("document.querySelector('#detail details.chain').open") is False


def test_keys_walk_through_the_questions_and_the_address_names_the_one_shown(browser: Browser, one: Path) -> None:
    browser.open(one, "#view=samples")
    first = browser.text("#detail .id")
    for key in ("j", "j", "k", "ArrowDown"):
        browser.press(key)
    third = browser.text("#detail .id")
    assert third != first
    assert browser.text("#detail .place") == "3 of 300"
    address = browser.run("location.hash")
    browser.open(one, address)
    assert browser.text("#detail .id") == third
    browser.press("/")
    browser.press("x")
    assert browser.run("document.activeElement.id") == "search"
    browser.press("Escape")
    browser.press("?")
    assert "next / previous question" in browser.text("#keys")
    browser.press("?")


def test_a_clip_plays_and_its_spectrogram_shows_its_pitch(browser: Browser, one: Path) -> None:
    browser.open(one, "#view=samples")
    browser.search("made-up-3_")  # a tone of 300 + 3 * 250 Hz
    browser.until("document.querySelector('#detail audio').readyState >= 1")
    assert browser.run("Math.abs(document.querySelector('#detail audio').duration - 0.6) < 0.15")
    browser.until("document.querySelector('#detail .frame') && !document.querySelector('#detail .frame').hidden")
    brightest = browser.run(
        "(c => { const p = c.getContext('2d').getImageData(c.width / 2, 0, 1, c.height).data;"
        " let best = 0; for (let y = 0; y < c.height; y++) if (p[4 * y] > p[4 * best]) best = y;"
        " return 1 - (best + 0.5) / c.height })(document.querySelector('#detail canvas'))"
    )
    lowest, highest = (mel(hertz) for hertz in (60, 8000))
    assert brightest == pytest.approx((mel(1050) - lowest) / (highest - lowest), abs=0.012)
    browser.press(" ")
    browser.until("document.querySelector('#detail audio').currentTime > 0")
    assert_quiet(browser, one)


def test_the_spectrogram_has_axes_and_is_sought_by_pointer_and_keys(browser: Browser, one: Path) -> None:
    browser.open(one, "#view=samples")
    browser.search("made-up-3_")
    browser.until("document.querySelector('#detail .frame') && !document.querySelector('#detail .frame').hidden")
    assert browser.text("#detail .picture").split("\n")[:6] == ["250 Hz", "500 Hz", "1 kHz", "2 kHz", "4 kHz", "8 kHz"]
    assert browser.text("#detail .seconds").split("\n")[:3] == ["0.0 s", "0.1", "0.2"]
    left, top, width, height = browser.run(
        "(b => [b.left, b.top, b.width, b.height])(document.querySelector('#detail canvas').getBoundingClientRect())"
    )
    where = {"x": left + width / 2, "y": top + height / 2}
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", **where)
    # Half the height is half the way in mel: 1,786 Hz.
    assert browser.text("#detail .readout").endswith(" Hz")
    read = float(browser.text("#detail .readout").partition(" s, ")[2].removesuffix(" Hz").replace(",", ""))
    assert mel(read) == pytest.approx((mel(60) + mel(8000)) / 2, rel=0.02)
    browser.call("Input.dispatchMouseEvent", type="mousePressed", button="left", buttons=1, clickCount=1, **where)
    second = "document.querySelector('#detail audio').currentTime / document.querySelector('#detail audio').duration"
    browser.until(f"Math.abs({second} - 0.5) < 0.02")
    browser.run("document.querySelector('#detail .picture').focus()")
    browser.press("Home")
    browser.until(f"{second} === 0")
    browser.press("ArrowRight")
    browser.until(f"{second} > 0")
    told = "document.querySelector('#detail .picture').getAttribute('aria-valuetext')"
    browser.until(f"{told}.startsWith('0.1')")
    assert re.fullmatch(r"0\.1\d of 0\.\d\d seconds", browser.run(told))
    assert_quiet(browser, one)


def test_linked_clips_play_from_their_files(browser: Browser, runs: tuple[Path, Path], tmp_path: Path) -> None:
    page = tmp_path / "linked.html"
    assert call("report", runs[0], "--clips", "link", "--out", page).code == 0
    browser.open(page, "#view=samples")
    browser.search("made-up-3_")
    browser.run("document.querySelector('#detail audio').preload = 'auto'")
    browser.until("document.querySelector('#detail audio').readyState >= 1")
    assert browser.run("Math.abs(document.querySelector('#detail audio').duration - 0.6) < 0.1")
    assert browser.problems == []


def test_light_and_dark_follow_the_system_and_the_switch(browser: Browser, one: Path) -> None:
    back = "getComputedStyle(document.body).backgroundColor"
    browser.open(one)
    light = browser.run(back)
    browser.dark(wanted=True)
    dark = browser.run(back)
    assert light != dark
    browser.press("t")
    assert browser.run(back) == light
    browser.press("t")
    assert browser.run(back) == dark
    browser.run("localStorage.clear()")


@pytest.mark.parametrize("view", ["overview", "samples", "settings"])
def test_a_phone_shows_everything_without_moving_sideways(browser: Browser, two: Path, view: str) -> None:
    browser.size(*PHONE)
    browser.open(two, f"#view={view}")
    wide = "document.documentElement.scrollWidth"
    assert browser.run(wide) == PHONE[0]
    if view != "samples":
        return
    browser.click(".row")
    assert browser.run("getComputedStyle(document.getElementById('detail')).position") == "fixed"
    assert browser.run("document.getElementById('detail').scrollWidth") <= PHONE[0]
    browser.press("Escape")
    assert browser.run("getComputedStyle(document.getElementById('detail')).display") == "none"
