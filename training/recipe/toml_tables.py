"""Tables of a recipe as dataclasses: what is not known, of another kind or missing is one clear line."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from dtbench.harness.core.arguments import known_settings
from dtbench.harness.core.errors import UserError

T = TypeVar("T")


def read(kind: type[T], table: Mapping[str, Any], where: str) -> T:
    """The dataclass that a table describes; `where` names the table in messages."""
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for name in table:
        if name not in fields:
            raise UserError(f"{where}: unknown setting {name!r}. {known_settings(name, fields)}")
    lacking = [name for name, field in fields.items() if name not in table and _is_required(field)]
    if lacking:
        raise UserError(f"{where}: {lacking[0]} is missing: add it.")
    return kind(**{name: value_of(hints[name], value, f"{where}: {name}") for name, value in table.items()})


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def value_of(kind: Any, value: Any, where: str) -> Any:
    """The value in the kind that a field has."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        kinds = [one for one in inner if one is not types.NoneType]
        return value_of(kinds[0], value, where)
    if origin in {Mapping, dict}:
        table = _as(Mapping, value, where, "a table")
        return dict(table) if inner[1] is Any else {k: value_of(inner[1], v, f"{where}.{k}") for k, v in table.items()}
    if origin in {tuple, Sequence}:
        return tuple(value_of(inner[0], one, where) for one in _as(list, value, where, "a list"))
    if dataclasses.is_dataclass(kind):
        return read(typing.cast("type[Any]", kind), _as(Mapping, value, where, "a table"), where)
    return _plain(kind, value, where)


def _plain(kind: type, value: Any, where: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise UserError(f"{where} = {value!r}: {_NAMES[kind]} is expected.")
    return value


def _as(kind: Any, value: Any, where: str, expected: str) -> Any:
    if not isinstance(value, kind):
        raise UserError(f"{where} = {value!r}: {expected} is expected.")
    return value


_NAMES: Mapping[type, str] = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
