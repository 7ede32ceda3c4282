"""Which processes another one has started, and whether any of them is still there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple


class Running(NamedTuple):
    """A process; its number alone may be used again."""

    pid: int
    began: int
    """In ticks since the machine came up."""

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self in dict(_all())

    @property
    def command(self) -> str:
        """Its command line; empty where it has none any more."""
        return _read(self.pid, "cmdline").replace("\0", " ")

    @property
    def environment(self) -> Mapping[str, str]:
        """What it was started with."""
        pairs = (entry.partition("=") for entry in _read(self.pid, "environ").split("\0"))
        return {name: value for name, _, value in pairs}


def descendants(pid: int) -> list[Running]:
    """Every process that this one started, and those that they did."""
    parents = dict(_all())
    found, last = list[Running](), {pid}
    while last:
        children = [one for one, parent in parents.items() if parent in last]
        found += children
        last = {one.pid for one in children}
    return found


def _all() -> Iterator[tuple[Running, int]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (stat := _read(int(folder.name), "stat")):
            fields = stat.rpartition(")")[2].split()
            if fields[0] != "Z":
                yield Running(int(folder.name), int(fields[19])), int(fields[1])


def _read(pid: int, name: str) -> str:
    try:
        return (Path("/proc") / str(pid) / name).read_text(errors="replace")
    except OSError:  # it has ended meanwhile
        return ""
