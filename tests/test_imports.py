from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from small_data import mmar_items, write_json

from dtbench.harness.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
HEAVY = (
    *("torch", "vllm", "transformers", "librosa", "pandas", "lm_eval", "datasets"),
    *("pyarrow", "numpy", "soundfile", "pybase64", "aiohttp"),
)
OF_A_MACHINE = re.compile(r"(?<![\w.~-])/(?:work|root|opt|home)/\w")

LOADED = f"""
print("loaded:", *(name for name in {HEAVY!r} if name in sys.modules))
"""


def loaded_by(code: str) -> str:
    """The heavy packages that are loaded once a fresh interpreter has run the code."""
    command = [sys.executable, "-c", f"import sys\n{code}{LOADED}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.rpartition("loaded:")[2].strip()


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_by("import dtbench") == ""


def test_the_rewards_load_nothing_heavy_into_the_process_of_an_engine() -> None:
    assert loaded_by("import dtbench.training.rewards") == ""


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in COMMANDS)], ids=" ".join)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = f"""
sys.argv = ["dtbench", *{arguments!r}]
from dtbench.harness.cli.main import main
try:
    main()
except SystemExit as end:
    assert end.code in (0, None), end.code
"""
    assert loaded_by(code) == ""


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["--version"], ["run", "--help"]], ids=" ".join)
def test_help_loads_nothing_that_draws_tables_or_runs_models(arguments: list[str]) -> None:
    unwanted = {"rich", "typer.rich_utils", "asyncio", "logging", "msgspec"}
    assert unwanted.intersection(modules_of(arguments)) == set()


def test_help_without_a_command_loads_no_room_but_the_command_lines_own() -> None:
    rooms = {name.split(".")[2] for name in modules_of(["--help"]) if name.startswith("dtbench.harness.")}
    assert rooms == {"cli", "core", "extract"}


def modules_of(arguments: list[str]) -> list[str]:
    """The modules that are loaded once a command was called."""
    return printed_by(f"{calling(arguments)}print('loaded:', *sys.modules)").rpartition("loaded:")[2].split()


def printed_by(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def calling(arguments: list[str]) -> str:
    return f"""
import sys
sys.argv = ["dtbench", *{arguments!r}]
from dtbench.harness.cli.main import main
try:
    main()
except SystemExit as end:
    assert end.code in (0, 2, None), end.code
"""


def test_the_probe_sees_a_heavy_package() -> None:
    assert loaded_by("import numpy") == "numpy"


def test_no_file_names_a_path_of_one_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in repository_files()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if OF_A_MACHINE.search(line)
    ]
    assert found == []


def repository_files() -> list[Path]:
    """What git would carry: tracked files, and new ones that it does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout: there is no list of the repository's files")
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def test_a_run_loads_nothing_of_lm_eval(tmp_path: Path) -> None:
    code = f"""
sys.argv = ["dtbench", "run", "--model", "first", "--tasks", "mini", "--limit", "2", "--out", {str(tmp_path / "run")!r}]
from dtbench.harness.cli.main import main
try:
    main()
except SystemExit as end:
    assert end.code == 0, end.code
print("of lm-eval:", *(name for name in sys.modules if "lm_eval" in name))
"""
    command = [sys.executable, "-c", f"import sys\n{code}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "of lm-eval:"


def test_scoring_a_prediction_file_loads_no_store_no_audio_and_nothing_for_temporary_files(tmp_path: Path) -> None:
    predictions = tmp_path / "predictions.jsonl"
    write_json(predictions, [{**item, "answer_prediction": item["answer"]} for item in mmar_items()])
    code = f"""
sys.argv = ["dtbench", "score", "--task", "mmar", "--predictions", {str(predictions)!r}, "--json"]
from dtbench.harness.cli.main import main
try:
    main()
except SystemExit as end:
    assert end.code == 0, end.code
unused = ("dtbench.harness.store.", "dtbench.harness.audio.", "dtbench.tasks.data.archive", "tempfile", "rich")
print("of what it does not need:", *(name for name in sys.modules if name.startswith(unused)))
"""
    command = [sys.executable, "-c", f"import sys\n{code}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "of what it does not need:"
