"""docs/frames.md: its commands and its Python work as shown, and its table has the columns that there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pages import DOCS, blocks, shell

from dtbench.harness.frames.columns import BEHIND, FIXED, RUBRIC
from dtbench.harness.frames.runs import COLUMNS

PAGE = (DOCS / "frames.md").read_text(encoding="utf-8")


def test_every_line_of_the_page_runs_and_shows_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for commands in blocks(PAGE, "sh"):
        shell(commands, tmp_path)
    names: dict[str, Any] = {}
    for code in blocks(PAGE, "python"):
        exec(compile(code, "docs/frames.md", "exec"), names)
    assert len(names["samples"]) == 120
    assert 0 < len(names["wrong"]) < 80
    assert names["table"].num_rows == 80
    assert (tmp_path / "samples.parquet").is_file()
    assert len(names["flips"]) == names["comparison"]["better"] + names["comparison"]["worse"] > 0
    assert "official_low" in capsys.readouterr().out


def test_the_table_of_the_page_has_every_column_in_order() -> None:
    cells = re.findall(r"^\| (`\w+`|one for each group) \|", PAGE, re.MULTILINE)
    shown = [cell.strip("`") for cell in cells if not cell.strip("`").startswith(RUBRIC)]
    assert [cell for cell in shown if not cell.startswith("mark")] == [*FIXED, "one for each group", *BEHIND]
    assert [cell for cell in shown if cell.startswith("mark")] == ["mark", "mark_SCORER"]


def test_the_page_names_every_column_of_runs() -> None:
    part = PAGE.partition("## runs_df, summary_df")[2]
    named = {*re.findall(r"`(\w+)`", part)}
    assert {name for name in COLUMNS if not name.endswith(("_low", "_high"))} <= named
