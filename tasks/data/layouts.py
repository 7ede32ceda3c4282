"""Where a task's metadata is looked for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.core.errors import DataError


class MetadataFiles(NamedTuple):
    """The metadata to read."""

    files: tuple[Path, ...]
    """One file, or the shards of one."""
    root: Path
    """The folder that clip paths start from."""
    passed_over: tuple[str, ...]
    """Other metadata of the task in the same folder."""

    @property
    def file(self) -> Path:
        """The file, or the first shard."""
        return self.files[0]

    def notes(self) -> list[str]:
        """What was passed over, as a note."""
        return [f"read {self.file.name}, not {', '.join(self.passed_over)} beside it"] if self.passed_over else []


def data_root(data_dir: Path | None) -> Path:
    """The folder of all data sets: the user's, $DTBENCH_DATA, or the cache in the home folder."""
    if data_dir is not None:
        return data_dir.expanduser()
    named = os.environ.get("DTBENCH_DATA")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "dtbench"


def task_folder(task: str, data_dir: Path | None) -> Path:
    """The folder where `dtbench data pull` puts a task: D/TASK, or D where D is called so."""
    root = data_root(data_dir)
    return root if root.name == task else root / task


def find_metadata(
    task: str, data_dir: Path | None, patterns: Sequence[str], folders: Sequence[str] = ()
) -> MetadataFiles:
    """The first folder with metadata in it, and there the first pattern that fits.

    Looked at are D, D/TASK and D/FOLDER for each of the folders; D may also be the metadata file itself.
    """
    root = data_root(data_dir)
    if root.is_file():
        return MetadataFiles((root,), _clip_root(root), ())
    if data_dir is not None and not root.is_dir():
        raise DataError(f"--data-dir {root}: there is no such folder.")
    tried = [root, *(root / name for name in dict.fromkeys((task, *folders)))]
    for folder in tried:
        found = {pattern: files for pattern in patterns if (files := _files(folder, pattern))}
        if found:
            (_, files), *others = found.items()
            _refuse_missing_shards(files[0])
            passed_over = tuple(file.relative_to(folder).as_posix() for _, more in others for file in more)
            return MetadataFiles(files, _clip_root(files[0]), passed_over)
    raise DataError(
        f"no {task} metadata in {root} or {root / task}: looked for {', '.join(patterns)}. "
        f"Fetch it with `dtbench data pull {task}`, or name its folder with --data-dir."
    )


def _files(folder: Path, pattern: str) -> tuple[Path, ...]:
    return tuple(sorted(file for file in folder.glob(pattern) if file.is_file()))


def _refuse_missing_shards(file: Path) -> None:
    """`train-00000-of-00003.parquet` says how many there must be."""
    start, of, count = file.stem.rpartition("-of-")
    if not of or not count.isdigit():
        return
    name = start.rpartition("-")[0]
    wanted = [f"{name}-{number:05}-of-{count}{file.suffix}" for number in range(int(count))]
    missing = [shard for shard in wanted if not (file.parent / shard).is_file()]
    if missing:
        raise DataError(f"{file.parent}: {len(missing)} of {len(wanted)} parts are missing: {', '.join(missing)}.")


def _clip_root(file: Path) -> Path:
    """Metadata may lie in a folder of its own beside the clips."""
    return file.parent.parent if file.parent.name == "question" else file.parent
