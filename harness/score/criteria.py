"""Read the criteria of a question, each met or not by a chain, in the form of MMAR-Rubrics.

{"name": "Hears the knock", "scoring_point": "Says that a knock comes first", "note": "", "choices": [0, 1]}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from dtbench.harness.core.errors import DataError
from dtbench.harness.core.schema import Sample

_LISTS = ("rubric", "criteria")
_REFERENCES = ("thinking", "chain")
"""Fields of an item with its criteria, and with the chain of their author."""


class RubricCriterion(NamedTuple):
    """One point that a chain should make."""

    name: str
    point: str
    """What earns the mark."""
    note: str


class Rubric(NamedTuple):
    """The criteria that a chain is scored against."""

    criteria: tuple[RubricCriterion, ...]
    reference: str
    """How a person reasoned; empty where it was not recorded."""


def has_rubric(sample: Sample) -> bool:
    """Return whether the question has criteria."""
    return any(sample.item.get(name) for name in _LISTS)


def rubric_of(sample: Sample) -> Rubric:
    """Return the criteria of a question; a DataError where they cannot be read."""
    listed = next((sample.item[name] for name in _LISTS if sample.item.get(name)), None)
    if not isinstance(listed, list) or not all(isinstance(one, Mapping) for one in listed):
        raise DataError(f"{sample.id}: its criteria are not a list of objects.")
    criteria = tuple(_criterion(sample.id, one) for one in listed)
    names = [criterion.name for criterion in criteria]
    if len({name.casefold() for name in names}) < len(names):
        raise DataError(f"{sample.id}: two of its criteria have one name ({', '.join(names)}).")
    return Rubric(criteria, reference_chain(sample))


def reference_chain(sample: Sample) -> str:
    """Return how a person reasoned about the question; empty where that was not recorded."""
    return next((sample.item[name] for name in _REFERENCES if isinstance(sample.item.get(name), str)), "")


def _criterion(id_: str, one: Mapping[str, Any]) -> RubricCriterion:
    name = one.get("name")
    if not isinstance(name, str) or not name.strip():
        raise DataError(f"{id_}: a criterion without a name.")
    point, note = one.get("scoring_point", ""), one.get("note", "")
    return RubricCriterion(name.strip(), str(point or ""), str(note or ""))
