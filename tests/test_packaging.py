from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import dtbench

ROOT = Path(__file__).resolve().parents[1]
LINKS = ROOT / ".src" / "dtbench"
NOT_PACKAGES = {"tests", "build", "dist"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this tree, built with what is installed and without a network."""
    tree = tmp_path_factory.mktemp("source") / "dtbench"
    # Links stay links: what the wheel makes of them is the question. A copy, because setuptools writes into the tree.
    shutil.copytree(
        ROOT, tree, symlinks=True, ignore=shutil.ignore_patterns(".git", ".venv*", ".*_cache", "*.egg-info")
    )
    out = tree.parent / "out"
    build = f"import setuptools.build_meta as backend; backend.build_wheel({str(out)!r})"
    done = subprocess.run([sys.executable, "-c", build], cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = out.glob("*.whl")
    return path


def package_folders() -> set[str]:
    """The top-level folders that hold code of ours."""
    shown = (folder for folder in ROOT.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    return {folder.name for folder in shown if folder.name not in NOT_PACKAGES and any(folder.rglob("*.py"))}


def test_every_package_folder_has_its_link_and_no_link_is_left_over() -> None:
    links = {path.name: path.readlink().as_posix() for path in LINKS.iterdir() if path.is_symlink()}
    assert links == {name: f"../../{name}" for name in package_folders()}


def test_every_package_folder_is_banned_under_its_bare_name() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    banned = settings["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"]
    assert package_folders() <= set(banned)


def test_the_wheel_holds_every_module_and_data_file_as_a_real_file(wheel: Path) -> None:
    kept = {".py", ".json", ".toml", ".yaml", ".html", ".css", ".js", ".safetensors", ".jinja"}
    expected = {
        f"dtbench/{path.relative_to(ROOT).as_posix()}"
        for name in package_folders()
        for path in (ROOT / name).rglob("*")
        if path.suffix in kept and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        packed = {entry.filename: entry for entry in archive.infolist()}
        assert expected <= packed.keys(), f"missing: {sorted(expected - packed.keys())}"
        for name in expected:
            assert archive.read(name) == (ROOT / name.removeprefix("dtbench/")).read_bytes()
            if name.endswith(".json"):
                json.loads(archive.read(name))
    assert "dtbench/py.typed" in packed
    assert "dtbench/models/mini/checkpoint/model.safetensors" in packed
    assert not [name for name in packed if name.startswith(("harness/", "tasks/", "tests/"))]


def test_the_wheel_carries_the_licence_and_the_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        folder = f"dtbench-{dtbench.__version__}.dist-info"
        assert "Apache License" in archive.read(f"{folder}/licenses/LICENSE").decode()
        assert "dtbench = dtbench.harness.cli.main:main" in archive.read(f"{folder}/entry_points.txt").decode()


def test_the_command_runs_out_of_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    run = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from dtbench.harness.cli.main import main; main()"
    command = [sys.executable, "-c", run, "--version"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["dtbench", dtbench.__version__], done.stderr


def test_the_installed_command_names_the_version_of_the_package() -> None:
    command = Path(sys.executable).with_name("dtbench")
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["dtbench", dtbench.__version__]
