"""docs/scorers.md: its tasks run as shown, a scorer of one's own works by module and by entry point."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import pytest
from pages import DOCS, blocks, python, shell

from dtbench import make_scorer
from dtbench.harness.core.scorer_names import SCORERS, find_scorer

PAGE = (DOCS / "scorers.md").read_text(encoding="utf-8")
IN_PYTHON, OWN = blocks(PAGE, "python")
TASK, OWN_SCORE, ENTRY_POINT = blocks(PAGE, "toml")
(QUESTIONS,) = blocks(PAGE, "json")
(COMMANDS,) = blocks(PAGE, "sh")


def test_open_questions_of_python_are_scored_as_shown(tmp_path: Path) -> None:
    assert python(IN_PYTHON, tmp_path).split()[-1] == "1.0"


def test_the_scorers_of_the_task_file_are_for_their_questions(tmp_path: Path) -> None:
    (tmp_path / "rings.toml").write_text(TASK)
    (tmp_path / "rings.jsonl").write_text(QUESTIONS)
    shell("dtbench run --model echo-gold --tasks rings.toml --out run", tmp_path)
    (task,) = json.loads(shell("dtbench score run --json", tmp_path))
    assert (task["official"]["accuracy"], task["official"]["counted"]) == (1.0, 2)
    assert {name: one["n"] for name, one in task["scorers"].items()} == {"number": 1, "exact": 2}


def test_a_scorer_of_ones_own_works_by_its_module(tmp_path: Path) -> None:
    (tmp_path / "bright.py").write_text(OWN)
    (tmp_path / "bright.toml").write_text(TASK.partition("[[score]]")[0] + OWN_SCORE)
    (tmp_path / "rings.jsonl").write_text(QUESTIONS)
    printed = shell(COMMANDS, tmp_path)
    assert "100.00% (2 of 2 counted by the script" in printed
    (first, _) = map(json.loads, (tmp_path / "runs" / "bright" / "rings.jsonl").read_text().splitlines())
    assert first["score"]["marks"] == {"words_found": 1.0}


def test_a_scorer_of_an_installed_package_has_the_name_of_its_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bright.py").write_text(OWN)
    about = tmp_path / "bright-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: bright\nVersion: 1.0\n")
    head, line = ENTRY_POINT.strip().splitlines()
    group = head.split('"')[1]
    (about / "entry_points.txt").write_text(f"[{group}]\n{line.replace(chr(34), '')}\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert make_scorer("words-found", options={"least": 2}).rule == "words-found"


def test_the_table_of_the_page_names_every_scorer_and_its_options() -> None:
    assert all(f"`{name}`" in PAGE for name in SCORERS)
    rows = re.findall(r"^\| (`[^|]+) \|[^|]*\| ([^|]*)\|$", PAGE.partition("## What there is")[2], re.MULTILINE)
    for names, options in rows:
        if "see " in options:
            continue
        for name in re.findall(r"`([\w-]+)`", names):
            taken = list(inspect.signature(find_scorer(name)).parameters)[2:]
            assert sorted(re.findall(r"`(\w+)`", options)) == sorted(taken), name
