"""docs/papers.md: its commands and its Python work as shown, and it names every kind of picture and every option."""

from __future__ import annotations

import re
from pathlib import Path

from command import call
from pages import blocks, python, shell

from dtbench import paper_table, plot_runs
from dtbench.harness.plot.request import KINDS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "papers.md").read_text(encoding="utf-8")
(COMMANDS,) = blocks(PAGE, "sh")
(PYTHON,) = blocks(PAGE, "python")


def test_the_commands_and_the_python_of_the_page_work_as_shown(tmp_path: Path) -> None:
    shell(COMMANDS, tmp_path)
    assert (tmp_path / "table.tex").read_text().startswith("% needs \\usepackage{booktabs}")
    assert (tmp_path / "table.md").read_text().startswith("| mini: questions about")
    runs = [tmp_path / "runs" / name for name in ("random", "majority")]
    assert (tmp_path / "groups.svg").read_text() == plot_runs(runs, by="category")._repr_svg_()  # type: ignore[attr-defined]
    assert python(PYTHON, tmp_path) == f"{paper_table(runs, labels=['base', 'ours']).to_markdown()}\n"
    assert (tmp_path / "groups.pdf").read_bytes().startswith(b"%PDF")


def test_the_pictures_of_the_documentation_are_those_that_the_makefile_makes() -> None:
    picture = (ROOT / "docs" / "pictures" / "mini.svg").read_text(encoding="utf-8")
    made = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\npictures:")[2].partition("\n\n")[0]
    labels = re.findall(r'--label (?:"([^"]+)"|(\w+))', made)
    shown = re.findall(r"<text[^>]*>([^<]+)</text>", picture)
    assert {quoted or word for quoted, word in labels} | {"guessing", "Avg", "Official accuracy (%)"} <= {*shown}
    assert "docs/pictures/mini.svg" in made
    assert "](pictures/mini.svg)" in (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pictures = {path.name for path in (ROOT / "docs" / "pictures").iterdir()}
    assert pictures == set(re.findall(r"docs/pictures/([\w.-]+)", made))


def test_the_page_names_every_kind_of_picture() -> None:
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == [*KINDS]


def test_every_option_that_the_page_names_is_one_of_table_or_plot() -> None:
    known = call("table", "--help").out + call("plot", "--help").out
    elsewhere = {"--think-budget", "--answer", "--limit", "--model", "--tasks"}
    assert [flag for flag in re.findall(r"--[a-z][a-z-]+", PAGE) if flag not in known and flag not in elsewhere] == []
