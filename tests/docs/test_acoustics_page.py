"""docs/acoustics.md: its commands work as shown, and its table has the columns that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path

from pages import DOCS, blocks, shell

from dtbench.harness.acoustics.columns import COLUMNS

PAGE = (DOCS / "acoustics.md").read_text(encoding="utf-8")


def test_the_commands_of_the_page_work_as_shown(tmp_path: Path) -> None:
    (commands,) = blocks(PAGE, "sh")
    printed = shell(commands, tmp_path, DTBENCH_ACOUSTICS=str(tmp_path / "cache"))
    assert "Trends of the strict score" in printed
    (task,) = json.loads((tmp_path / "by-sound.json").read_text())
    assert task["acoustics"]["clips"] == 24
    assert '"acoustic_change"' in (tmp_path / "runs" / "random" / "report.html").read_text()
    assert len(list((tmp_path / "cache").rglob("*.json"))) == 24


def test_the_table_of_the_page_has_every_column() -> None:
    first_cells = re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)
    assert [name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)] == list(COLUMNS)
