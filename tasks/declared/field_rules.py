"""Where a record has a value: a dotted path, several columns, or a rule that takes a value out of a text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dtbench.harness.core.errors import DataError, UserError
from dtbench.harness.core.typed_settings import read_table

FILE, FOLDER, ROW = "@file", "@folder", "@row"
"""Paths that every record has: the names of its file, without the ending, and of the folder of that, and its number."""
PLACE = (FILE, FOLDER, ROW)
_MARK = re.compile(r"\{([^{}]+)\}")
_NO_FIELD = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRule:
    """How a value is taken out of a record."""

    path: str | None = None
    """The field, by dotted path; `@file`, `@folder` and `@row` say where the record stood."""
    columns: Sequence[str] = ()
    """Several fields, of which those that are there make a list."""
    value: str | None = None
    """The same text for every record."""
    template: str | None = None
    """A text with fields in braces, such as `{speaker}-{number}`."""
    find: str | None = None
    """A regular expression: its first group, or all of it; for a list, every match."""
    split: str | None = None
    """What stands between the entries of a list that is written as one text."""
    json: bool = False
    """Whether the field holds JSON as text."""
    map: Mapping[str, str] | None = None
    """What becomes of each value; others stay as they are."""
    when: Mapping[str, Any] | None = None
    """Fields and the value, or values, of records that have it; in others there is none."""
    unless: Mapping[str, Any] | None = None
    """Fields and the value, or values, of records that do not have it."""
    default: str | None = None
    """What stands where the field is missing or null."""

    def raw(self, record: Mapping[str, Any]) -> Any:
        """Return the value as the record has it; None where there is none."""
        if not fits(self.when, record) or (self.unless is not None and fits(self.unless, record)):
            return None
        found = self._found(record)
        if found is None:
            return self.default
        if self.json and isinstance(found, str):
            try:
                return json.loads(found)
            except (ValueError, RecursionError):
                raise ValueError(f"{self.path} is {_shown(found)}, and JSON is expected") from None
        return found

    def _found(self, record: Mapping[str, Any]) -> Any:
        if self.value is not None:
            return self.value
        if self.template is not None:
            return _MARK.sub(lambda mark: str(self._required(record, mark[1])), self.template)
        if self.columns:
            there = (value_at(record, column) for column in self.columns)
            return [one for one in there if one not in (None, "")]
        return value_at(record, self.path or "")

    def _required(self, record: Mapping[str, Any], path: str) -> Any:
        value = value_at(record, path)
        if value is None:
            raise ValueError(f"{path!r} is missing, and the template {self.template!r} needs it")
        return value

    def text(self, record: Mapping[str, Any]) -> str | None:
        """Return the value as text; None where there is none, a ValueError where it is not text."""
        value = self.raw(record)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if value is None:
            return None
        text = plain_text(value, self.shown)
        if self.find is not None:
            match = re.search(self.find, text, re.DOTALL)
            if match is None:
                return self.default
            text = match[1] if match.re.groups else match[0]
        return (self.map or {}).get(text, text)

    def texts(self, record: Mapping[str, Any]) -> list[str]:
        """Return the values as a list of texts, empty where there is none."""
        value = self.raw(record)
        if value is None:
            return []
        if isinstance(value, Mapping):
            value = [one for one in value.values() if one is not None]
        if isinstance(value, str) and self.find is not None:
            value = [match[1] if match.re.groups else match[0] for match in re.finditer(self.find, value, re.DOTALL)]
        elif isinstance(value, str) and self.split is not None:
            value = [one.strip() for one in value.split(self.split)]
        if not isinstance(value, list | tuple):
            raise ValueError(f"{self.shown} is {_shown(value)}, and a list of texts is expected{self._hint(value)}")
        known = self.map or {}
        return [known.get(text, text) for text in (plain_text(one, self.shown) for one in value)]

    @property
    def shown(self) -> str:
        """The rule as messages name it."""
        return self.path or self.template or " and ".join(self.columns) or "its value"

    def _hint(self, value: object) -> str:
        if not isinstance(value, str):
            return ""
        return "; `json = true`, `split` or `find` in the field's table take one out of a text"


def value_at(record: Mapping[str, Any], path: str) -> Any:
    """Return what a record has at a dotted path; a field whose own name has dots comes first. None where it is not."""
    if path in record:
        return record[path]
    value: Any = record
    for part in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list | tuple) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def has_path(record: Mapping[str, Any], path: str) -> bool:
    """Whether a record has a field at a dotted path, be it null."""
    return path in record or path.split(".")[0] in record


def fits(condition: Mapping[str, Any] | None, record: Mapping[str, Any]) -> bool:
    """Whether a record has what a condition says of each field: a value, or one of several."""
    for path, wanted in (condition or {}).items():
        value = value_at(record, path)
        allowed = wanted if isinstance(wanted, list | tuple) else [wanted]
        if value not in allowed and not (isinstance(value, list) and any(one in allowed for one in value)):
            return False
    return True


def plain_text(value: object, name: str) -> str:
    """Return a text or a number as text; a ValueError for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is {_shown(value)}, and a text is expected")
    return str(value)


def heading_text(value: object) -> str | None:
    """Return a value as tables show it: the entries of a list joined; None where there is none."""
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return ", ".join(filter(None, map(heading_text, value))) or None
    return str(value).lower() if isinstance(value, bool) else str(value)


def read_field(value: object, where: str) -> FieldRule:
    """Read what a task file says of a field: a path, a list of columns, or a table."""
    if isinstance(value, str) and value:
        return FieldRule(path=value)
    if isinstance(value, list) and value and all(isinstance(one, str) and one for one in value):
        return FieldRule(columns=tuple(value))
    if not isinstance(value, Mapping):
        shown = json.dumps(value, default=str, ensure_ascii=False)
        raise UserError(f"{where} = {shown}: the name of a field, a list of names or a table is expected.")
    rule = read_table(FieldRule, value, where)
    origins = [name for name in ("path", "columns", "value", "template") if getattr(rule, name) not in (None, ())]
    if len(origins) != 1:
        found = " and ".join(origins) or "none of them"
        raise UserError(f"{where}: one of path, columns, value and template is expected, found {found}.")
    for name in ("find",):
        _refuse_pattern(getattr(rule, name), f"{where}: {name}")
    return rule


def _refuse_pattern(pattern: str | None, where: str) -> None:
    try:
        re.compile(pattern or "")
    except (re.error, RecursionError, OverflowError) as error:
        raise UserError(f"{where} = {json.dumps(pattern)}: no regular expression ({error}).") from None


def missing_field(record: Mapping[str, Any], field: str, path: str) -> DataError:
    """Return the error about a field that a record does not have."""
    known = ", ".join(name for name in record if not name.startswith("@")) or "none"
    return DataError(f"the field {path!r} ({field}) is missing; found: {known}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
