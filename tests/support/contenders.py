"""Harnesses run in turn, and the table of what each cost."""

from __future__ import annotations

import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench_page import note
from measured import CommandError, Cost, measured
from peer_environments import PeerError, peer_commands

ROUNDS = 3
LONG = 30.0
"""A run of so many seconds is not repeated."""
DTBENCH = Path(sys.executable).with_name("dtbench")


@dataclass(slots=True)
class Contender:
    """A harness as it is run here."""

    title: str
    """Its own among those that are run in turn."""
    command: list[str | Path]
    """{out} stands for the folder of its logs."""
    logged: Callable[[Path], int] | None = None
    """How many answers it left there; None: it is asked nothing."""
    who: str = ""
    """Its name on the page; empty: its title."""
    cost: Cost | None = None
    runs: int = 0
    answers: int = 0
    failure: str = field(default="", init=False)

    def run(self, folder: Path, env: Mapping[str, str]) -> None:
        """Once more, unless it failed or takes long."""
        if self.failure or (self.cost and self.cost.wall > LONG):
            return
        out = folder / f"{self.title} {self.runs}".replace(" ", "-")
        command = [str(part).replace("{out}", str(out)) for part in self.command]
        try:
            cost = measured(command, folder, env, folder / "said.txt")
            self.answers = self.logged(out) if self.logged else 0
        except (CommandError, OSError) as error:
            self.failure = str(error)
            return
        if self.logged and not self.answers:
            self.failure = "it ended with 0 and logged no answer"
            return
        shutil.rmtree(out, ignore_errors=True)
        self.cost = cost.least(self.cost) if self.cost else cost
        self.runs += 1


def in_turn(contenders: list[Contender], folder: Path) -> None:
    env = environment(folder)
    for _ in range(ROUNDS):
        for contender in contenders:
            contender.run(folder, env)


def environment(folder: Path) -> dict[str, str]:
    """Caches and settings of its own, and no hub."""
    home = folder / "home"
    home.mkdir()
    return {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "HF_HUB_OFFLINE": "1"}


def if_lmms(command: str) -> dict[str, str]:
    return {"lmms_eval": command} if os.environ.get("DTBENCH_BENCH_LMMS") else {}


def installed(name: str) -> Path | None:
    try:
        return peer_commands(name)
    except PeerError as error:
        print(f"\nleft out: {error}")
        return None


def lines(pattern: str) -> Callable[[Path], int]:
    def count(out: Path) -> int:
        return sum(path.read_bytes().count(b"\n") for path in out.glob(pattern))

    return count


def zipped_samples(out: Path) -> int:
    with zipfile.ZipFile(next(out.glob("*.eval"))) as log:
        return sum(name.startswith("samples/") for name in log.namelist())


def print_table(title: str, contenders: list[Contender]) -> None:
    ours = contenders[0].cost
    counted = any(contender.answers for contender in contenders)
    print(f"\n{title}, best of {ROUNDS}, {os.cpu_count()} cores; x: times dtbench")
    answers = f"{'logged':>8}" if counted else ""
    print(f"{'':<32}{'wall s':>8}{'x':>7}{'CPU s':>8}{'x':>7}{'peak MB':>9}{'x':>7}{'runs':>6}{answers}")
    for contender in contenders:
        who = contender.who or contender.title
        if contender.cost is None or contender.failure:
            note(f"{title}: CPU", who, None, contender.failure)
            print(f"{contender.title:<32}failed: {contender.failure}")
            continue
        figures = [f"{each:>{width}.2f}" for each, width in zip(contender.cost, (8, 8, 9), strict=True)]
        ratios = [f"{each / one:>7.1f}" for each, one in zip(contender.cost, ours or contender.cost, strict=True)]
        note(f"{title}: CPU", who, contender.cost.cpu)
        if counted:
            note(f"{title}: peak memory", who, contender.cost.megabytes)
        columns = "".join(figure + ratio for figure, ratio in zip(figures, ratios, strict=True))
        answers = f"{contender.answers:>8}" if counted else ""
        print(f"{contender.title:<32}{columns}{contender.runs:>6}{answers}")
