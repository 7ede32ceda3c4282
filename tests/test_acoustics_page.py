"""docs/acoustics.md: its commands work as shown, and its table has the columns that there are."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from dtbench.harness.acoustics.columns import COLUMNS

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "acoustics.md").read_text(encoding="utf-8")


def test_the_commands_of_the_page_work_as_shown(tmp_path: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    (commands,) = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "DTBENCH_ACOUSTICS": str(tmp_path / "cache")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Trends of the strict score" in done.stdout
    (task,) = json.loads((tmp_path / "by-sound.json").read_text())
    assert task["acoustics"]["clips"] == 24
    assert '"acoustic_change"' in (tmp_path / "runs" / "random" / "report.html").read_text()
    assert len(list((tmp_path / "cache").rglob("*.json"))) == 24


def test_the_table_of_the_page_has_every_column() -> None:
    first_cells = re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)
    assert [name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)] == list(COLUMNS)
