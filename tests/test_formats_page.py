"""docs/formats.md: its commands and its Python work as shown."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "formats.md").read_text(encoding="utf-8")
WRITTEN = (
    "runs/first/export/parquet/README.md",
    "runs/first/export/parquet/data/mini.parquet",
    "runs/first/export/hub-eval/.eval_results/mini.yaml",
    "runs/first/export/eee/data/mini/local/first",
    "mini-dataset/state.json",
    "rows-dataset/clips",
    "rows.jsonl",
)


def blocks(language: str) -> list[str]:
    """The blocks of code in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_commands_and_the_python_of_the_page_work_as_shown(tmp_path: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    (commands,) = blocks("sh")
    python = "".join(blocks("python")) + "assert len(answers) == len(data) == 20\n"
    environment = {**os.environ, "PATH": path, "DTBENCH_DATA": str(tmp_path / "data"), "HF_HOME": str(tmp_path / "hf")}
    for command in (["bash", "-euo", "pipefail", "-c", commands], [sys.executable, "-c", python]):
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert [name for name in WRITTEN if not (tmp_path / name).exists()] == []
    assert len(list((tmp_path / "runs/first/export/inspect").glob("*_mini_*.eval"))) == 1
