"""Refuse secrets that are written where they would be stored: in headers and query strings of a command line."""

from __future__ import annotations

import os
import re

from dtbench.harness.core.errors import UserError
from dtbench.harness.store.known_secrets import is_secret_name

VARIABLE = re.compile(r"\$\{(\w+)\}")
"""A variable of the environment in the value of a header or a parameter."""
_HEADER_NAME = re.compile(r"[!#$%&'*+.^`|~\w-]+", re.ASCII)
_SECRET_WORDS = re.compile(r"auth|key|token|secret|cookie|passw|credential|signature|^sig$", re.IGNORECASE)
_OWN_HEADERS = {"host", "content-length", "content-type", "transfer-encoding", "connection", "accept-encoding"}


def is_secret_value(name: str, text: str) -> bool:
    """Whether what bears this name is a secret that was written out: no variable, and not what a variable holds."""
    return bool(is_secret_name(name) or _SECRET_WORDS.search(name)) and not VARIABLE.search(text)


def refuse_written_secret(setting: str, name: str, text: str) -> None:
    """Raise a UserError for a secret that stands in a setting, where it would be stored with the command."""
    if is_secret_value(name, text) and text not in os.environ.values():  # a config file's variables are in place here
        example = f'{{"{name}": "${{NAME}}"}}'
        raise UserError(
            f"-M {setting}: the value of {name!r} is a secret, which would be stored with the command: put it into a "
            f"variable of the environment, and name that, as in {setting}='{example}'."
        )


def check_header_name(name: str) -> None:
    """Raise a UserError for a header that no user can set."""
    if not _HEADER_NAME.fullmatch(name):
        raise UserError(f"-M headers: {name!r} is not the name of a header.")
    if name.lower() in _OWN_HEADERS:
        raise UserError(f"-M headers: {name!r} is set by dtbench for each request: leave it out.")
