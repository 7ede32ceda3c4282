"""The table of the campaign of faults: each blow, how often it fell, and what was lost, doubled or leaked by it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple


class Blows(NamedTuple):
    """One line of the table."""

    blow: str
    tries: int
    lost: int
    """Answers that were there and are not any more."""
    doubled: int
    """Answers that were asked for again although they were stored."""
    leaked: int
    """Tracebacks, secrets, processes, descriptors or files that were left."""


class Campaign:
    """Keeps what the tests of tests/faults found, in a file where DTBENCH_FAULTS names one."""

    def note(self, blow: str, tries: int, *, lost: int = 0, doubled: int = 0, leaked: int = 0) -> None:
        """Add a line to the table."""
        line = Blows(blow, tries, lost, doubled, leaked)
        if (file := os.environ.get("DTBENCH_FAULTS")) is not None:
            with Path(file).open("a", encoding="utf-8") as table:
                table.write(json.dumps(line) + "\n")


CAMPAIGN = Campaign()


def table(file: Path) -> str:
    """The table as text, in the order in which the blows fell."""
    lines = [Blows(*json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]
    width = max(len(line.blow) for line in lines)
    head = f"{'blow':<{width}}  tries   lost  doubled  leaked"
    rows = (f"{one.blow:<{width}}  {one.tries:5}  {one.lost:5}  {one.doubled:7}  {one.leaked:6}" for one in lines)
    return "\n".join([head, *rows])


if __name__ == "__main__":
    import sys

    print(table(Path(sys.argv[1])))
