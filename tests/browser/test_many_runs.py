"""A report of many runs in a real browser: matrix, history, a baseline of one's choice, order, address, all answers."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser import PHONE, Browser
from command import call
from made_up_run import write_run
from reported import audible, chained, samples

pytestmark = pytest.mark.browser
RUNS = 6
NAMES = [f"night {number}" for number in range(1, RUNS + 1)]


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Six runs over 90 questions, a day apart."""
    folder = tmp_path_factory.mktemp("nights")
    data = audible(folder / "data", 90, 0)
    runs = [folder / f"night-{number}" for number in range(RUNS)]
    for number, run in enumerate(runs):
        write_run(run, {"mmar": data}, chained(number, 0.35 + 0.1 * number))
        info = json.loads((run / "run.json").read_text())
        (run / "run.json").write_text(json.dumps(info | {"start": f"2026-03-0{number + 1}T02:00:00+00:00"}))
    return runs


@pytest.fixture(scope="module")
def page(nights: list[Path]) -> Path:
    """Their report."""
    out = nights[0].parent / "report.html"
    labels = [part for name in NAMES for part in ("--label", name)]
    done = call("report", *nights, *labels, "--clips", "none", "--out", out)
    assert done.code == 0, done
    return out


def rows(browser: Browser, table: str) -> list[list[str]]:
    """The texts of a table's cells."""
    script = "[...document.querySelectorAll({} + ' tbody tr')].map(row => [...row.cells].map(cell => cell.innerText))"
    return [list(row) for row in browser.run(script.format(json.dumps(table)))]


def listed(browser: Browser) -> list[str]:
    """The ids of the rows in the document, from the top."""
    browser.run("(list => { list.scrollTop = 0; list.onscroll() })(document.getElementById('list'))")
    found = browser.run("[...document.querySelectorAll('#list .row')].map(row => row.innerText)")
    return [str(re.search(r"made-up-\d+_\S+", row)[0]) for row in found]  # type: ignore[index]


def scored(runs: list[Path]) -> list[Any]:
    return [json.loads(call("score", run, "--json").out)[0] for run in runs]


def test_the_matrix_has_each_run_with_its_intervals_and_the_best_in_bold(
    browser: Browser, page: Path, nights: list[Path]
) -> None:
    browser.open(page)
    lines = rows(browser, "table.matrix")
    for line, name, summary in zip(lines, NAMES, scored(nights), strict=True):
        assert name in line[0]
        official = summary["official"]
        assert line[1].startswith(f"{100 * official['accuracy']:.1f}")
        assert f"{100 * official['low']:.1f} to {100 * official['high']:.1f}" in line[1]
        for value, part in official["groups"]["category"].items():
            assert any(cell.startswith(f"{100 * part['accuracy']:.1f}") for cell in line[1:]), value
    best = max(summary["official"]["accuracy"] for summary in scored(nights))
    bold = browser.run("[...document.querySelectorAll('table.matrix td:nth-child(2) .best')].map(b => b.innerText)")
    assert bold == [f"{100 * best:.1f}"]
    assert browser.problems == []


def test_the_matrix_is_sorted_by_any_of_its_columns(browser: Browser, page: Path) -> None:
    browser.open(page)
    head = "document.querySelectorAll('table.matrix thead button')[1]"
    shares = []
    for _ in range(2):
        browser.run(f"{head}.click()")
        shares.append([float(line[1].split()[0]) for line in rows(browser, "table.matrix")])
    assert shares[0] == sorted(shares[0], reverse=True)
    assert shares[1] == sorted(shares[1])
    assert browser.run("document.querySelector('th[aria-sort=ascending]').innerText").startswith("All")


