"""Names to things: built-in ones by a table, others by entry point or dotted path."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from dtbench.harness.core.errors import DtbenchError, UserError, did_you_mean, format_error

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

_OTHERS = {
    "task": " A task of lm-eval is named as lm_eval:NAME.",
    "model": " A checkpoint is named by its folder or as org/name. An endpoint is named by its URL, such as "
    "http://127.0.0.1:8000/v1.",
}
"""How else things of a kind are named."""


class NameTable(NamedTuple):
    """Things of one kind: their built-in names, where packages offer others, and what breaking their contract is."""

    noun: str
    table: Mapping[str, str]
    group: str
    broken: type[DtbenchError]
    more: Callable[[], Iterable[str]] = tuple
    """Further names, such as those of families."""


def look_up(shelf: NameTable, name: str) -> tuple[object, str]:
    """What a name stands for, and its path."""
    target = shelf.table.get(name) or (name if ":" in name else _target_of_installed(shelf, name))
    module, _, attribute = target.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), attribute)):
        raise UserError(f"{shelf.noun} {target!r} is no path to a class: `package.module:Class` is expected.")
    thing = getattr(_import(shelf, module), attribute, None)
    if thing is None:
        raise UserError(f"{shelf.noun} {target!r}: the module {module} has no {attribute}.")
    return thing, target


def list_names(shelf: NameTable) -> list[str]:
    """Every name of a shelf, built-in ones first."""
    others = sorted({point.name for point in _installed(shelf)} - shelf.table.keys())
    return [*shelf.table, *others]


def _installed(shelf: NameTable) -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points  # 30 ms that a built-in name does not need

    return entry_points(group=shelf.group)


def _target_of_installed(shelf: NameTable, name: str) -> str:
    noun = shelf.noun
    targets = sorted({point.value for point in _installed(shelf) if point.name == name})
    if not targets:
        known = [*list_names(shelf), *shelf.more()]
        raise UserError(f"unknown {noun} {name!r}. {did_you_mean(name, known)}{_OTHERS.get(noun, '')}")
    if len(targets) > 1:
        raise UserError(f"several packages offer a {noun} {name!r}: name one of {' or '.join(targets)} instead.")
    return targets[0]


def _import(shelf: NameTable, module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            raise UserError(f"no module named {module!r} to load a {shelf.noun} from.") from error
        raise shelf.broken(f"{module}: importing it failed with {format_error(error)}.") from error
    except Exception as error:  # someone else's code
        raise shelf.broken(f"{module}: importing it failed with {format_error(error)}.") from error
