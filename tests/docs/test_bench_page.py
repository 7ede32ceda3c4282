"""docs/benchmarks.md: made from what the benches note, with ratios, and honest where dtbench is not ahead."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from bench_page import VARIABLE, Figure, main, note, page_of, read_figures
from contenders import Contender, print_table
from measured import Cost

ROOT = Path(__file__).resolve().parents[2]
BENCHES = [f"bench_{part}" for part in ("audio", "frames", "harness", "http", "peers_http", "report", "run", "score")]


def test_ratios_are_to_the_first_row_and_a_part_where_dtbench_takes_more_says_so() -> None:
    page = page_of(
        [
            Figure("Text", "dtbench", 0.5),
            Figure("Text", "a peer 1.0", 5.0),
            Figure("Start", "dtbench", 0.4),
            Figure("Start", "a peer 1.0", 0.3),
            Figure("Memory", "dtbench, 500 questions", 100.0),
            Figure("Memory", "dtbench, 5,000 questions", 99.0),
            Figure("Clips", "dtbench", 1.0),
            Figure("Clips", "a peer 1.0", None, "exit 1: KeyError"),
        ]
    )
    text, start, memory, clips = re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    assert text == "Text\n\n| | x |\n|---|--:|\n| dtbench | 1.00 |\n| a peer 1.0 | 10.00 |\n\n"
    assert start.endswith("| a peer 1.0 | 0.75 |\n\n**dtbench is not ahead here**: a peer 1.0 takes less.\n\n")
    assert "not ahead" not in memory, "of dtbench alone"
    assert clips == "Clips\n\n| | x |\n|---|--:|\n| dtbench | 1.00 |\n| a peer 1.0 | cannot: exit 1: KeyError |\n"


def test_tables_that_compare_whole_harnesses_come_first_and_the_rest_as_measured() -> None:
    parts = ("Start", "5000 questions: CPU", "Clips", "600 questions over HTTP: CPU")
    page = page_of(Figure(part, "dtbench", 1.0) for part in parts)
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        "## 5000 questions: CPU",
        "## 600 questions over HTTP: CPU",
        "## Start",
        "## Clips",
    ]


def test_a_table_of_contenders_is_noted_without_those_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figures, page = tmp_path / "figures.jsonl", tmp_path / "page.md"
    contenders = [Contender("dtbench", []), Contender("a peer", []), Contender("another", [])]
    contenders[0].cost, contenders[1].cost = Cost(1, 2, 50), Cost(1, 3, 60)
    contenders[2].failure = "exit 1"
    print_table("questions", contenders)
    assert not figures.exists()
    monkeypatch.setenv(VARIABLE, str(figures))
    print_table("questions", contenders)
    note("Memory", "5 questions", 10)
    assert capsys.readouterr().out.count("failed: exit 1") == 2
    assert read_figures(figures) == [
        Figure("questions: CPU", "dtbench", 2),
        Figure("questions: CPU", "a peer", 3),
        Figure("questions: CPU", "another", None, "exit 1"),
        Figure("Memory", "5 questions", 10),
    ]
    assert main([str(figures), str(page)]) == 0
    assert "| a peer | 1.50 |" in page.read_text()


def test_a_peer_that_ends_with_0_and_logs_no_answer_has_failed(tmp_path: Path) -> None:
    asked = Contender("asked", ["true"], logged=lambda out: 5)
    silent = Contender("silent", ["true"], logged=lambda out: 0)
    only_help = Contender("only help", ["true"])
    for one in (asked, silent, only_help):
        one.run(tmp_path, {"PATH": os.defpath})
    assert (asked.failure, only_help.failure) == ("", "")
    assert (silent.failure, silent.cost) == ("it ended with 0 and logged no answer", None)


def test_without_figures_no_page_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none"), str(tmp_path / "page.md")]) == 2
    assert VARIABLE in capsys.readouterr().out
    assert not (tmp_path / "page.md").exists()


@pytest.mark.parametrize("name", BENCHES)
def test_every_part_of_the_page_has_a_bench_that_notes_it(name: str) -> None:
    assert "note(" in (ROOT / "tests" / "bench" / f"{name}.py").read_text()
