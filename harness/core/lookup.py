"""Look up objects by name: built-in ones in a table, others by entry point or dotted path."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from dtbench.harness.core.errors import DtbenchError, UserError, format_error, nearest_names

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

_OTHERS = {
    "task": " A file of your own ends in .toml. A task of lm-eval is named as lm_eval:NAME.",
    "model": " A checkpoint is named by its folder or as org/name. An endpoint is named by its URL, such as "
    "http://127.0.0.1:8000/v1.",
    "scorer": " A function of your own is named as package.module:function.",
    "reward": " A function of your own is named as package.module:function.",
}
"""Other ways to name an object of a kind."""

_LISTED = {
    "task": "`dtbench tasks` lists all.",
    "model": "`dtbench models` lists all families; random, first, majority and echo-gold need no weights.",
}
"""Where the names of a kind are listed that has too many for a message."""
_MOST_NAMES = 30
"""So many stand in a message where none of them is near."""


class NameTable(NamedTuple):
    """The names of one kind of object, the entry point group of packages, and the error of one that is broken."""

    noun: str
    built_in: Mapping[str, str]
    group: str
    broken: type[DtbenchError]
    more: Callable[[], Iterable[str]] = tuple
    """Further names, such as those of families."""


def look_up(table: NameTable, name: str) -> tuple[object, str]:
    """Return the object that a name stands for, and its path."""
    target = table.built_in.get(name) or (name if ":" in name else _target_of_installed(table, name))
    module, _, attribute = target.partition(":")
    shape = "function" if table.noun in {"scorer", "reward"} else "Class"
    if not all(part.isidentifier() for part in (*module.split("."), attribute)):
        raise UserError(
            f"{table.noun} {target!r} is not a path to a {shape.lower()}: `package.module:{shape}` is expected."
        )
    value = getattr(_import(table, module), attribute, None)
    if value is None:
        raise UserError(f"{table.noun} {target!r}: the module {module} has no {attribute}.")
    return value, target


def list_names(table: NameTable) -> list[str]:
    """List every name of a table, built-in ones first."""
    others = sorted({point.name for point in _installed(table)} - table.built_in.keys())
    return [*table.built_in, *others, *table.more()]


def _installed(table: NameTable) -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points  # 30 ms that a built-in name does not need

    return entry_points(group=table.group)


def _target_of_installed(table: NameTable, name: str) -> str:
    noun = table.noun
    targets = sorted({point.value for point in _installed(table) if point.name == name})
    if not targets:
        names = list_names(table)
        near = nearest_names(name, names)
        too_many = noun in _LISTED and (near or len(names) > _MOST_NAMES)  # they would hide those that are meant
        listed = _LISTED[noun] if too_many else f"Known: {', '.join(names)}."
        raise UserError(f"unknown {noun} {name!r}. {near}{listed}{_OTHERS.get(noun, '')}")
    if len(targets) > 1:
        raise UserError(f"several packages have a {noun} {name!r}: name one of {' or '.join(targets)} instead.")
    return targets[0]


def _import(table: NameTable, module: str) -> ModuleType:
    try:
        with contextlib.redirect_stdout(sys.stderr):  # stdout is for what the command prints
            return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            raise UserError(f"no module named {module!r} to load a {table.noun} from.") from error
        raise table.broken(f"{module}: importing it failed with {format_error(error)}.") from error
    except (Exception, SystemExit) as error:  # someone else's code
        raise table.broken(f"{module}: importing it failed with {format_error(error)}.") from error