def test_any_run_can_be_the_baseline_and_the_figures_are_those_of_compare(
    browser: Browser, page: Path, nights: list[Path]
) -> None:
    for base in (0, 3):
        others = [run for run in nights if run != nights[base]]
        compared = json.loads(call("compare", nights[base], *others, "--json").out)
        browser.open(page)
        browser.choose("Baseline", str(base))
        lines = rows(browser, "table.compared")
        assert len(lines) == RUNS - 1
        for line, one in zip(lines, compared, strict=True):
            assert line[1] == f"{100 * one['difference']:+.1f}".replace("-", "\u2212")
            assert line[4:6] == [str(one["better"]), str(one["worse"])]
            assert float(line[3]) == pytest.approx(one["p_adjusted"], rel=1e-2)
    assert "base=4" in browser.run("location.hash")


def test_a_number_of_the_comparison_leads_to_its_questions(browser: Browser, page: Path, nights: list[Path]) -> None:
    (one,) = json.loads(call("compare", nights[0], nights[5], "--json").out)
    browser.open(page)
    browser.run(
        "[...document.querySelectorAll('table.compared tbody tr')].at(-1).querySelectorAll('button')[1].click()"
    )
    assert browser.text("#found") == f"{one['worse']} of 90"
    assert set(listed(browser)) <= {flip["id"] for flip in one["lost"]}


def test_runs_stand_at_their_dates(browser: Browser, page: Path, nights: list[Path]) -> None:
    browser.open(page)
    browser.until("document.querySelectorAll('.history-point').length === 6")
    titles = browser.run("[...document.querySelectorAll('.history-point title')].map(one => one.textContent)")
    for number, (title, summary) in enumerate(zip(titles, scored(nights), strict=True), 1):
        assert f"night {number}, 2026-03-0{number}: {100 * summary['official']['accuracy']:.2f} %" in title
    across = browser.run("[...document.querySelectorAll('.history-point circle')].map(one => +one.getAttribute('cx'))")
    steps = [after - before for before, after in itertools.pairwise(across)]
    assert steps == pytest.approx([steps[0]] * 5, abs=0.5)
    assert "6 runs, 2026-03-01 to 2026-03-06" in browser.text("#subtitle")


def test_an_address_shows_the_same_questions_in_the_same_order(browser: Browser, page: Path) -> None:
    browser.open(page, "#view=samples")
    browser.choose("any outcome", "wrong")
    browser.choose("in any run", "1")
    browser.choose("any modality", "music")
    browser.choose("Order", "chain")
    browser.run("document.querySelector('[aria-label=\"Turn the order around\"]').click()")
    browser.search("bright hum")
    browser.press("Escape")
    browser.search("bright hum")
    for label, value in (("any outcome", "wrong"), ("in any run", "1"), ("any modality", "music")):
        browser.choose(label, value)
    browser.run("document.querySelectorAll('.row')[2].click()")
    before = (browser.text("#found"), listed(browser), browser.text("#detail .id"))
    address = browser.run("location.hash")
    assert {"run=2", "state=wrong", "in.modality=music", "search=bright+hum"} <= {*address.removeprefix("#").split("&")}
    browser.open(page, address)
    assert (browser.text("#found"), listed(browser), browser.text("#detail .id")) == before
    browser.open(page)
    browser.run(f"location.hash = {json.dumps(address)}")
    browser.until("document.body.dataset.view === 'samples'")
    assert (browser.text("#found"), listed(browser), browser.text("#detail .id")) == before
    assert browser.run("document.querySelector('[aria-label=\"any outcome\"]').value") == "wrong"


def test_an_address_that_makes_no_sense_shows_what_there_is(browser: Browser, page: Path) -> None:
    browser.open(page, "#view=nowhere&run=99&base=x&task=none&id=gone&in.nothing=at+all&sort=-verdict:77&state=odd&%%%")
    assert browser.problems == []
    browser.press("s")
    assert browser.text("#found") == "0 of 90"
    browser.press("x")
    assert browser.text("#found") == "90 questions"


