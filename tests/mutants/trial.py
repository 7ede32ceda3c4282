"""A copy of the tree in which one change at a time is tried; the working tree is never touched."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
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
PATIENCE = 3
TOGETHER = 6
"""Files of tests asked by one call: the nearest are asked before the others are collected."""
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+?\.py(?:::.*?)?)(?: - .*)?$", re.MULTILINE)


class Outcome(NamedTuple):
    """What the tests said of one change."""

    verdict: str
    """killed, timeout (killed as well), survived, or too slow: tests took longer than the limit without it too."""
    by: str
    """The test that failed."""
    seconds: float


def asked_together(several: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """The files of each ring, a few at a time."""
    return [ring[start : start + TOGETHER] for ring in several for start in range(0, len(ring), TOGETHER)]


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
        for tests in asked_together(rings(self.tree, place.file, every=self.every)):
            self._write(place.file, place.changed(text))
            try:
                verdict, by = self._asked(tests, place.file, text)
            finally:
                self._write(place.file, text)
            if verdict in ("killed", "timeout"):
                return Outcome(verdict, by, round(time.monotonic() - began, 1))
            lives = verdict if lives == "survived" else lives
        return Outcome(lives, "", round(time.monotonic() - began, 1))

    def _asked(self, tests: Sequence[str], file: str, text: bytes) -> tuple[str, str]:
        """Ask some tests; what fails has to fail twice, and to pass without the change, else the rest is asked again.

        What takes too long has to take PATIENCE times as long as it does without the change, measured now.
        """
        changed = (self.tree / file).read_bytes()
        shaky: set[str] = set()
        limit = self.limit
        for _ in range(ODD_ONES):
            self._write(file, changed)
            code, output = self._pytest(tests, limit, shaky)
            if code in PASSED:
                break
            failed = FAILED.findall(output)
            if code is not None and self._pytest(failed or tests, limit)[0] in PASSED:
                shaky.update(failed)  # a busy machine, not the change
                continue
            self._write(file, text)
            if code is None:
                began = time.monotonic()
                if self._pytest(tests, limit * PATIENCE, shaky)[0] is None:
                    return "too slow", ""
                usual = time.monotonic() - began
                if usual * PATIENCE <= limit:
                    return "timeout", tests[0]
                limit = usual * PATIENCE
            elif self._are_sound(failed or tests):
                return "killed", failed[0] if failed else tests[0]
            else:
                self.odd.update(failed)
        return "survived", ""

    def _are_sound(self, tests: Sequence[str]) -> bool:
        if not set(tests) <= self.sound:
            if self._pytest(tests, self.limit)[0] not in PASSED:
                return False
            self.sound.update(tests)
        return True

    def _pytest(self, tests: Sequence[str], limit: float, shaky: Collection[str] = ()) -> tuple[int | None, str]:
        """The exit code, None where it took longer than the limit, and what was printed."""
        aside = self.odd.union(shaky)
        tests = [test for test in tests if test not in aside]
        if not tests:
            return PASSED[0], ""
        without = [f"--deselect={test}" for test in sorted(aside)]
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
            output, _ = process.communicate(timeout=limit)
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
