"""docs/claims-tables.md is what the small results say, and docs/claims.md takes its figures from there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dtbench.training.claims.__main__ import main
from dtbench.training.recipe.claims import MEANS

DOCS = Path(__file__).parents[2] / "docs"
TABLES, PAGE = DOCS / "claims-tables.md", DOCS / "claims.md"
FIGURE = re.compile(r"[+-]?\d+\.\d+(?: ± \d+\.\d+)?")


def test_the_page_of_tables_is_what_the_small_results_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = tmp_path / "made.md"
    assert main(["--page", str(made), "--out", str(tmp_path / "out")]) == 0
    assert f"page {made}" in capsys.readouterr().err
    assert made.read_text() == TABLES.read_text(), 'make claims CLAIMS="--page docs/claims-tables.md" makes it anew'


def test_every_figure_of_what_came_out_stands_in_the_tables() -> None:
    told = PAGE.read_text().partition("## What came out")[2]
    shown = {figure for line in told.splitlines() if line.startswith("| ") for figure in FIGURE.findall(line)}
    assert len(shown) > 20
    assert shown <= set(FIGURE.findall(TABLES.read_text()))


def test_no_interval_of_a_share_reaches_beyond_what_a_difference_can_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--table", "--json", "--out", str(tmp_path / "out")]) == 0
    shares = [one for one in json.loads(capsys.readouterr().out) if one["measure"] not in MEANS and one["low"]]
    assert len(shares) > 10
    assert [one["name"] for one in shares if not -1 <= one["low"] <= one["difference"] <= one["high"] <= 1] == []


@pytest.mark.parametrize("place", ["", "none/page.md"])
def test_a_page_that_cannot_be_written_is_one_line(
    place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--page", str(tmp_path / place), "--out", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("dtbench: --page ")
