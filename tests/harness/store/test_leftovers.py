"""What a killed writer leaves is removed by the next one, and nothing else is."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from dtbench.harness.store import leftovers
from dtbench.harness.store.atomic import create_whole, replace_unsynced, replace_whole, writing_whole
from dtbench.harness.store.leftovers import locked_file, remove_if_dead, temporary_folder

WRITER = """
import os, signal
from pathlib import Path
from dtbench.harness.store import atomic
def place(temporary):
    os.kill(os.getpid(), signal.SIGKILL)
atomic._place(Path({path!r}), b"new", place)
"""
MAKER = """
import os, signal
from pathlib import Path
from dtbench.harness.store.leftovers import temporary_folder
with temporary_folder("dtbench-x-", Path({path!r})) as folder:
    (folder / "inside").touch()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(code: str) -> None:
    """Run a program that kills itself."""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL


def temporaries(folder: Path) -> list[str]:
    """The names of temporary files."""
    return [path.name for path in folder.glob(".*.tmp")]


def test_the_next_writer_of_a_file_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    target.write_bytes(b"old")
    killed(WRITER.format(path=str(target)))
    assert target.read_bytes() == b"old"
    assert len(temporaries(tmp_path)) == 1
    replace_whole(target, b"newer")
    assert (target.read_bytes(), temporaries(tmp_path)) == (b"newer", [])


def test_a_file_that_is_written_piece_by_piece_removes_it_too_and_stays_as_it_was_after_an_error(
    tmp_path: Path,
) -> None:
    target = tmp_path / "rows.jsonl"
    killed(WRITER.format(path=str(target)))
    with contextlib.suppress(ZeroDivisionError), writing_whole(target) as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    with writing_whole(target) as file:
        file.write(b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]
    assert target.read_bytes() == b"whole"


def test_a_cache_removes_what_was_left_of_any_of_its_files(tmp_path: Path) -> None:
    killed(WRITER.format(path=str(tmp_path / "one.json")))
    replace_unsynced(tmp_path / "other.json", b"{}")
    assert [path.name for path in tmp_path.iterdir()] == ["other.json"]


def test_what_a_living_writer_has_and_what_is_no_temporary_file_stays(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    others = (".page.html.mine.tmp", ".page.html.12.tmp.old", "page.html.12.tmp", ".other.html.12.tmp")
    for name in others:
        (tmp_path / name).touch()
    with locked_file(tmp_path / ".page.html.1-of-2.tmp"):
        replace_whole(target, b"new")
        assert {path.name for path in tmp_path.iterdir()} == {"page.html", ".page.html.1-of-2.tmp", *others}
    replace_whole(target, b"new")
    assert {path.name for path in tmp_path.iterdir()} == {"page.html", *others}


def test_a_writer_whose_file_another_machine_removes_writes_it_again(tmp_path: Path) -> None:
    target = tmp_path / "run.json"
    place = leftovers.temporary_beside(target, "1-of-2")
    seen: list[str] = []

    class Removed(type(target)):  # type: ignore[misc]
        """A path whose temporary file is gone when it is first put in place."""

        def hardlink_to(self, other: Path) -> None:
            seen.append(other.name)
            if len(seen) == 1:
                other.unlink()
            super().hardlink_to(other)

    assert create_whole(Removed(target), b"made", writer="1-of-2")
    assert seen == [place.name] * 2
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
    assert target.read_bytes() == b"made"


def test_a_folder_of_a_killed_maker_goes_with_the_next_one_and_that_of_a_living_one_stays(tmp_path: Path) -> None:
    killed(MAKER.format(path=str(tmp_path)))
    (left,) = tmp_path.iterdir()
    assert [path.name for path in left.iterdir()] == ["inside"]
    mine = tmp_path / "dtbench-x-of-mine"
    mine.mkdir()
    with temporary_folder("dtbench-x-", tmp_path) as first:
        assert set(tmp_path.iterdir()) == {first, mine}
        with temporary_folder("dtbench-x-", tmp_path) as second:
            assert set(tmp_path.iterdir()) == {first, second, mine}
    assert set(tmp_path.iterdir()) == {mine}


def test_a_temporary_folder_lies_where_tmpdir_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with temporary_folder("dtbench-x-") as folder:
        assert folder.parent == tmp_path
        assert folder.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_on_a_disk_without_locks_nothing_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: object, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    left = tmp_path / ".page.html.12.tmp"
    left.touch()
    remove_if_dead(left)
    replace_whole(tmp_path / "page.html", b"new")
    assert {path.name for path in tmp_path.iterdir()} == {"page.html", left.name}
