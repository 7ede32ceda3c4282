"""Reading metadata: JSON lists, JSON lines, parquet columns; whatever is wrong is named with its place."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.errors import DataError
from dtbench.harness.schema import Dataset, Sample
from dtbench.harness.task import content_hash


class Record(NamedTuple):
    """One object of a metadata file, and where it stood."""

    where: str
    item: dict[str, Any]

    def wrong(self, what: str) -> DataError:
        """The error that says what is wrong with this record."""
        return DataError(f"{self.where}: {what}.")

    def get(self, key: str) -> Any:
        """A field that every record must have."""
        if key not in self.item:
            known = ", ".join(self.item) or "none"
            raise self.wrong(f"the field {key!r} is missing; there are: {known}")
        return self.item[key]

    def text(self, key: str) -> str:
        """A field that must be text."""
        value = self.get(key)
        if not isinstance(value, str):
            raise self.wrong(f"{key!r} must be text, found {_show(value)}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A field that must be a list of texts, not empty."""
        value = self.get(key)
        if not isinstance(value, list) or not value or not all(isinstance(entry, str) for entry in value):
            raise self.wrong(f"{key!r} must be a list of texts, found {_show(value)}")
        return tuple(value)


def read_json(path: Path) -> list[Record]:
    """The objects of a JSON list or of JSON lines, told apart by content."""
    text = _read_text(path)
    if text.lstrip().startswith("["):
        return _json_list(path, text)
    return _json_lines(path, text)


def read_columns(path: Path, columns: Sequence[str]) -> list[Record]:
    """The rows of a parquet file, without what the columns leave out; a dotted name is a part of a column."""
    with _parquet(path) as file:
        missing = {name.split(".")[0] for name in columns} - set(file.schema_arrow.names)
        if missing:
            there = ", ".join(file.schema_arrow.names)
            raise DataError(f"{path}: the column {min(missing)!r} is missing; there are: {there}.")
        rows = file.read(columns=list(columns)).to_pylist()
    return [Record(f"{path}: row {number}", row) for number, row in enumerate(rows)]


def column_names(path: Path) -> list[str]:
    """The columns of a parquet file."""
    with _parquet(path) as file:
        return list(file.schema_arrow.names)


@contextlib.contextmanager
def _parquet(path: Path) -> Iterator[Any]:
    import pyarrow
    import pyarrow.parquet

    refuse_pointer(path)
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            yield file
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a readable parquet file ({str(error).splitlines()[0]}).") from None


def refuse_pointer(path: Path) -> None:
    """A clone without its large files has a few words in place of each."""
    with path.open("rb") as handle:
        if handle.read(42).startswith(b"version https://git-lfs.github.com/spec"):
            raise DataError(f"{path}: a pointer of Git LFS, not the data: run `git lfs pull` in its folder.")


def dataset(samples: list[Sample], version: str, path: Path, notes: Iterable[str]) -> Dataset:
    """The samples of a metadata file, sure to have unique ids and text that can be written."""
    if not samples:
        raise DataError(f"{path}: there is no item in it.")
    places: dict[str, int] = {}
    for number, sample in enumerate(samples, start=1):
        if sample.id in places:
            raise DataError(
                f"{path}: the id {sample.id!r} is there twice (items {places[sample.id]} and {number}); "
                f"ids must be unique."
            )
        places[sample.id] = number
    try:
        return Dataset(samples, version, content_hash(samples), str(path), tuple(notes))
    except UnicodeEncodeError as error:
        raise DataError(f"{path}: there is text that no encoding can write: {error.object[:60]!a}.") from None


def unanswerable(samples: Iterable[Sample]) -> list[Sample]:
    """The samples whose right answer is none of their options."""
    return [sample for sample in samples if sample.answer is not None and sample.answer not in sample.choices]


def as_heading(value: object) -> str:
    """A value as tables show it: lists joined, nothing as `none`."""
    if value is None:
        return "none"
    if isinstance(value, list):
        return ", ".join(as_heading(entry) for entry in value)
    return str(value)


def headings(item: Mapping[str, Any], names: Iterable[str]) -> dict[str, str]:
    """The fields that tables report by, as text; those that are there."""
    return {name: as_heading(item[name]) for name in names if name in item}


def _read_text(path: Path) -> str:
    refuse_pointer(path)
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text (byte {error.start}); is it another kind of file?") from None


def _json_list(path: Path, text: str) -> list[Record]:
    try:
        items = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: line {error.lineno}, column {error.colno}: not JSON ({error.msg}).") from None
    except RecursionError:
        raise DataError(f"{path}: not a list of items: it is nested too deeply.") from None
    return [_record(f"{path}: item {number}", item) for number, item in enumerate(items, start=1)]


def _json_lines(path: Path, text: str) -> list[Record]:
    records = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}: line {number}"
        try:
            records.append(_record(where, json.loads(line)))
        except json.JSONDecodeError as error:
            raise DataError(f"{where}, column {error.colno}: not JSON ({error.msg}).") from None
        except RecursionError:
            raise DataError(f"{where}: not an item: it is nested too deeply.") from None
    return records


def _record(where: str, item: object) -> Record:
    if not isinstance(item, dict):
        raise DataError(f"{where}: an object with fields is expected, found {_show(item)}.")
    return Record(where, item)


def _show(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
