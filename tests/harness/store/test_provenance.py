from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from dtbench.harness.store.provenance import PACKAGES, checkout, packages


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=me", "-c", "user.email=me@localhost", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of a checkout with one commit."""
    file = tmp_path / "harness" / "a.py"
    file.parent.mkdir()
    file.write_text("one\n")
    (tmp_path / ".gitignore").write_text("ignored/\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "one")
    return file


def test_the_commit_is_told(source: Path) -> None:
    assert checkout(source) == {"commit": git(source.parent, "rev-parse", "HEAD"), "dirty": False}


@pytest.mark.parametrize("change", ["changed", "added", "staged"])
def test_a_checkout_with_changes_is_dirty(source: Path, change: str) -> None:
    (source if change == "changed" else source.with_name("b.py")).write_text("two\n")
    if change == "staged":
        git(source.parent, "add", "--all")
    assert checkout(source) == {"commit": git(source.parent, "rev-parse", "HEAD"), "dirty": True}


def test_a_file_that_the_checkout_around_it_does_not_carry_has_no_commit(source: Path, tmp_path: Path) -> None:
    installed = tmp_path / "ignored" / "a.py"
    installed.parent.mkdir()
    installed.write_text("one\n")
    assert checkout(installed) is None


def test_without_a_checkout_or_without_git_there_is_no_commit(
    source: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checkout(tmp_path_factory.mktemp("elsewhere") / "a.py") is None
    monkeypatch.setenv("PATH", "")
    assert checkout(source) is None


def test_a_git_hook_around_us_does_not_lend_its_repository(
    source: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path_factory.mktemp("other")
    git(other, "init", "--quiet")
    commit = git(source.parent, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert checkout(source) == {"commit": commit, "dirty": False}


def test_versions_are_those_that_the_interpreter_tells() -> None:
    told = {}
    for name in PACKAGES:
        try:
            told[name] = version(name)
        except PackageNotFoundError:
            continue
    assert "numpy" in told
    assert packages() == told


def test_a_folder_of_the_path_that_is_not_there_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    found = packages()
    monkeypatch.syspath_prepend("no-such-folder")
    assert "no-such-folder" in sys.path
    assert packages() == found
