"""The card of accuracy by sound in a real browser: its trends, its groups, and the questions behind a group."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import Browser
from command import call
from noisy_run import deafened_run, noisy_clips

pytestmark = pytest.mark.browser
CARD = "[...document.querySelectorAll('#view-overview .card')].find((one) => one.innerText.startsWith('By sound'))"


def test_a_reader_sees_the_trends_and_goes_from_a_group_to_its_questions(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DTBENCH_ACOUSTICS", str(tmp_path / "cache"))
    data = noisy_clips(tmp_path / "data", 48)
    runs = [deafened_run(tmp_path / name, data, below_db=limit) for name, limit in (("deaf", 16), ("better", 4))]
    page = tmp_path / "report.html"
    done = call("report", *runs, "--acoustics", "--clips", "none", "--out", page)
    assert done.code == 0, done.err
    browser.open(page)
    shown = browser.run(f"{CARD}.innerText")
    assert "Run 1, points" in shown
    assert "Run 2 less run 1, points" in shown
    (line,) = (line for line in shown.splitlines() if line.startswith("snr_db\t"))
    assert line.count("adjusted p = ") == 3
    assert browser.run(f"{CARD}.querySelectorAll('b.better').length") >= 1
    assert "By duration_s" not in shown  # every clip is as long
    browser.run(
        f"(() => {{ const part = [...{CARD}.querySelectorAll('details')].find("
        "(one) => one.querySelector('summary').innerText === 'By snr_db');"
        "part.open = true; part.querySelector('button').click(); })()"
    )
    browser.settle()
    assert browser.text("#found").startswith("12 of 48")
    assert browser.problems == []
