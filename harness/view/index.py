"""The runs below a folder, each with how far it is: looked at again and again, reading only what was added."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.core.errors import DtbenchError, format_error, one_line
from dtbench.harness.run.watch import RUNNING, RunWatch, WatchedTask
from dtbench.harness.store.find_run import kind_of
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.run_json import read_summary
from dtbench.harness.store.summary_types import Summary
from dtbench.harness.view.types import IndexedRun, IndexedTask

_DEPTH = 8
_FIRST = 5
State = tuple[tuple[str, int, int], ...]
"""Of each file that a run writes: its name, its size and when it was written last."""


class _Indexed(NamedTuple):
    state: State
    row: IndexedRun
    watch: RunWatch | None


class RunIndex:
    """The runs below a folder by their path in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, _Indexed] = {}

    def update(self) -> Mapping[str, IndexedRun]:
        """Look once more, and return a row for each run; one that cannot be read says why and hides no other."""
        found: dict[str, _Indexed] = {}
        for path in run_folders(self.folder):
            name = path.relative_to(self.folder).as_posix()
            state, known = state_of(path), self._known.get(name)
            # A run that was killed writes nothing any more, and only a look at its process tells.
            again = known is None or known.state != state or known.row["status"] == RUNNING
            found[name] = self._looked_at(name, path, state, known) if again or known is None else known
        self._known = found
        return {name: known.row for name, known in found.items()}

    def path_of(self, name: str) -> Path | None:
        """Return the folder of a run that was found; None for any other name."""
        return self.folder / name if name in self._known else None

    def state(self, name: str) -> State:
        """Return what changes whenever the run writes."""
        return state_of(self.folder / name)

    def _looked_at(self, name: str, path: Path, state: State, known: _Indexed | None) -> _Indexed:
        try:
            watch = (known.watch if known else None) or RunWatch(path)
            return _Indexed(state, _row(name, path, watch), watch)
        except (DtbenchError, OSError) as error:
            reason = one_line(str(error))
        except Exception as error:  # one run that nobody can read must not hide the others
            reason = one_line(format_error(error))
        row = IndexedRun(run=name, model="", start="", status="damaged", note=reason, tasks=[])
        return _Indexed(state, row, None)


def run_folders(folder: Path) -> Iterator[Path]:
    """Yield the folders of runs in a folder and below it, in the order of their names; links are not followed."""
    for name, folders, files in os.walk(folder):
        path = Path(name)
        depth = len(path.relative_to(folder).parts)
        folders[:] = sorted(one for one in folders if not one.startswith(".")) if depth < _DEPTH else []
        if "run.json" in files and kind_of(path) in {"run", None}:
            yield path


def state_of(path: Path) -> State:
    """Return the sizes and times of what a run writes."""
    state = []
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.name.endswith((".jsonl", ".json")) and entry.is_file(follow_symlinks=False):
                about = entry.stat(follow_symlinks=False)
                state.append((entry.name, about.st_size, about.st_mtime_ns))
    return tuple(sorted(state))


def _row(name: str, path: Path, watch: RunWatch) -> IndexedRun:
    seen = watch.update()
    info = StoredRun.open(path).info
    model = info["model"]
    note = ""
    official: dict[str, float | None] = {}
    try:
        if (summary := read_summary(path, Summary)) is not None:
            official = {one["task"]: one["official"]["accuracy"] for one in summary["tasks"]}
    except DtbenchError as error:
        note = one_line(str(error))
    return IndexedRun(
        run=name,
        model=str(model.get("model") or model.get("name") or info["endpoint"].get("spec") or path.name),
        start=info["start"] or "",
        status=seen.status,
        note=note,
        tasks=[_task(one, official) for one in seen.tasks],
    )


def _task(watched: WatchedTask, official: Mapping[str, float | None]) -> IndexedTask:
    counts = watched.counts
    given = counts.done - counts.failed
    score = official.get(watched.name)
    return IndexedTask(
        task=watched.name,
        done=watched.state.done,
        expected=watched.state.expected,
        unanswered=counts.unanswered,
        failed=counts.failed,
        score=score if score is not None else counts.correct / given if given >= _FIRST else None,
        official=score is not None,
    )
