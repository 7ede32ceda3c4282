"""Read the records of a task file's sources: JSON, CSV, TSV, Parquet with audio inside, and what `datasets` loads."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.core.errors import DataError, UserError, did_you_mean, format_error
from dtbench.harness.core.given_rows import dataset_rows
from dtbench.harness.core.installed import install_command
from dtbench.harness.core.records import MetadataRecord, open_parquet, read_json
from dtbench.tasks.data.clips import EmbeddedClip
from dtbench.tasks.declared.definition import SourceTable
from dtbench.tasks.declared.field_rules import FILE, FOLDER, ROW, value_at

FORMATS = {
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
SAVED = ("state.json", "dataset_dict.json")
"""What a folder has that `save_to_disk` of datasets wrote."""
_LONGEST_CELL = 1 << 24


class SourceFiles(NamedTuple):
    """The files of a task that were found."""

    root: Path
    """The folder of its data."""
    files: tuple[Path, ...]


def read_rows(source: SourceTable, found: SourceFiles, audio: str | None) -> Iterator[MetadataRecord]:
    """Yield every record, with its place; `audio` is the column of clips."""
    if source.format == "datasets":
        yield from _dataset_records(source, found, audio)
        return
    for path in found.files:
        for number, record in enumerate(_file_rows(source, path)):
            record.item.update({FILE: path.stem, FOLDER: path.parent.name, ROW: number})
            yield record


def _file_rows(source: SourceTable, path: Path) -> Iterator[MetadataRecord]:
    kind = source.format or FORMATS.get(path.suffix.lower())
    if kind == "parquet":
        return _parquet_rows(path)
    if kind in {"csv", "tsv"}:
        return _table_rows(path, "," if kind == "csv" else "\t")
    if kind != "json":
        ends = ", ".join(FORMATS)
        raise DataError(
            f"{path}: a file of records ends in {ends}; for another name set format in [source], and format = "
            f'"datasets" for what `datasets` alone can read.'
        )
    return read_json(path) if source.rows is None else _nested_rows(path, source.rows)


def _nested_rows(path: Path, rows: str) -> Iterator[MetadataRecord]:
    """Yield the records of a list within one JSON object."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text (byte {error.start}); is it another kind of file?") from None
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: line {error.lineno}, column {error.colno}: not JSON ({error.msg}).") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not readable JSON ({str(error).partition(';')[0]}).") from None
    found = value_at(content, rows) if isinstance(content, Mapping) else None
    if not isinstance(found, list):
        known = ", ".join(content) if isinstance(content, Mapping) else type(content).__name__
        raise DataError(f"{path}: rows = {json.dumps(rows)}: a list of records is expected there; found: {known}.")
    for number, item in enumerate(found, start=1):
        if not isinstance(item, dict):
            raise DataError(f"{path}: item {number}: an object with fields is expected, found {repr(item)[:60]}.")
        yield MetadataRecord(f"{path}: item {number}", {**item})


def _table_rows(path: Path, delimiter: str) -> Iterator[MetadataRecord]:
    """Yield the records of a table of text, whose first line names the columns; an empty cell is null."""
    csv.field_size_limit(_LONGEST_CELL)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter=delimiter, restkey="", strict=True)
            names = reader.fieldnames or []
            if twice := next((name for name in names if list(names).count(name) > 1), None):
                raise DataError(
                    f"{path}: line 1: the column {twice!r} is there twice; columns have names of their own."
                )
            for row in reader:
                where = f"{path}: line {reader.line_num}"
                if row.get("") and "" not in names:
                    raise DataError(f"{where}: it has more cells than the {len(names)} columns of the first line.")
                yield MetadataRecord(where, {name: value or None for name, value in row.items()})
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text (byte {error.start}); is it another kind of file?") from None
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: not a table of text ({error}).") from None


def _parquet_rows(path: Path) -> Iterator[MetadataRecord]:
    """Yield the rows without the bytes of clips, which are read when they are needed."""
    with open_parquet(path) as file:
        clips = {one.name: many for one in file.schema_arrow if (many := _holds_clips(one.type)) is not None}
        columns = [column for one in file.schema_arrow for column in _read_columns(one, clips)]
        number = 0
        for batch in file.iter_batches(1024, columns=columns):
            for item in batch.to_pylist():
                for name, many in clips.items():
                    item[name] = _embedded(item.get(name), EmbeddedClip(path, number, name), many=many)
                yield MetadataRecord(f"{path}: row {number}", item)
                number += 1


def _holds_clips(kind: Any) -> bool | None:
    """Whether a column holds clips one by one (False) or lists of them (True); None where it holds something else."""
    import pyarrow.types

    if pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind):
        return None if _holds_clips(kind.value_type) is None else True
    binary = pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind)
    inside = pyarrow.types.is_struct(kind) and kind.get_field_index("bytes") >= 0
    return False if binary or inside else None


def _read_columns(column: Any, clips: Mapping[str, bool]) -> list[str]:
    import pyarrow.types

    if column.name not in clips:
        return [column.name]
    kind, below = column.type, column.name
    if clips[column.name]:
        kind, below = kind.value_type, f"{column.name}.list.{kind.value_field.name}"
    if not pyarrow.types.is_struct(kind):
        return [column.name] if clips[column.name] else []
    return [f"{below}.{inner.name}" for inner in kind if inner.name != "bytes"] or [column.name]


def _embedded(value: Any, clip: EmbeddedClip, *, many: bool) -> Any:
    if not many:
        return clip
    return [EmbeddedClip(clip.file, clip.row, clip.column, place) for place in range(len(value or ()))]


def _dataset_records(source: SourceTable, found: SourceFiles, audio: str | None) -> Iterator[MetadataRecord]:
    data = _load_dataset(source, found)
    column = None if audio is None else audio.split(".")[0]
    for number, row in enumerate(dataset_rows(data, column)):
        yield MetadataRecord(
            f"{found.root}: row {number}", {**row, FILE: source.split or "data", FOLDER: found.root.name, ROW: number}
        )


def _load_dataset(source: SourceTable, found: SourceFiles) -> Any:
    try:
        import datasets
    except ModuleNotFoundError as error:
        if error.name != "datasets":
            raise
        raise UserError(f'format = "datasets" needs datasets: {install_command("datasets")}') from None
    datasets.disable_progress_bars()
    try:
        if not found.files:
            data = datasets.load_dataset(source.hub, source.config, revision=source.revision)
        elif any((found.files[0] / name).is_file() for name in SAVED):
            data = datasets.load_from_disk(str(found.files[0]))
        else:
            data = datasets.load_dataset(str(found.files[0]), source.config)
    except Exception as error:  # of whatever reads the files
        where = found.files[0] if found.files else source.hub
        raise DataError(f"{where}: datasets cannot load it ({format_error(error)}).") from error
    return _split_of(data, source.split, str(found.root))


def _split_of(data: Any, split: str | None, where: str) -> Any:
    if not hasattr(data, "keys"):
        return data
    names = list(data.keys())
    if split is None and len(names) == 1:
        return data[names[0]]
    if split not in names:
        given = f"split = {json.dumps(split)}" if split else "split is missing in [source]"
        raise UserError(f"{where}: {given}. {did_you_mean(split or '', names)}")
    return data[split]
