"""A folder of `datasets` as a source of training rows: what `Dataset.save_to_disk` or `dtbench data load` wrote.

Its columns are those of a row; `chain`, `source` and `extra` (JSON) may be absent, and a column `groups` counts as part
of `extra`. Clips that are inside are written into the folder `clips` in it, once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dtbench.harness.core.errors import DataError, UserError
from dtbench.harness.core.records import MetadataRecord
from dtbench.harness.export.stored_answers import portable_name
from dtbench.harness.export.task_dataset import need_datasets
from dtbench.harness.store.atomic import replace_unsynced

CLIPS = "clips"
_NEEDED = ("id", "question", "choices", "answer", "audio")
_TEXTS = ("chain", "source")


def is_dataset_folder(path: Path) -> bool:
    """Whether `datasets` saved this folder, or one of several splits."""
    return any((path / name).is_file() for name in ("state.json", "dataset_dict.json"))


def dataset_records(path: Path) -> Iterator[MetadataRecord]:
    """Yield the rows of the folder as a file of rows has them; their clips start from the folder."""
    datasets = need_datasets()
    if (path / "dataset_dict.json").is_file():
        names = json.loads((path / "dataset_dict.json").read_text())["splits"]
        raise UserError(f"{path}: it has several splits: name one of {', '.join(str(path / name) for name in names)}.")
    try:
        data = datasets.load_from_disk(str(path))
    except Exception as error:  # someone else's reader of someone else's files
        raise DataError(f"{path}: datasets cannot read this folder ({type(error).__name__}: {error}).") from error
    if lacking := [name for name in _NEEDED if name not in data.column_names]:
        has = ", ".join(data.column_names)
        raise DataError(f"{path}: training rows need the column {lacking[0]!r}; it has {has}.")
    if isinstance(data.features["audio"], datasets.Audio):
        data = data.cast_column("audio", datasets.Audio(decode=False))
    for number, row in enumerate(data, start=1):
        where = f"{path}, row {number}"
        yield MetadataRecord(where, _item(row, path, where))


def _item(row: Mapping[str, Any], folder: Path, where: str) -> dict[str, Any]:
    item = {name: row[name] for name in _NEEDED if name != "audio"}
    item |= {name: row.get(name) or "" for name in _TEXTS}
    item["audio"] = _clip(row["audio"], folder, where)
    extra = row.get("extra") or {}
    try:
        extra = json.loads(extra) if isinstance(extra, str) else dict(extra)
    except ValueError:
        raise DataError(f"{where}: 'extra' is not a JSON object.") from None
    groups = {name: value for name, value in (row.get("groups") or {}).items() if value is not None}
    if groups:
        extra = {"groups": groups, **extra}
    return {**item, "extra": extra} if extra else item


def _clip(cell: Any, folder: Path, where: str) -> str:
    """Return where the clip lies; one that is inside the data set is written out."""
    if isinstance(cell, str) and cell:
        return cell
    if not isinstance(cell, Mapping) or not (cell.get("bytes") or cell.get("path")):
        raise DataError(f"{where}: 'audio' has neither bytes nor a path.")
    content, name = cell.get("bytes"), str(cell.get("path") or "clip")
    if not content:
        return name
    file = folder / CLIPS / f"{hashlib.sha256(content).hexdigest()[:12]}-{portable_name(Path(name).name)}"
    if not file.is_file() or file.stat().st_size != len(content):
        replace_unsynced(file, content)
    return file.relative_to(folder).as_posix()
