"""A copy of the tree in which one change at a time is tried; the working tree is never touched."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from nearest import rings
from places import Place

LEFT_OUT = (
    ".git",
    ".venv*",
    "__pycache__",
    ".*_cache",
    ".hypothesis",
    "runs",
    "build",
    "dist",
    ".mutants",
    ".coverage*",
)
PASSED = (0, 5)
"""What pytest ends with: all passed, and no test was selected."""
MEMORY = 8_000_000
"""Kilobytes: a change that makes a loop endless is ended before the machine is out of memory."""
ODD_ONES = 5
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+?\.py(?:::.*?)?)(?: - .*)?$", re.MULTILINE)


class Outcome(NamedTuple):
    """What the tests said of one change."""

    verdict: str
    """killed, timeout (killed as well), survived, or too slow: tests took longer than the limit without it too."""
    by: str
    """The test that failed."""
    seconds: float


class Trial:
    """Runs the nearest tests on a changed copy."""

    def __init__(self, root: Path, workspace: Path, *, limit: float, every: bool = False) -> None:
        self.tree = workspace / "tree"
        self.limit = limit
        self.every = every
        self.sound: set[str] = set()
        """Tests that pass on the unchanged copy."""
        self.odd: set[str] = set()
        """Tests that fail on the unchanged copy: they say nothing."""
        self.moment = int(time.time())
        shutil.copytree(root, self.tree, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
        for environment in root.glob(".venv*"):
            (self.tree / environment.name).symlink_to(environment.resolve())

    def of(self, place: Place) -> Outcome:
        """Make the change, ask the tests ring by ring, and take the change back."""
        began = time.monotonic()
        text = (self.tree / place.file).read_bytes()
        lives = "survived"
        for ring in rings(self.tree, place.file, every=self.every):
            self._write(place.file, place.changed(text))
            try:
                verdict, by = self._asked(ring, place.file, text)
            finally:
                self._write(place.file, text)
            if verdict in ("killed", "timeout"):
                return Outcome(verdict, by, round(time.monotonic() - began, 1))
            lives = verdict if lives == "survived" else lives
        return Outcome(lives, "", round(time.monotonic() - began, 1))

    def _asked(self, ring: Sequence[str], file: str, text: bytes) -> tuple[str, str]:
        """Ask one ring; what fails has to pass without the change, else it is left out and the rest is asked again."""
        changed = (self.tree / file).read_bytes()
        for _ in range(ODD_ONES):
            self._write(file, changed)
            code, output = self._pytest(ring)
            if code in PASSED:
                break
            self._write(file, text)
            if code is None:
                return ("timeout", ring[0]) if self._pytest(ring)[0] is not None else ("too slow", "")
            failed = FAILED.findall(output)
            if self._are_sound(failed or ring):
                return "killed", failed[0] if failed else ring[0]
            self.odd.update(failed)
        return "survived", ""

    def _are_sound(self, tests: Sequence[str]) -> bool:
        if not set(tests) <= self.sound:
            if self._pytest(tests)[0] not in PASSED:
                return False
            self.sound.update(tests)
        return True

    def _pytest(self, tests: Sequence[str]) -> tuple[int | None, str]:
        """The exit code, None where it took longer than the limit, and what was printed."""
        tests = [test for test in tests if test not in self.odd]
        if not tests:
            return PASSED[0], ""
        without = [f"--deselect={test}" for test in sorted(self.odd)]
        words = [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "-rfE",
            "--tb=no",
            "-p",
            "no:cacheprovider",
            *without,
            *tests,
        ]
        words += ["-m", "not engine and not browser and not neighbour"] if self._has_markers else []
        process = subprocess.Popen(
            ["sh", "-c", f'ulimit -d {MEMORY}; exec "$@"', "sh", *words],
            cwd=self.tree,
            env=os.environ | {"PYTHONPATH": str(self.tree / ".src"), "COLUMNS": "500"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=self.limit)
        except subprocess.TimeoutExpired:
            return None, ""
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return process.returncode, output

    @property
    def _has_markers(self) -> bool:
        return (self.tree / "tests" / "engines").is_dir()

    def _write(self, file: str, text: bytes) -> None:
        """Write with a time of its own: compiled files are told apart by whole seconds and length."""
        path = self.tree / file
        path.write_bytes(text)
        self.moment += 1
        os.utime(path, (self.moment, self.moment))
