"""What `make bench` writes: docs/benchmarks.md, out of the figures that the benches noted in one run.

`python bench_page.py FIGURES PAGE`. A bench notes a figure where DTBENCH_BENCH_FIGURES names a file. The page shows
ratios, as seconds are of one machine, and says where dtbench is not ahead.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

VARIABLE = "DTBENCH_BENCH_FIGURES"
_HEAD = """# Benchmarks

What dtbench costs beside others. `make bench` measures each table in one run on one machine, its rows in turn, and
writes this page. `x` is how many times the first row of its table each one takes: above 1 it takes more, below 1 less.
Seconds are of one machine and left out; CPU time hardly depends on what else runs there. Every harness starts anew,
with its caches filled and without a network; questions are made up, and models answer at once, but for vLLM.
"""
_FIRST = ("5000 questions", "600 questions", "A further question")
"""How the tables begin that compare whole harnesses: readers look for these, and they come first."""


class Figure(NamedTuple):
    """One row of the page."""

    part: str
    """The title of its table."""
    who: str
    value: float | None
    """Of whatever is compared in this part; what takes less is ahead. None: it could not be measured."""
    why: str = ""
    """Why not."""


def note(part: str, who: str, value: float | None, why: str = "") -> None:
    """Keep a figure for the page, if one is to be made."""
    if place := os.environ.get(VARIABLE):
        with Path(place).open("a", encoding="utf-8") as file:
            file.write(json.dumps(Figure(part, who, value, why)._asdict()) + "\n")


def read_figures(path: Path) -> list[Figure]:
    """Return what was noted, in its order."""
    return [Figure(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def page_of(figures: Iterable[Figure]) -> str:
    """Return the page, a table a part, harnesses first; the first row of each is what the others are compared with."""
    parts: dict[str, list[Figure]] = {}
    for figure in figures:
        parts.setdefault(figure.part, []).append(figure)
    ordered = sorted(parts, key=lambda part: not part.startswith(_FIRST))
    return "\n".join([_HEAD, *(_section(part, parts[part]) for part in ordered)])


def not_ahead(rows: Sequence[Figure]) -> list[str]:
    """Return what takes less than the dtbench that stands first in a table."""
    first, *others = rows
    if first.value is None or not first.who.startswith("dtbench"):
        return []
    peers = [one for one in others if not one.who.startswith("dtbench")]
    return [one.who for one in peers if one.value is not None and one.value < first.value]


def _section(part: str, rows: Sequence[Figure]) -> str:
    lines = [f"## {part}", "", "| | x |", "|---|--:|"]
    lines += [f"| {one.who} | {_times(one, rows[0])} |" for one in rows]
    if behind := not_ahead(rows):
        lines += ["", f"**dtbench is not ahead here**: {', '.join(behind)} {'take' if behind[1:] else 'takes'} less."]
    return "\n".join([*lines, ""])


def _times(one: Figure, first: Figure) -> str:
    """Return the cell of a row: how many times the first one it takes, or why that is not known."""
    if one.value is None or first.value is None:
        return f"cannot: {one.why or first.why}"
    return f"{one.value / first.value:.2f}"


def main(arguments: Sequence[str]) -> int:
    """Write the page; 2 where there is nothing to write it from."""
    if len(arguments) != 2 or not Path(arguments[0]).is_file():
        print(f"usage: bench_page.py FIGURES PAGE, where FIGURES is what {VARIABLE} named during `make bench`")
        return 2
    Path(arguments[1]).write_text(page_of(read_figures(Path(arguments[0]))), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
