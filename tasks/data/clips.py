"""Clips in a folder, in an archive that is not unpacked yet, or inside a parquet file.

What reads them is imported when the first one is read: scoring a prediction file reads none.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dtbench.harness.core.errors import DataError
from dtbench.harness.core.records import MetadataRecord
from dtbench.harness.core.schema import Clip

_ROWS_AT_ONCE = 8
_BATCHES_KEPT = 3


@dataclass(frozen=True, slots=True)
class ArchivedClip:
    """A clip in an archive, which is unpacked next to the metadata when the first of its clips is read."""

    path: Path
    folder: Path
    archive: Path

    @property
    def label(self) -> str:
        """Return the path of the unpacked clip."""
        return str(self.path)

    def read(self) -> bytes:
        """Read the encoded bytes, as published."""
        from dtbench.harness.audio.prepare import read_clip

        if not self.folder.is_dir():
            _unpack_once(self.archive, self.folder)
        return read_clip(self.path)

    def is_there(self) -> bool:
        """Whether the clip is unpacked, or the archive is there and nothing of it is."""
        return self.path.is_file() if self.folder.is_dir() else self.archive.is_file()


def _unpack_once(archive: Path, folder: Path) -> None:
    """Unpack the archive; one that was refused is not tried again for each of its clips."""
    from dtbench.tasks.data.archive import unpack

    refusal = _refused.get(archive)
    if refusal is None:
        try:
            unpack(archive, folder)
        except DataError as error:
            refusal = _refused[archive] = str(error)
    if refusal is not None:
        raise DataError(refusal)


_refused: dict[Path, str] = {}


class ClipFolder:
    """The folder that the clip paths of a metadata file start from, and the archives that may contain the clips."""

    def __init__(self, root: Path, archives: Sequence[str]) -> None:
        self._root = root
        self._archives = archives
        self._archive = next((root / name for name in archives if (root / name).is_file()), None)
        self._listings: dict[str, dict[str, str] | None] = {}

    def clip(self, record: MetadataRecord, key: str) -> Path | Clip:
        """Return the clip that a record names; whether it exists shows when it is read."""
        # Split by hand: pathlib would take a third of the time of loading a benchmark.
        parts = [part for part in record.text(key).split("/") if part not in ("", ".")]
        if len(parts) < 2 or ".." in parts or "\0" in record.item[key]:
            raise record.wrong(f"{key!r} must be a path like './audio/name.wav', found {record.item[key]!r}")
        listing = self._listing(parts[0])
        if listing is not None and len(parts) == 2:
            parts[1] = listing.get(parts[1]) or listing.get(_stem(parts[1])) or parts[1]
        path = self._root.joinpath(*parts)
        if listing is None and self._archive:
            return ArchivedClip(path, self._root / parts[0], self._archive)
        return path

    def missing(self, folder: str) -> list[str]:
        """Return a note where there are neither clips nor an archive of them."""
        if self._archive or self._listing(folder) is not None:
            return []
        either = " or ".join([f"the folder {folder}", *self._archives])
        return [f"no audio found: scoring works, but a run needs {either} in {self._root}"]

    def _listing(self, folder: str) -> dict[str, str] | None:
        """List a folder: file names by name, and by name without ending; None where there is no folder."""
        if folder not in self._listings:
            path = self._root / folder
            # Copies differ in endings: MMSU's folder holds mp3 and flac where its metadata says wav.
            names = [entry.name for entry in path.iterdir()] if path.is_dir() else []
            by_name = {_stem(name): name for name in names} | {name: name for name in names}
            self._listings[folder] = by_name if path.is_dir() else None
        return self._listings[folder]


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


@dataclass(frozen=True, slots=True)
class EmbeddedClip:
    """A clip inside a parquet file, in a column of {bytes, path}, of bytes, or of lists of either."""

    file: Path
    row: int
    column: str
    place: int | None = None
    """Which entry of a list it is, from 0."""

    @property
    def label(self) -> str:
        """Return the file and the row."""
        place = "" if self.place is None else f", clip {self.place + 1}"
        return f"{self.file}: row {self.row}{place}"

    def read(self) -> bytes:
        """Read the encoded bytes, as published."""
        data = _reader(self.file, self.column).read(self.row, self.place)
        if data is None:
            raise DataError(f"{self.label}: the column {self.column!r} has no audio bytes in this row.")
        return data

    def is_there(self) -> bool:
        """Whether the file is there."""
        return self.file.is_file()


class _ParquetClips:
    """Reads clips row by row, forward, and keeps a few pages of the file, however many clips it has.

    Row groups are streamed, not loaded: in a published file one may hold all the clips.
    """

    def __init__(self, file: Path, column: str) -> None:
        import pyarrow.parquet

        self._file = file
        self._column = column
        self._lock = threading.Lock()
        self._parquet = pyarrow.parquet.ParquetFile(file, pre_buffer=False, buffer_size=1 << 16)
        sizes = [self._parquet.metadata.row_group(n).num_rows for n in range(self._parquet.num_row_groups)]
        kind = self._parquet.schema_arrow.field(column).type
        self._columns = f"{column}.bytes" if pyarrow.types.is_struct(kind) else column
        self._starts = [sum(sizes[:n]) for n in range(len(sizes) + 1)]
        self._kept: dict[int, list[Any]] = {}
        self._stream: Iterator[Any] = iter(())
        self._next_row = self._end_of_group = 0

    def read(self, row: int, place: int | None = None) -> bytes | None:
        """Read the bytes of a row, or of an entry of its list; cheapest in order."""
        import pyarrow

        with self._lock:
            try:
                batch, first = self._batch_with(row)
            except (pyarrow.ArrowException, OSError, StopIteration) as error:
                reason = str(error).splitlines() or ["it ends too early"]
                raise DataError(f"{self._file}: row {row}: damaged ({reason[0]}).") from None
        cell = batch[row - first].as_py()
        if place is not None:
            cell = cell[place]
        data = cell["bytes"] if isinstance(cell, dict) else cell
        return data if isinstance(data, bytes) else None

    def _batch_with(self, row: int) -> tuple[Any, int]:
        for first, batch in self._kept.items():
            if first <= row < first + len(batch):
                return batch, first
        if not self._next_row <= row < self._end_of_group:
            self._open_group(row)
        while True:
            first, batch = self._next_row, next(self._stream).column(0)
            self._next_row += len(batch)
            if row < self._next_row:
                break
        self._kept[first] = batch
        if len(self._kept) > _BATCHES_KEPT:
            del self._kept[next(iter(self._kept))]
        return batch, first

    def _open_group(self, row: int) -> None:
        group = next(n for n, end in enumerate(self._starts[1:]) if row < end)
        self._next_row, self._end_of_group = self._starts[group], self._starts[group + 1]
        self._stream = self._parquet.iter_batches(
            _ROWS_AT_ONCE, row_groups=[group], columns=[self._columns], use_threads=False
        )


_reader = functools.lru_cache(maxsize=4)(_ParquetClips)
