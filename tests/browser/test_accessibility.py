"""The report is looked over by axe-core in every view, in the light and in the dark, on a desk and on a phone."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from browser import DESK, PHONE, Browser
from command import call
from made_up_run import write_run
from reported import audible, chained

pytestmark = pytest.mark.browser
_FOUND = (
    "axe.run(document, {resultTypes: ['violations']}).then(found => found.violations.map(one =>"
    " ({rule: one.id, impact: one.impact, where: one.nodes.map(node => node.target.join(' ')).slice(0, 3)})))"
)


@pytest.fixture(scope="module")
def axe() -> str:
    """The script of axe-core."""
    package = find_spec("axe_core_python")
    if package is None or package.origin is None:
        pytest.skip("axe-core is not installed: pip install axe-core-python, or `make setup`")
    return (Path(package.origin).parent / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of five runs, the questions of which can be heard in part."""
    folder = tmp_path_factory.mktemp("five")
    data = audible(folder / "data", 40, 4)
    runs = [folder / f"run-{number}" for number in range(5)]
    for number, run in enumerate(runs):
        write_run(run, {"mmar": data}, chained(number, 0.5))
    assert call("report", *runs, "--out", folder / "report.html").code == 0
    return folder / "report.html"


def violations(browser: Browser, axe: str) -> list[Any]:
    browser.settle()
    browser.run(f"{axe}; 0")
    return list(browser.run(_FOUND))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("view", ["overview", "samples", "settings"])
def test_a_report_of_many_runs_has_nothing_that_axe_complains_of(
    browser: Browser, many: Path, axe: str, view: str, dark: bool
) -> None:
    browser.size(*DESK)
    browser.dark(wanted=dark)
    browser.open(many, f"#view={view}")
    assert violations(browser, axe) == []


@pytest.mark.parametrize("view", ["overview", "samples"])
def test_a_report_of_two_runs_has_nothing_that_axe_complains_of_on_a_phone(
    browser: Browser, two: Path, axe: str, view: str
) -> None:
    browser.size(*PHONE)
    browser.open(two, f"#view={view}")
    assert violations(browser, axe) == []
