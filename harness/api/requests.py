"""Make the request of a command from arguments of Python, with the names and the checks of its options."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast, get_args, get_type_hints, runtime_checkable

from dtbench.harness.core.options import Argument, Option
from dtbench.harness.core.typed_settings import read_part

Request = TypeVar("Request")


@runtime_checkable
class InFolder(Protocol):
    """Whatever lies in a folder of its own, such as a Run."""

    @property
    def path(self) -> Path:
        """Return the folder."""
        ...


RunLike = str | os.PathLike[str] | InFolder
"""A run: its folder, or a Run."""


def folder_of(run: RunLike) -> Path:
    """Return the folder of a run."""
    return run.path if isinstance(run, InFolder) and not isinstance(run, str | Path) else Path(run)


def make_request(kind: type[Request], given: Mapping[str, Any], where: str, **objects: Any) -> Request:
    """Return a request; what the command line would parse may be a text, and a Run stands for its folder.

    The objects are fields of it that no option sets.
    """
    options = _options_of(kind)
    table = {name: _value(value, options.get(name)) for name, value in given.items() if value is not None}
    hidden = [one.name for one in fields(cast("Any", kind)) if one.name not in options]
    return kind(**read_part(kind, table, where, besides=hidden), **objects)


def _options_of(kind: type[object]) -> Mapping[str, Option | Argument]:
    return {
        name: mark
        for name, hint in get_type_hints(kind, include_extras=True).items()
        for mark in get_args(hint)
        if isinstance(mark, Option | Argument)
    }


def _value(value: Any, option: Option | Argument | None) -> Any:
    if isinstance(option, Option):
        if option.parse is not None and not option.repeated and isinstance(value, str):
            return option.parse(value)
        if option.flag == "-M" and isinstance(value, Mapping):
            return {name: one if isinstance(one, str) else json.dumps(one, default=str) for name, one in value.items()}
        if option.flag == "--think-budget" and isinstance(value, int):
            return [value]
    if option is not None and option.is_run and not isinstance(value, list | tuple):
        return folder_of(value)
    return Path(value) if isinstance(value, os.PathLike) else value
