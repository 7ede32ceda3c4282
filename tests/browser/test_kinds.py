"""Reports of runs of every kind in a real browser: several tasks, several answers, forced ones, withheld ones, none."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from browser import Browser
from chat_server import Asked, Turn, chatting
from command import call
from made_up_run import write_run
from reported import audible, chained
from runs import audible_data
from small_data import mmau_json_folder, mmau_test_json

from dtbench.harness.run.plan import PromptForm

pytestmark = pytest.mark.browser


def reported(run: Path, *options: str | Path) -> Path:
    done = call("report", run, *options)
    assert done.code == 0, done
    return run / "report.html"


def test_a_run_of_several_tasks_has_a_view_for_each(browser: Browser, tmp_path: Path) -> None:
    mmau_json_folder(tmp_path / "mmau")
    data = {"mmar": audible(tmp_path / "mmar", 20, 0), "mmau-mini": tmp_path / "mmau"}
    write_run(tmp_path / "run", data, lambda sample, _: sample.choices[0])
    page = reported(tmp_path / "run")
    browser.open(page, "#view=samples")
    assert browser.text("#found") == "20 questions"
    browser.run("(s => { s.value = 1; s.dispatchEvent(new Event('change')) })(document.getElementById('task'))")
    assert browser.text("#found") == "6 questions"
    assert "MMAU" in browser.text("#subtitle")
    address = browser.run("location.hash")
    browser.open(page, address)
    assert browser.text("#found") == "6 questions"
    browser.press("o")
    assert "By difficulty" in browser.text("#view-overview")
    assert browser.problems == []


def test_every_one_of_several_answers_is_shown(browser: Browser, tmp_path: Path) -> None:
    data = audible(tmp_path / "data", 40, 0)
    write_run(tmp_path / "run", {"mmar": data}, chained(3, 0.6), repeats=3)
    page = reported(tmp_path / "run")
    (summary,) = json.loads(call("score", tmp_path / "run", "--json").out)
    browser.open(page, "#view=samples")
    assert browser.run("document.querySelectorAll('#detail .answer').length") == 3
    assert "answer 3" in browser.text("#detail")
    browser.press("o")
    shown = browser.text("#view-overview")
    assert f"majority {100 * summary['repeats']['majority']['accuracy']:.1f} %" in shown
    assert f"{100 * summary['clustered']['official']['low']:.1f} to " in shown, "by clip, since answers hang together"


def test_forced_answers_are_shown_with_the_share_of_each_option(browser: Browser, tmp_path: Path) -> None:
    def held(asked: Asked) -> Turn:
        shares = {"A": 0.6, "B": 0.3, "C": 0.08, "D": 0.02}
        return Turn("A", tokens=[{letter: math.log(share) for letter, share in shares.items()}], finish_reason="length")

    audible_data(tmp_path / "data", 12)
    with chatting(choose=held) as chat:
        asked = ("run", "--model", chat.url, "--tasks", "mmar", "--data-dir", tmp_path / "data", "--answer", "forced")
        assert call(*asked, "--out", tmp_path / "run").code == 0
    browser.open(reported(tmp_path / "run"), "#view=samples")
    assert browser.text("#detail .shares").split() == [
        "A",
        "60.0",
        "%",
        "B",
        "30.0",
        "%",
        "C",
        "8.0",
        "%",
        "D",
        "2.0",
        "%",
    ]
    browser.press("o")
    assert "Calibration of forced answers" in browser.text("#view-overview")


def test_where_answers_are_withheld_no_number_is_made_up(browser: Browser, tmp_path: Path) -> None:
    mmau_test_json(tmp_path / "data")
    write_run(tmp_path / "run", {"mmau-test": tmp_path / "data"}, lambda sample, _: sample.choices[0])
    browser.open(reported(tmp_path / "run"))
    shown = browser.text("#view-overview")
    assert "none" in shown
    assert "the authors withhold the answers" in shown.lower()
    assert "%" not in browser.text(".score")
    browser.press("s")
    assert "wrong" not in browser.text("#detail")
    assert browser.problems == []


def test_a_run_where_all_failed_says_so(browser: Browser, tmp_path: Path) -> None:
    data = audible(tmp_path / "data", 20, 0)
    write_run(tmp_path / "run", {"mmar": data}, lambda sample, _: None)
    browser.open(reported(tmp_path / "run"))
    shown = browser.text("#view-overview")
    assert "20 failed" in shown
    assert "model: the endpoint answered 503" in shown
    assert "no answer could be extracted from any response, so there is no accuracy" in shown.lower()
    browser.press("s")
    assert "the endpoint answered 503" in browser.text("#detail")
    assert browser.problems == []


def test_what_makes_two_runs_unequal_is_said_above_all_numbers(browser: Browser, tmp_path: Path) -> None:
    data = audible(tmp_path / "data", 30, 0)
    for name, form in (("one", PromptForm()), ("two", PromptForm(permute=1, answer="think"))):
        write_run(tmp_path / name, {"mmar": data}, chained(1, 0.6), form=form)
    browser.open(reported(tmp_path / "one", tmp_path / "two"))
    first = browser.text("#view-overview .notes p")
    assert first == "The runs differ in prompt: " + first.partition(": ")[2]
    assert "The difference in score is not due to the models alone." in first
    assert browser.run("getComputedStyle(document.querySelector('.notes p')).fontWeight") == "600"


def test_what_moves_the_score_is_a_table_of_its_own(browser: Browser, tmp_path: Path) -> None:
    data = audible(tmp_path / "data", 40, 0)
    write_run(tmp_path / "run", {"mmar": data}, lambda sample, _: sample.choices[0])
    for turns in (1, 2):
        form = PromptForm(permute=turns)
        write_run(tmp_path / "run" / f"permute-{turns}", {"mmar": data}, lambda sample, _: "(A)", form=form)
    page = reported(tmp_path / "run")
    browser.open(page)
    shown = browser.text("#view-overview")
    (figures,) = json.loads(call("score", tmp_path / "run", "--json").out)[0]["robustness"]
    assert "What moves the score" in shown
    assert "--permute (2 runs)" in shown
    assert f"{100 * figures['consistency']:.1f}" in shown
    assert browser.problems == []
