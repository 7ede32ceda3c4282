"""The report of a training run in a real browser: stages, curves, and the first evaluation against the last."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from browser import PHONE, Browser
from command import call
from reported import trained

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training run of two stages."""
    return trained(tmp_path_factory.mktemp("training"))


@pytest.fixture(scope="module")
def page(folder: Path) -> Path:
    """Its report."""
    done = call("report", folder)
    assert done.code == 0, done
    return folder / "report.html"


def test_stages_are_shown_with_their_scores(browser: Browser, page: Path, folder: Path) -> None:
    browser.open(page)
    rows = browser.run(
        "[...document.querySelector('#view-training table').querySelectorAll('tbody tr')]"
        ".map(row => [...row.cells].map(cell => cell.innerText))"
    )
    runs = {
        "base": "base/eval",
        "base, as-trained": "base/eval-as-trained",
        "base, plainly": "base/eval-plainly",
        "stage-1": "stage-1/eval",
        "stage-2": "stage-2/eval",
        "stage-2, shuffled clips": "stage-2/eval/audio-shuffle",
    }
    assert [row[0] for row in rows] == ["base (best untrained)", *list(runs)[1:]]
    assert [row[1] for row in rows] == ["done", "\u2013", "\u2013", "done", "done", "\u2013"]
    for row, run in zip(rows, runs.values(), strict=True):
        (summary,) = json.loads(call("score", folder / run, "--json").out)
        assert f"{100 * summary['official']['accuracy']:.1f}" in row[3]
    assert [row[-2] for row in rows] == ["0.0", "\u2013", "\u2013", "\u2013", "95.0", "\u2013"]
    assert [row[-1] for row in rows] == ["\u2013", "\u2013", "\u2013", "\u2013", "2.5", "\u2013"]
    assert browser.problems == []


def test_each_stage_is_held_against_what_was_before_it(browser: Browser, page: Path) -> None:
    browser.open(page)
    shown = "[...document.querySelectorAll('#view-training table')[1].querySelectorAll('tbody td')]"
    cells = browser.run(f"{shown}.map(cell => cell.innerText)")
    assert cells == ["mmar", "base \u2192 stage-2", "+35.0", "+25.0 to +44.0", "1.50e-9", "80 / 10", "200"]


def test_every_number_that_was_logged_is_a_curve(browser: Browser, page: Path, folder: Path) -> None:
    browser.open(page)
    lines = [json.loads(line) for line in (folder / "stage-1" / "metrics.jsonl").read_text().splitlines()[:-1]]
    names = {name for line in lines for name, value in line.items() if isinstance(value, float)}
    shown = browser.run("[...document.querySelectorAll('figcaption span')].map(one => one.innerText)")
    assert set(shown) == names
    assert shown[0] == "reward"
    browser.until("document.querySelectorAll('#view-training figure path.line').length > 0")
    first, second = browser.run(
        "[...document.querySelector('figure').querySelectorAll('path.faint')].map(p => p.getAttribute('d'))"
    )
    assert first.count("L") == second.count("L") == 119
    end_of_first, begin_of_second = (
        float(path.split("L")[at].strip("M").split(",")[0]) for path, at in ((first, -1), (second, 0))
    )
    assert end_of_first < begin_of_second, "the second stage follows the first"
    assert browser.text("#view-training").count("1 line of its metrics cannot be read and is left out") == 2


def test_the_samples_are_those_of_the_first_and_the_last_evaluation(browser: Browser, page: Path) -> None:
    browser.open(page, "#view=samples")
    heads = browser.run("[...document.querySelectorAll('#detail .said > h3')].map(one => one.innerText)")
    assert [head.split()[-1] for head in heads] == ["base", "stage-2"]


def test_a_phone_shows_curves_without_moving_sideways(browser: Browser, page: Path) -> None:
    browser.size(*PHONE)
    browser.open(page)
    browser.until("document.querySelectorAll('#view-training figure path.line').length > 0")
    assert browser.run("document.documentElement.scrollWidth") == PHONE[0]


def test_a_training_run_without_evaluations_has_curves_alone(browser: Browser, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "run", ignore=shutil.ignore_patterns("eval*", "report.html"))
    assert call("report", tmp_path / "run").code == 0
    browser.open(tmp_path / "run" / "report.html")
    assert "No stage has been evaluated yet." in browser.text("#view-training")
    browser.press("o")
    assert browser.problems == []


def test_a_training_run_under_way_has_no_pairs_yet(browser: Browser, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "run", ignore=shutil.ignore_patterns("outcome.json", "report.html", "stage-2"))
    assert call("report", tmp_path / "run", "--clips", "none").code == 0
    browser.open(tmp_path / "run" / "report.html")
    assert browser.run("document.querySelectorAll('#view-training table').length") == 1
    assert browser.problems == []


WRONG = {
    "no json": (b"{", "train.json: not JSON"),
    "a list": (b"[]", "an object with `recipe` and `stages` is expected"),
    "a stage elsewhere": (b'{"stages": [{"name": "../x"}]}', "each with the name of a folder"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_broken_train_json_is_one_clear_line(name: str, tmp_path: Path) -> None:
    content, line = WRONG[name]
    (tmp_path / "train.json").write_bytes(content)
    assert line in call("report", tmp_path).refusal()


def test_a_training_run_is_not_put_beside_another(folder: Path) -> None:
    assert "a training is reported alone" in call("report", folder, folder).refusal()


def test_a_broken_outcome_is_one_clear_line(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "run", ignore=shutil.ignore_patterns("eval*"))
    (tmp_path / "run" / "outcome.json").write_text('{"rows": [{}]}')
    assert (
        "outcome.json: not the outcome of a training (KeyError('name'))" in call("report", tmp_path / "run").refusal()
    )
