"""What is wrong with a command line, in one line: what, the value, what is allowed, what next."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from dtbench.harness.core.errors import did_you_mean

_KINDS = {"int": "a whole number", "float": "a number", "boolean": "true or false"}
_NO_VALUE = re.compile(r"Option '([^']+)' requires an argument")
_ODD_VALUE = re.compile(r"Option '([^']+)' does not take a value")
_EXTRA = re.compile(r"Got unexpected extra argument(?:s|\(s\))? \((?P<words>.*)\)")
_COMMAND = re.compile(r"No such command '(?P<name>[^']*)'.*")
_VALUE = re.compile(r": '(?P<value>.*)' is not a valid (?P<kind>\w+)", re.DOTALL)


def describe_misuse(error: Any, where: str) -> str:
    """Return what click complains of, in dtbench's words; `where` is the command."""
    message: str = error.format_message().rstrip(".")
    parameter = getattr(error, "param", None)
    if hasattr(error, "possibilities"):
        close = " or ".join(error.possibilities or ())
        return f"{error.option_name}: {where} has no such option{f'. Did you mean {close}?' if close else ''}"
    if found := _COMMAND.match(message):
        return (
            f"{found['name']}: {where} has no such command. {_nearest(found['name'], list(error.ctx.command.commands))}"
        )
    if found := _EXTRA.match(message):
        return f"{found['words']}: {where} takes no further argument{'s' if ' ' in found['words'] else ''}"
    if parameter is not None and message.startswith("Missing"):
        return f"{_name(parameter)} is missing: {parameter.help[:1].lower()}{parameter.help[1:].rstrip('.')}"
    if parameter is not None and (found := _VALUE.search(message)):
        return f"{_name(parameter)} {found['value']}: {_KINDS.get(found['kind'], found['kind'])} is expected"
    if found := _NO_VALUE.match(message):
        return f"{found[1]}: a value is missing"
    if found := _ODD_VALUE.match(message):
        return f"{found[1]}: it takes no value; leave out what follows `=`"
    return message


def extra_words(error: Any) -> Sequence[str]:
    """Return the arguments that a command does not take; none where that is not what is wrong."""
    found = _EXTRA.match(error.format_message())
    return found["words"].split() if found else ()


def _name(parameter: Any) -> str:
    name: str = parameter.opts[0] if parameter.param_type_name == "option" else parameter.metavar
    return name


def _nearest(name: str, known: Sequence[str]) -> str:
    """Return the commands that are meant; all of them where none is near."""
    text = did_you_mean(name, known)
    return text.partition(" Known:")[0] if text.startswith("Did you mean") else text


def is_call_for_help(error: Any) -> bool:
    """Return whether a group of commands was called without one."""
    return type(error).__name__ == "NoArgsIsHelpError"
