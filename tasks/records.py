"""From records to samples: what every data set must hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dtbench.harness.errors import DataError
from dtbench.harness.schema import Dataset, Sample
from dtbench.harness.task import content_hash


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
