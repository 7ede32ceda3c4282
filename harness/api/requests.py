"""Make the request of a command from arguments of Python, with the names and the checks of its options."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar, cast, get_args, get_origin, get_type_hints, runtime_checkable

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

    A setting has the name of its field, or of its flag, such as `clips` for --clips. The objects are fields of it that
    no option sets.
    """
    _keep_off_stderr()
    settings = _settings_of(kind)
    flags = {_flag(one).lstrip("-").replace("-", "_"): name for name, (_, one) in settings.items()}
    table = {}
    for name, value in given.items():
        if value is not None:
            field = name if name in settings else flags.get(name, name)
            table[field] = _value(value, *settings[field]) if field in settings else value
    hidden = [one.name for one in fields(cast("Any", kind)) if one.name not in settings]
    return kind(**read_part(kind, table, where, besides=hidden), **objects)


def _keep_off_stderr() -> None:
    """Let what is logged before a run has its run.log reach the caller's handlers, and not Python's last resort."""
    logger = logging.getLogger("dtbench")
    if not any(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
        logger.addHandler(logging.NullHandler())


def _flag(option: Option | Argument) -> str:
    return option.flag if isinstance(option, Option) else ""


class _Marked(NamedTuple):
    kind: Any
    option: Option | Argument


def _settings_of(kind: type[object]) -> Mapping[str, _Marked]:
    """Return the type of each field that an option sets, and the option."""
    return {
        name: _Marked(get_args(hint)[0], mark)
        for name, hint in get_type_hints(kind, include_extras=True).items()
        for mark in get_args(hint)
        if isinstance(mark, Option | Argument)
    }


def _value(value: Any, kind: Any, option: Option | Argument) -> Any:
    parse = option.parse if isinstance(option, Option) else None
    if _flag(option) == "-M" and isinstance(value, Mapping):
        return {name: one if isinstance(one, str) else json.dumps(one, default=str) for name, one in value.items()}
    if isinstance(value, str) and parse is not None and _flag(option) != "-M":
        return parse(value)
    is_one = isinstance(value, str | int | os.PathLike | InFolder)
    if get_origin(kind) is Sequence and is_one:
        return [_value(value, get_args(kind)[0], option)]
    if option.is_run:
        return [folder_of(one) for one in value] if isinstance(value, list | tuple) else folder_of(value)
    return Path(value) if isinstance(value, os.PathLike) else value
