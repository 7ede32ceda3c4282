"""What to type next: the last lines of a command, with the folders of this very call."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.core.errors import DtbenchError, one_line

TITLE = "What to type next:"
MOST_STEPS = 3
COLUMNS = 80
"""Of the lines where there is no terminal that says otherwise."""
EXPORT_FORMATS = {
    "mmar": "arc",
    "mmau-mini": "mmau",
    "mmau-test": "mmau-test",
    "mmsu": "mmsu",
    "adqa-bench": "dcase-adqa",
}
"""What is handed in of a run, by its task."""


class NextStep(NamedTuple):
    """A command, and what it is for."""

    arguments: Sequence[str | Path]
    """Less the name of the program."""
    purpose: str = ""

    @property
    def command(self) -> str:
        """The command as a shell reads it."""
        return shlex.join(["dtbench", *map(str, self.arguments)])


def step_lines(steps: Iterable[NextStep], columns: int = COLUMNS) -> list[str]:
    """Return a line for each step; purposes stand behind the commands, where there is room for them."""
    commands = [(one_line(f"  {step.command}"), step.purpose) for step in steps]
    place = max((len(command) for command, purpose in commands if _fits(command, purpose, columns)), default=0)
    return [
        f"{command:<{place}}  # {purpose}" if purpose and _fits(f"{command:<{place}}", purpose, columns) else command
        for command, purpose in commands
    ]


def _fits(command: str, purpose: str, columns: int) -> bool:
    return len(f"{command}  # {purpose}") <= columns


def print_next(*steps: NextStep, quiet: bool = False, note: str = "") -> None:
    """Print on stderr what to type next, three commands at most; nothing where the output is for machines."""
    if quiet or not steps:
        return
    columns = COLUMNS
    if sys.stderr.isatty():
        from dtbench.harness.run.live_line import terminal_columns

        columns = terminal_columns(sys.stderr)
    lines = [TITLE, *step_lines(steps[:MOST_STEPS], columns), *([note] if note else [])]
    print("\n".join(lines), file=sys.stderr, flush=True)


def after_run(folder: Path, tasks: Sequence[str]) -> list[NextStep]:
    """Return what to do with a run that is done: look at it, compare it, hand it in."""
    steps = [NextStep(["report", folder], "every answer on one page")]
    if (other := _neighbour(folder, tasks)) is not None:
        steps.append(NextStep(["compare", other, folder], "is it better?"))
    formats = [EXPORT_FORMATS[task] for task in tasks if task in EXPORT_FORMATS]
    if formats and _is_for_a_leaderboard(folder):
        which = ["--task", tasks[0]] if len(tasks) > 1 else []
        steps.append(NextStep(["export", folder, "--format", formats[0], *which], "the file for the leaderboard"))
    return steps


def _is_for_a_leaderboard(folder: Path) -> bool:
    """Whether all questions were asked as they are, of a model that does not know the answers."""
    from dtbench.harness.store.run_folder import StoredRun

    info = StoredRun.open(folder).info
    as_published = (
        not about.get("chosen_by")
        and about.get("audio", "clip") == "clip"
        and not any(about.get(name) for name in ("permute", "order", "paraphrase"))
        for about in info["tasks"].values()
    )
    return not info["model"].get("oracle") and all(as_published)


def trial_note(folder: Path) -> str:
    """Return how the other questions are asked, of a run of some of them; nothing of one of all."""
    from dtbench.harness.store.run_folder import StoredRun

    tasks = StoredRun.open(folder).info["tasks"].values()
    chosen = dict.fromkeys(option for about in tasks for option in about.get("chosen_by", ()))
    return f"The same command without {' '.join(chosen)} asks the other questions too." if chosen else ""


def _neighbour(folder: Path, tasks: Sequence[str]) -> Path | None:
    """Return the latest other run of these tasks in the same folder of runs."""
    from dtbench.harness.store.run_json import read_info

    others = [path for path in folder.parent.glob("*/run.json") if path.parent.resolve() != folder.resolve()]
    for path in sorted(others, key=lambda one: one.stat().st_mtime, reverse=True)[:MOST_STEPS]:
        try:
            info = read_info(path.parent)
        except (DtbenchError, OSError):  # another folder's fault is none of ours
            continue
        if info["kind"] == "run" and info["status"] == "done" and set(tasks) <= set(info["tasks"]):
            return path.parent
    return None
