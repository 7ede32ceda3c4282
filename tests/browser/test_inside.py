"""The report's section on what probes found, in a real browser."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from browser import Browser
from command import call
from made_up_probes import write_probes
from made_up_run import write_run
from small_data import mmar_items, write_json

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inside")
    write_json(folder / "data" / "MMAR-meta.jsonl", mmar_items(4))
    write_run(folder / "run", {"mmar": folder / "data"}, lambda sample, repeat: sample.answer or "")
    write_probes(folder / "run" / "probe")
    return folder / "run"


def test_each_probe_is_shown_with_its_null(browser: Browser, run: Path) -> None:
    done = call("report", run, "--clips", "none")
    assert done.code == 0, done
    browser.open(run / "report.html")
    shown = "[...document.querySelectorAll('#view-inside .card')].map(card => card.querySelector('h2').textContent)"
    assert browser.run(shown) == [
        "Lens: base",
        "Lens: tuned",
        "Weights: base \u2192 tuned",
        "States: weights of B in A",
    ]
    rows = browser.run(
        "[...document.querySelectorAll('#view-inside .card')].map(card => "
        "[...card.querySelectorAll('tbody tr')].map(row => [...row.cells].map(cell => cell.textContent)))"
    )
    assert rows[0][0] == ["Words for what is heard", "90", "100.0", "1", "", "0.8", "0.02", "2"]
    assert [row[1] for row in rows[1][1:]] == ["0.2 (3)", "0.5 (2)", "0.9 (1)"]
    assert rows[2] == [["router", "4.00e-5", "50.0", "0.01", "1 / 60", "signal"]]
    assert rows[3][-1] == ["experts", "2", "70.0", "0.6 to 0.8", "70.0"]
    notes = browser.run("[...document.querySelectorAll('#view-inside .card-head .note')].map(one => one.textContent)")
    assert "Steps without a direction give an rms of 3.00e-5." in notes[2]
    assert browser.problems == []


def test_a_control_has_its_columns_and_cards(browser: Browser, run: Path) -> None:
    write_probes(run / "probe", control=True)
    done = call("report", run, "--clips", "none")
    write_probes(run / "probe")
    assert done.code == 0, done
    browser.open(run / "report.html")
    shown = "[...document.querySelectorAll('#view-inside .card')].map(card => card.querySelector('h2').textContent)"
    assert browser.run(shown)[2:5] == [
        "Lens of the control: random",
        "Weights: base \u2192 tuned",
        "Weights of the control: base \u2192 random",
    ]
    rows = browser.run(
        "[...document.querySelectorAll('#view-inside .card')].map(card => "
        "[...card.querySelectorAll('tbody tr')].map(row => [...row.cells].map(cell => cell.textContent)))"
    )
    assert rows[3] == [["router", "4.00e-5", "4.00e-6", "50.0", "0.01", "1 / 60", "signal"]]
    assert rows[5][-1] == ["experts", "2", "70.0", "0.6 to 0.8", "7.0", "0.06 to 0.08", "70.0"]
    assert browser.problems == []


def test_a_file_that_no_probe_wrote_is_named(run: Path) -> None:
    path = run / "probe" / "lens.json"
    kept = path.read_text()
    path.write_text(json.dumps({"kind": "lens"}))
    line = call("report", run, "--clips", "none").refusal()
    assert f"{path}: not what `dtbench probe lens` writes (KeyError('checkpoints'))" in line
    path.write_text(kept)
