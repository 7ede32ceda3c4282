"""From records to samples: what every data set must hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import DataError
from dtbench.harness.core.schema import Sample


def make_dataset(samples: Iterable[Sample], path: Path) -> Dataset:
    """The samples of a metadata file: at least one, with unique ids, and text that can be written."""
    try:
        data = Dataset(samples, "", str(path))
    except UnicodeEncodeError as error:
        raise DataError(f"{path}: there is text that no encoding can write: {error.object[:60]!a}.") from None
    if not data.samples:
        raise DataError(f"{path}: there is no item in it.")
    places: dict[str, int] = {}
    for number, id_ in enumerate(data.ids, start=1):
        if (first := places.setdefault(id_, number)) != number:
            raise DataError(f"{path}: the id {id_!r} is there twice (items {first} and {number}); ids must be unique.")
    return data


def as_heading(value: object) -> str:
    """A value as tables show it: lists joined, nothing as `none`."""
    if value is None:
        return "none"
    if isinstance(value, list):
        return ", ".join(as_heading(entry) for entry in value)
    return str(value)


def group_values(item: Mapping[str, Any], names: Iterable[str]) -> dict[str, str]:
    """The fields that tables report by, as text; those that are there."""
    return {name: as_heading(item[name]) for name in names if name in item}
