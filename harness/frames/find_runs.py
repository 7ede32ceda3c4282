"""Which runs are meant: run folders, folders of runs, glob patterns, and whatever has a path."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

from dtbench.harness.core.errors import DtbenchError, UserError
from dtbench.harness.core.model import Notify
from dtbench.harness.core.user_warnings import warn_user
from dtbench.harness.store.find_run import TRAINING_FILE, kind_of
from dtbench.harness.store.run_folder import StoredRun


@runtime_checkable
class RunWithPath(Protocol):
    """A run in Python, which knows its folder."""

    @property
    def path(self) -> Path:
        """Its folder."""
        ...


Runs: TypeAlias = "str | os.PathLike[str] | RunWithPath | Iterable[str | os.PathLike[str] | RunWithPath]"
"""A run folder, a folder of runs, a pattern such as `results/*`, a run, or several of these."""
_GLOB_SIGNS = frozenset("*?[")


def find_runs(runs: Runs, notify: Notify = warn_user) -> list[StoredRun]:
    """Open the runs that are meant, each once; a damaged one among others is left out, and `notify` is told.

    A UserError where a path that is named does not exist, or where there is no run at all.
    """
    opened: dict[Path, StoredRun] = {}
    left_out: list[DtbenchError] = []
    for one in _each(runs):
        if isinstance(one, StoredRun):
            opened.setdefault(one.path.resolve(), one)
            continue
        for found in _paths(one):
            try:
                run = StoredRun.open(found)
            except DtbenchError as error:
                left_out.append(error)
            else:
                opened.setdefault(run.path.resolve(), run)
    if not opened:
        if left_out:
            raise left_out[0]
        raise UserError("runs: none was named: give a run folder, a folder of runs, or a pattern such as 'results/*'.")
    for reason in left_out:
        notify(f"left out: {reason}")
    return list(opened.values())


def _each(runs: Any) -> Iterator[Any]:
    if isinstance(runs, str | os.PathLike | RunWithPath):
        yield runs
        return
    if hasattr(runs, "columns"):  # a frame, such as that of runs_df() or a part of it
        if "run" not in runs.columns:
            raise UserError("runs: a frame without the column run: give one of runs_df(), a run folder, or a list.")
        runs = dict.fromkeys(runs["run"])
    try:
        yield from runs
    except TypeError:
        raise _no_run(runs) from None


def _no_run(value: object) -> UserError:
    what = type(value).__name__
    return UserError(f"runs: {what} is not a run: give a run folder, a run, or a list of them.")


def _paths(one: Any) -> Iterator[Path]:
    """Yield the folders of the runs that a name stands for."""
    if isinstance(one, RunWithPath) and not isinstance(one, str | os.PathLike):
        yield Path(one.path)
    elif not isinstance(one, str | os.PathLike):
        raise _no_run(one)
    elif _is_pattern(text := os.fspath(one)):
        yield from _matching(text)
    elif (path := Path(text)).is_dir() and not (path / "run.json").exists() and not (path / TRAINING_FILE).exists():
        inside = list(_runs_inside(path))
        yield from inside or [path]
    else:
        if not path.exists():
            raise UserError(f"{path}: not a run folder: there is no such folder. `dtbench run --out` makes one.")
        yield path


def _is_pattern(text: str) -> bool:
    return not _GLOB_SIGNS.isdisjoint(text) and not Path(text).exists()


def _matching(pattern: str) -> Iterator[Path]:
    """Yield the runs at and below the folders that match."""
    import glob

    folders = sorted(Path(match) for match in glob.glob(pattern, recursive=True))  # noqa: PTH207  # absolute ones too
    found = [one for folder in folders if folder.is_dir() for one in _at_or_inside(folder)]
    if not found:
        raise UserError(f"{pattern}: no run matches this pattern; it is read from {Path.cwd()}.")
    yield from found


def _at_or_inside(folder: Path) -> Iterator[Path]:
    if (folder / "run.json").exists():
        if kind_of(folder) in {"run", None}:
            yield folder
    else:
        yield from _runs_inside(folder)


def _runs_inside(folder: Path) -> Iterator[Path]:
    """Yield every run below a folder, those in another form inside a run too; what a judge made is none."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if "run.json" in files and kind_of(Path(parent)) in {"run", None}:
            yield Path(parent)
