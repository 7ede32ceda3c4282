"""`make sbom` is `python setup.py sbom`: the bill of materials without a wheel."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import dtbench

ROOT = Path(__file__).resolve().parents[2]


def test_the_bill_of_materials_is_written_without_a_wheel(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    kept_out = shutil.ignore_patterns("runs", "__pycache__", "*.safetensors", "*.egg-info")
    for name in (".src", "harness", "models", "results", "tasks", "training"):
        shutil.copytree(ROOT / name, tree / name, symlinks=True, ignore=kept_out)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree / name)
    command = [sys.executable, "setup.py", "--quiet", "sbom"]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "dist/dtbench.cdx.json\n"), done.stderr
    bill = json.loads((tree / "dist" / "dtbench.cdx.json").read_text())
    assert bill["metadata"]["component"]["purl"] == f"pkg:pypi/dtbench@{dtbench.__version__}"
    assert "setup.py --quiet sbom" in (ROOT / "Makefile").read_text()
