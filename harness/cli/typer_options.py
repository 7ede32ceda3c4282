"""Build typer commands from requests: an option stands on the field that it sets, with its help, and nowhere else."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

import typer

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.options import REQUIRED, Argument, Option
from dtbench.harness.core.typed_settings import check_option


class _Parameter(NamedTuple):
    name: str
    kind: Any
    option: Option | Argument
    default: Any
    """inspect.Parameter.empty where there is none."""
    owner: str | None
    """The request whose field it sets; None for a parameter of the command's function itself."""
    hint: Any
    """Its type with the marks beside it, such as the range that it may have."""

    def signature(self) -> inspect.Parameter:
        """Return the parameter as typer reads it."""
        kind: Any = self.kind
        option, default = self.option, self.default
        if option.parse is not None:
            kind, default = (list[str] if option.repeated else str) | None, None
        elif get_origin(kind) is Sequence:
            kind, default = list[get_args(kind)[0]] | None, None  # type: ignore[misc]
        elif option.missing is not None:
            kind, default = kind | None, None
        return inspect.Parameter(
            self.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, self._info()]
        )

    def _info(self) -> Any:
        option = self.option
        complete = _completer(option)
        if isinstance(option, Argument):
            path = self._path_parser(option.metavar)
            return typer.Argument(metavar=option.metavar, help=option.help, autocompletion=complete, parser=path)
        return typer.Option(
            option.flag,
            metavar=option.metavar,
            help=option.help,
            rich_help_panel=option.panel,
            autocompletion=complete,
            show_default=self._shown_default() or False,
            parser=self._path_parser(option.flag),
        )

    def _path_parser(self, name: str) -> Callable[[str | Path], Path] | None:
        """Return what reads the texts of a path; None for other values."""
        is_path = self.option.parse is None and Path in (self.kind, *get_args(self.kind))
        return functools.partial(_path_named, name) if is_path else None

    def _shown_default(self) -> str | None:
        """Return the default as help shows it; None for that of a switch, and where there is none."""
        default = self.default
        if isinstance(self.option, Option) and self.option.shown is not None:
            return self.option.shown
        if self.option.missing is not None or default is inspect.Parameter.empty:
            return REQUIRED
        return str(default) if isinstance(default, int | float | str) and not isinstance(default, bool) else None

    def value(self, given: Any) -> Any:
        """Return what was given as the field's value; None where the field keeps its default."""
        if given is None or given == []:
            if self.option.missing is not None:
                flag = "" if isinstance(self.option, Argument) else f"{self.option.flag} is missing: "
                raise UserError(f"{flag}{self.option.missing}")
            return None
        if self.option.is_run:
            return [_named_run(path) for path in given] if isinstance(given, list) else _named_run(given)
        value = given if self.option.parse is None else self.option.parse(given)
        if self.owner is None and isinstance(self.option, Option):  # a request checks its own
            check_option(self.hint, value, self.option.flag)
        return value


def _path_named(name: str, text: str | Path) -> Path:
    """Return the path of a text; a UserError where it is empty, which would mean the folder that we are in."""
    if text == "":
        raise UserError(f"{name}: it is empty, and a path is expected; is a variable of your shell not set?")
    return Path(text)


def _named_run(path: Path) -> Path:
    """Return the run that a folder means, and say so where it is the only one inside."""
    from dtbench.harness.cli.terminal import print_note
    from dtbench.harness.store.find_run import find_run

    found = find_run(path)
    if found != path:
        print_note(f"{path} is not a run itself; taking the only run in it, {found}")
    return found


def _completer(option: Option | Argument) -> Callable[..., list[str]] | None:
    """Return what completes the values of an option, where a shell asks for it."""
    if "_DTBENCH_COMPLETE" not in os.environ:
        return None
    from dtbench.harness.cli.completion import completer

    return completer(option.values)


Command = Callable[..., None]
FileReader = Callable[[Path], Mapping[str, Any]]
"""Reads the file of `--config` as values by the names of parameters and of fields."""


def with_options(function: Command) -> Command:
    """Return the function as a command: the options of a parameter that is a dataclass are those of its fields."""
    return _as_command(function, None)


def with_config(read_file: FileReader) -> Callable[[Command], Command]:
    """As with_options; what is not given on the command line is taken from the file of the parameter `config`."""
    return functools.partial(_as_command, read_file=read_file)


def _as_command(function: Command, read_file: FileReader | None) -> Command:
    hints = get_type_hints(function, include_extras=True)
    requests: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    parameters = list(_parameters(function, hints))

    @functools.wraps(function)
    def command(context: typer.Context, **given: Any) -> None:
        if "help" in (given.get("options") or ()):
            from dtbench.harness.cli.model_settings import print_settings

            print_settings(given)
            return
        file = given.get("config")
        in_file = {} if read_file is None or file is None else read_file(file)
        arguments: dict[str, Any] = {name: {} for name in requests}
        for one in parameters:
            if (value := _merged(one, given[one.name], in_file, context)) is not None:
                (arguments if one.owner is None else arguments[one.owner])[one.name] = value
        function(**arguments | {name: kind(**arguments[name]) for name, kind in requests.items()})

    in_front = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    signature = inspect.Signature([in_front, *(one.signature() for one in parameters)])
    command.__signature__ = signature  # type: ignore[attr-defined]
    return command


def _merged(one: _Parameter, given: Any, in_file: Mapping[str, Any], context: typer.Context) -> Any:
    """Return the value of the command line, else that of the file; tables of both are put together."""
    if one.name not in in_file:
        return one.value(given)
    source = context.get_parameter_source(one.name)
    if source is None or source.name != "COMMANDLINE":
        return in_file[one.name]
    value = one.value(given)
    return {**in_file[one.name], **value} if isinstance(value, Mapping) else value


def _parameters(function: Callable[..., None], hints: dict[str, Any]) -> Iterator[_Parameter]:
    for name, parameter in inspect.signature(function).parameters.items():
        if not is_dataclass(hints[name]):
            kind, option, *_ = get_args(hints[name])
            yield _Parameter(name, kind, option, parameter.default, None, hints[name])
            continue
        field_hints = get_type_hints(hints[name], include_extras=True)
        for field in fields(hints[name]):
            if get_origin(hint := field_hints[field.name]) is Annotated:
                kind, option, *_ = get_args(hint)
                default = None if field.default_factory is not MISSING else field.default
                default = inspect.Parameter.empty if default is MISSING else default
                yield _Parameter(field.name, kind, option, default, name, hint)
