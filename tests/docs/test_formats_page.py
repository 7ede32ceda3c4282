"""docs/formats.md: its commands and its Python work as shown."""

from __future__ import annotations

from pathlib import Path

from pages import DOCS, blocks, python, shell

PAGE = (DOCS / "formats.md").read_text(encoding="utf-8")
WRITTEN = (
    "runs/first/export/parquet/README.md",
    "runs/first/export/parquet/data/mini.parquet",
    "runs/first/export/hub-eval/.eval_results/mini.yaml",
    "runs/first/export/eee/data/mini/local/first",
    "mini-dataset/state.json",
    "rows-dataset/clips",
    "rows.jsonl",
)


def test_the_commands_and_the_python_of_the_page_work_as_shown(tmp_path: Path) -> None:
    (commands,) = blocks(PAGE, "sh")
    code = "".join(blocks(PAGE, "python")) + "assert len(answers) == len(data) == 20\n"
    environment = {"DTBENCH_DATA": str(tmp_path / "data"), "HF_HOME": str(tmp_path / "hf")}
    shell(commands, tmp_path, **environment)
    python(code, tmp_path, **environment)
    assert [name for name in WRITTEN if not (tmp_path / name).exists()] == []
    assert len(list((tmp_path / "runs/first/export/inspect").glob("*_mini_*.eval"))) == 1
