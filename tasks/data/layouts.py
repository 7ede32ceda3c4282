"""Find the metadata of a task, and make a data set of its records."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import DataError
from dtbench.harness.core.schema import Sample


class MetadataFiles(NamedTuple):
    """The metadata files of a task."""

    files: tuple[Path, ...]
    """One file, or its shards."""
    root: Path
    """The folder that clip paths start from."""
    unused: tuple[str, ...]
    """Other metadata of the task in the same folder."""

    @property
    def file(self) -> Path:
        """Return the file, or the first shard."""
        return self.files[0]

    def notes(self) -> list[str]:
        """Return a note on metadata that is not used."""
        return [f"read {self.file.name}, not {', '.join(self.unused)} beside it"] if self.unused else []


def data_root(data_dir: Path | None) -> Path:
    """Return the folder of all data sets: the user's, $DTBENCH_DATA, or the cache in the home folder."""
    if data_dir is not None:
        return data_dir.expanduser()
    variable = os.environ.get("DTBENCH_DATA")
    return Path(variable).expanduser() if variable else Path.home() / ".cache" / "dtbench"


def task_folder(task: str, data_dir: Path | None) -> Path:
    """Return the folder where `dtbench data pull` puts a task: D/TASK, or D where it has that name."""
    root = data_root(data_dir)
    return root if root.name == task else root / task


def find_metadata(
    task: str, data_dir: Path | None, patterns: Sequence[str], folders: Sequence[str] = ()
) -> MetadataFiles:
    """Find the first folder with metadata, and in it the first pattern that matches.

    Search D, D/TASK and D/FOLDER for each of the folders; D may also be the metadata file itself.
    """
    root = data_root(data_dir)
    if root.is_file():
        return MetadataFiles((root,), _clip_root(root), ())
    if data_dir is not None and not root.is_dir():
        raise DataError(f"--data-dir {root}: there is no such folder.")
    candidates = [root, *(root / name for name in dict.fromkeys((task, *folders)))]
    for folder in candidates:
        matches = {pattern: files for pattern in patterns if (files := _files(folder, pattern))}
        if matches:
            (_, files), *others = matches.items()
            _refuse_missing_shards(files[0])
            unused = tuple(file.relative_to(folder).as_posix() for _, more in others for file in more)
            return MetadataFiles(files, _clip_root(files[0]), unused)
    raise DataError(
        f"no {task} metadata in {root} or {root / task}: looked for {', '.join(patterns)}. "
        f"Fetch it with `dtbench data pull {task}`, or name its folder with --data-dir."
    )


def make_dataset(samples: Iterable[Sample], path: Path) -> Dataset:
    """Collect the samples of a metadata file: at least one, with unique ids, and text that can be written."""
    try:
        data = Dataset(samples, "", str(path))
    except UnicodeEncodeError as error:
        raise DataError(f"{path}: text that cannot be encoded as UTF-8: {error.object[:60]!a}.") from None
    if not data.samples:
        raise DataError(f"{path}: no item in this file.")
    places: dict[str, int] = {}
    for number, id_ in enumerate(data.ids, start=1):
        if (first := places.setdefault(id_, number)) != number:
            raise DataError(f"{path}: duplicate id {id_!r} (items {first} and {number}); ids must be unique.")
    return data


def group_values(item: Mapping[str, Any], names: Iterable[str]) -> dict[str, str]:
    """Return the fields that tables report by, as text, where the item has them."""
    return {name: _heading(item[name]) for name in names if name in item}


def _heading(value: object) -> str:
    """Write a value as tables show it: lists joined, nothing as `none`."""
    if value is None:
        return "none"
    if isinstance(value, list):
        return ", ".join(_heading(entry) for entry in value)
    return str(value)


def _files(folder: Path, pattern: str) -> tuple[Path, ...]:
    return tuple(sorted(file for file in folder.glob(pattern) if file.is_file()))


def _refuse_missing_shards(file: Path) -> None:
    """Raise a DataError where a shard is missing: `train-00000-of-00003.parquet` says how many there are."""
    start, of, count = file.stem.rpartition("-of-")
    if not of or not count.isdigit():
        return
    name = start.rpartition("-")[0]
    shards = [f"{name}-{number:05}-of-{count}{file.suffix}" for number in range(int(count))]
    missing = [shard for shard in shards if not (file.parent / shard).is_file()]
    if missing:
        raise DataError(f"{file.parent}: {len(missing)} of {len(shards)} parts are missing: {', '.join(missing)}.")


def _clip_root(file: Path) -> Path:
    """Return the folder that clip paths start from: metadata may lie in a folder of its own beside the clips."""
    return file.parent.parent if file.parent.name == "question" else file.parent
