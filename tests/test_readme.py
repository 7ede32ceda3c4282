"""README.md: its commands work as shown and print what it shows, and the links of all pages of the repository hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from journeys import not_printed, unmarked, walk

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
FOLDERS = ("docs", "harness", "models", "tasks", "training", "results")
PAGES = [
    *ROOT.glob("*.md"),
    *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md") if "runs" not in page.parts),
]


def test_the_commands_of_the_readme_work_and_print_what_it_shows(tmp_path: Path) -> None:
    done = walk(README, tmp_path)
    assert not_printed(README, done.out + done.err) == []


def test_what_is_not_executed_says_what_it_needs() -> None:
    assert unmarked(README) == []


def test_the_readme_is_read_at_a_sitting() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 120


def test_the_tree_of_the_readme_is_the_tree_on_disk() -> None:
    named = set(re.findall(r"^\| `(\w+)/` \|", README.read_text(encoding="utf-8"), re.MULTILINE))
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    assert named == folders - {"build", "dist"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []
