from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pages import blocks, shell

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FOLDERS = ("docs", "harness", "models", "tasks", "training", "results")
PAGES = [
    *ROOT.glob("*.md"),
    *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md") if "runs" not in page.parts),
]
COMMANDS = blocks(README, "sh")


@pytest.mark.parametrize("commands", COMMANDS, ids=lambda text: text.strip().splitlines()[-1])
def test_the_commands_of_the_readme_work_as_shown(commands: str, tmp_path: Path) -> None:
    assert shell(commands, tmp_path).strip()


def test_the_readme_shows_commands() -> None:
    assert len(COMMANDS) >= 4


def test_the_figures_of_the_readme_are_those_that_are_printed(tmp_path: Path) -> None:
    dtbench = str(Path(sys.executable).with_name("dtbench"))
    shown = next(commands for commands in COMMANDS if "score --task mmar" in commands)
    subprocess.run(["bash", "-c", shown.partition("dtbench score")[0]], cwd=tmp_path, check=True)
    command = [dtbench, "score", "--task", "mmar", "--predictions", "predictions.jsonl"]
    printed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    for figure in ("33.33", "66.67", "20.77", "93.85"):
        assert figure in README
        assert figure in printed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []
