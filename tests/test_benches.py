"""That `make bench` would run: every file of tests/bench holds what it names."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import util
from pathlib import Path
from types import ModuleType

import pytest
from peer_environments import PEERS

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / "tests" / "bench").glob("bench_*.py"))
PEERS_FOLDER = ROOT / "tests" / "bench" / "peers"


def module_of(file: Path) -> ModuleType:
    spec = util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_bench_is_collected() -> None:
    command = [sys.executable, "-m", "pytest", "tests/bench", "-o", "python_files=bench_*.py", "--collect-only", "-q"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    collected = {line.partition("::")[0] for line in done.stdout.splitlines() if "::" in line}
    assert collected == {file.relative_to(ROOT).as_posix() for file in FILES}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_a_bench_names_in_the_repository_is_there(file: Path) -> None:
    named = {name: value for name, value in vars(module_of(file)).items() if isinstance(value, Path)}
    missing = {name: path for name, path in named.items() if path.is_relative_to(ROOT) and not path.exists()}
    assert missing == {}


def test_the_makefile_and_the_benches_agree_on_how_they_are_called() -> None:
    (recipe,) = re.findall(r"^bench:.*\n((?:\t.+\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert "pytest tests/bench -o python_files='bench_*.py'" in recipe
    assert recipe.endswith("tests/support/bench_page.py $(FIGURES) docs/benchmarks.md\n")


@pytest.mark.parametrize("name", PEERS)
def test_every_peer_has_a_script_that_compiles(name: str) -> None:
    scripts = [*(PEERS_FOLDER / name).glob("*.py")]
    assert "ask.py" in {script.name for script in scripts}
    for script in scripts:
        compile(script.read_text(), str(script), "exec")
