"""A page of docs/ walked as a newcomer would: its files are written, its commands executed in order, line by line."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^```(\w*)$")
_NAMED = re.compile(r"`([\w.-]+)`:$")
_END = "END-OF-FILE-OF-THE-PAGE"
_BROKEN = "broken at line "
_PRELUDE = f"trap 'echo \"{_BROKEN}$LINENO\" >&2' ERR; "


class Walked(NamedTuple):
    """What came of a walk."""

    folder: Path
    out: str
    err: str


class Block(NamedTuple):
    """A fenced block of a page."""

    line: int
    """The line of the fence that opens it, from 0."""
    language: str
    end: int
    """The line of the fence that closes it."""
    file: str | None
    """The name of the file that it is, where the line before says so."""


def page(name: str) -> Path:
    """Return a page of the journeys."""
    return ROOT / "docs" / "journeys" / f"{name}.md"


def walk(path: Path, folder: Path, **variables: str) -> Walked:
    """Walk a page in a folder; a command that fails is named with its line of the page."""
    script = folder / f".{path.stem}.sh"
    script.write_text(script_of(path), encoding="utf-8")
    inherited = {name: value for name, value in os.environ.items() if name not in {"MODEL_URL", "JUDGE_URL"}}
    search = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euEo", "pipefail", str(script)],
        cwd=folder,
        env={**inherited, "PATH": search, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, _complaint(path, done)
    return Walked(folder, done.stdout, done.stderr)


def script_of(path: Path) -> str:
    """Return the page as a script of as many lines: its commands and files, each on its line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    script = [""] * len(lines)
    for block in blocks(lines):
        inner = slice(block.line + 1, block.end)
        if block.language == "sh":
            script[inner] = lines[inner]
        elif block.file is not None:
            script[block.line] = f"cat > {block.file} <<'{_END}'"
            script[inner] = lines[inner]
            script[block.end] = _END
    script[0] = _PRELUDE
    return "\n".join(script) + "\n"


def blocks(lines: list[str]) -> Iterator[Block]:
    """Find the fenced blocks of a page."""
    opened: tuple[int, str] | None = None
    for number, line in enumerate(lines):
        if not (found := _FENCE.match(line)):
            continue
        if opened is None:
            opened = (number, found[1])
            continue
        before = "\n".join(lines[max(0, opened[0] - 2) : opened[0]]).rstrip()
        named = _NAMED.search(before)
        yield Block(opened[0], opened[1], number, named[1] if named else None)
        opened = None
    assert opened is None, f"the block of line {opened} has no end"


def not_printed(path: Path, out: str) -> list[str]:
    """List the lines that the page shows below commands, as `text`, and that these did not print in this order."""
    lines = path.read_text(encoding="utf-8").splitlines()
    shown = [block for block in blocks(lines) if block.language == "text" and block.file is None]
    printed = iter([" ".join(line.split()) for line in out.splitlines()])
    wanted = [" ".join(line.split()) for block in shown for line in lines[block.line + 1 : block.end]]
    return [line for line in wanted if not any(line == one for one in printed)]


def unmarked(path: Path) -> list[str]:
    """List the first lines of indented commands whose paragraph does not say what they need."""
    text = path.read_text(encoding="utf-8")
    fenced = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    paragraphs = re.split(r"\n\n+", fenced)
    return [
        indented.strip().splitlines()[0]
        for before, indented in itertools.pairwise(paragraphs)
        if indented.startswith("    ") and "(needs" not in before
    ]


def _complaint(path: Path, done: subprocess.CompletedProcess[str]) -> str:
    found = re.search(f"^{_BROKEN}(\\d+)$", done.stderr, re.MULTILINE)
    number = int(found[1]) if found else 1
    lines = path.read_text(encoding="utf-8").splitlines()
    while lines[number - 2].endswith("\\"):  # of a command over several lines, bash names any
        number -= 1
    where = path.relative_to(ROOT) if ROOT in path.parents else path.name
    said = f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    return f"{where}, line {number}: {lines[number - 1]}: exit {done.returncode}\n{said}"
