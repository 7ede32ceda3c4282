"""docs/python.md and docs/three_runs.ipynb: every line works in a Jupyter kernel, where an event loop is running."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_server import Asked, Chat, Turn, chatting
from judges import honest
from pages import DOCS, blocks
from small_data import tone

import dtbench

PAGE = (DOCS / "python.md").read_text(encoding="utf-8")
NOTEBOOK = DOCS / "three_runs.ipynb"
BLOCKS = blocks(PAGE, "python")
URL = "http://localhost:8000/v1"

nbformat = pytest.importorskip("nbformat", reason="nbformat is for tests")
nbclient = pytest.importorskip("nbclient", reason="nbclient is for tests")


def answer_or_judge(asked: Asked) -> Turn:
    is_judged = "Criteria:" in str(asked.json()["messages"][-1]["content"])
    return honest(asked) if is_judged else Turn("(A)")


@pytest.fixture
def chat() -> Iterator[Chat]:
    with chatting(choose=answer_or_judge) as chat:
        yield chat


def executed(notebook: Any, folder: Path) -> Any:
    """Run a notebook in a kernel of its own; a cell that fails is an error, and so is one that prints on stderr."""
    done = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    streams = [out for cell in done.cells for out in cell.get("outputs", ()) if out["output_type"] == "stream"]
    assert [out["text"] for out in streams if out["name"] == "stderr"] == []
    return done


def test_every_line_of_the_page_works_in_a_notebook(tmp_path: Path, chat: Chat) -> None:
    pytest.importorskip("pandas", reason="pandas is an extra")
    pytest.importorskip("openai", reason="openai is an extra")
    for name in ("robin", "wren"):
        (tmp_path / f"{name}.wav").write_bytes(tone(seconds=0.2))
    cells = [nbformat.v4.new_code_cell(block.replace(URL, chat.url)) for block in BLOCKS]
    done = executed(nbformat.v4.new_notebook(cells=cells), tmp_path)
    shown = next(cell for cell in done.cells if "shows the score cards of the report" in cell.source).outputs[-1]
    assert "95 % interval" in shown["data"]["text/html"]
    assert dtbench.load(tmp_path / "runs" / "birds").scores()["official"]["accuracy"] == 0.5
    assert dtbench.load(tmp_path / "runs" / "two-tasks").tasks == ["mini", "mini-train-1"]
    assert (tmp_path / "groups.svg").read_text().startswith("<?xml")
    assert (tmp_path / "report.html").read_bytes().startswith(b"<!doctype html>")


def test_the_page_names_what_the_package_has() -> None:
    named = set(re.findall(r"\bdtbench\.([A-Za-z_]+)\(", PAGE))
    assert named <= {*dtbench.__all__, "models"} | {"Task"}
    assert len(BLOCKS) >= 8


def test_the_notebook_goes_from_three_runs_to_a_table_a_picture_and_a_page(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is an extra")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [line for cell in notebook.cells if cell.cell_type == "code" for line in cell.source.splitlines()]
    assert len([line for line in code if line.strip() and not line.strip().startswith("#")]) < 30
    done = executed(notebook, tmp_path)
    kinds = {kind for cell in done.cells for out in cell.get("outputs", ()) for kind in out.get("data", ())}
    assert "text/html" in kinds
    assert kinds & {"image/png", "image/svg+xml"}
    assert len(list((tmp_path / "runs").glob("*/run.json"))) == 3
    assert (tmp_path / "report.html").read_bytes().startswith(b"<!doctype html>")


def test_the_notebook_is_stored_without_outputs() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in cells)