def test_the_list_is_sorted_by_any_column(browser: Browser, page: Path) -> None:
    (questions,) = samples(page)["tasks"]

    def mean(row: Any, name: str) -> float:
        values: list[float] = [one[name] for run in row["runs"] for one in run if one[name] == one[name]]
        return sum(values) / len(values)

    places = {row["id"]: place for place, row in enumerate(questions)}
    right = {row["id"]: [[one["official"] for one in run] for run in row["runs"]] for row in questions}
    by_column: dict[str, Callable[[Any], float]] = {
        "id": lambda row: int(row["id"].split("_")[0].split("-")[-1]),
        "chain": lambda row: mean(row, "chain"),
        "tokens": lambda row: mean(row, "tokens"),
        "changes": lambda row: sum(
            run[0] != right[row["id"]][0][0]
            for run, states in zip(right[row["id"]], row["runs"], strict=True)
            if states[0]["state"] != "failed" and row["runs"][0][0]["state"] != "failed"
        ),
    }
    browser.open(page, "#view=samples")
    for name, key in by_column.items():
        browser.choose("Order", name)
        wanted = [row["id"] for row in sorted(questions, key=lambda row: (key(row), places[row["id"]]))]
        shown = listed(browser)
        assert len(shown) > 10
        assert shown == wanted[: len(shown)], name
        assert f"sort={name}" in browser.run("location.hash")
    browser.choose("Order", "verdict:2")
    first = listed(browser)[0]
    assert {one["state"] for row in questions if row["id"] == first for one in row["runs"][1]} == {"failed"}


def test_each_question_has_the_answers_of_all_runs_and_any_of_them_in_full(browser: Browser, page: Path) -> None:
    (questions,) = samples(page)["tasks"]
    browser.open(page, "#view=samples&sort=data")
    lines = rows(browser, "#detail table.runs")
    for line, name, run in zip(lines, NAMES, questions[0]["runs"], strict=True):
        assert name in line[0]
        assert run[0]["state"] in line[1]
        assert line[2] == (run[0].get("choice") or "\u2013")
    browser.run("document.querySelectorAll('.open-run').forEach(one => one.ariaPressed === 'true' && one.click())")
    browser.run("document.querySelectorAll('.open-run')[4].click()")
    browser.settle()
    text = "".join(piece[2] for piece in questions[0]["runs"][4][0]["pieces"])
    assert browser.run("document.querySelectorAll('#detail .said').length") == 1
    assert "".join(browser.text("#detail .said .answer").split()).count("".join(text.split())[:200]) == 1
    browser.press("j")
    assert "night 5" in browser.text("#detail .said h3"), "what was opened stays open"
    marks = browser.run("document.querySelector('.row .strip').getAttribute('aria-label')")
    assert marks == f"{sum(run[0]['state'] == 'right' for run in questions[0]['runs'])} of 6 right"


def test_words_of_any_run_are_found(browser: Browser, page: Path) -> None:
    (questions,) = samples(page)["tasks"]
    wanted = "rings rings"
    texts = {
        row["id"]: ["".join(piece[2] for piece in one.get("pieces", [])) for run in row["runs"] for one in run]
        for row in questions
    }
    both = [
        id_ for id_, own in texts.items() if all(any(word in text.lower() for text in own) for word in wanted.split())
    ]
    browser.open(page, "#view=samples")
    browser.search(wanted)
    assert browser.text("#found") == f"{len(both)} of 90" if len(both) < 90 else "90 questions"
    browser.search("made-up-7_ cannot tell")
    cut = any("cannot tell" in text for text in texts["made-up-7_00-00-07_00-00-17"])
    assert browser.text("#found") == f"{int(cut)} of 90"


@pytest.mark.parametrize("view", ["overview", "samples", "settings"])
def test_many_runs_fit_on_a_phone(browser: Browser, page: Path, view: str) -> None:
    browser.size(*PHONE)
    browser.open(page, f"#view={view}")
    assert browser.run("document.documentElement.scrollWidth") == PHONE[0]
    if view == "samples":
        browser.click(".row")
        assert browser.run("document.getElementById('detail').scrollWidth") <= PHONE[0]
