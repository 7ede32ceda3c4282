"""docs/faithful.md: its task gives the edits that it says, and its table has every change."""

from __future__ import annotations

from pathlib import Path

from pages import DOCS, blocks, python

from dtbench.harness.faithful.options import INTERVENTION_NAMES

PAGE = (DOCS / "faithful.md").read_text(encoding="utf-8")


def test_the_task_of_the_page_edits_a_chain(tmp_path: Path) -> None:
    asked = 'print(*Birds().chain_edits({}, "I hear a crow, so crow.")[0], sep="|")'
    assert python(f"{blocks(PAGE, 'python')[0]}\n{asked}", tmp_path) == "description|I hear a jay|jay|I hear a crow\n"


def test_every_change_is_a_row_of_the_table() -> None:
    for name in INTERVENTION_NAMES:
        assert f"`{name}`" in PAGE or f"`{name.removeprefix('cut ')}`" in PAGE
