"""Secrets are taken out of whatever is stored: command lines, settings, the messages of an endpoint."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

MASK = "***"

_NAME = (
    r"(?:(?:[a-z0-9]+[-_.])*(?:api[-_]?keys?|(?:access|secret|private)[-_]?keys?|secrets?|passw(?:or)?d|credentials?"
    r"|authorization)|(?:(?:api|access|auth|bearer|refresh|session|hf|hub)[-_]?)?token|key)"
)
_WHOLE_NAME = re.compile(_NAME, re.IGNORECASE)
# To the end of the argument: what follows a secret's name may be quoted, of several words, or a JSON text.
_NAMED = re.compile(rf"(?:(?<![a-z0-9])|(?<=^-[a-z]))({_NAME}[\"']?\s*[:=]\s*).*", re.IGNORECASE | re.DOTALL)
_IN_QUERY = re.compile(rf"([?&]{_NAME}=)[^&\s\"']+", re.IGNORECASE)
_IN_ADDRESS = re.compile(r"(?<=://)[^/\s]+@")
_AFTER_SCHEME = re.compile(r"\b(bearer|basic)\s+[^\s\"']{6,}", re.IGNORECASE)
_OF_KNOWN_SHAPE = re.compile(r"\b(?:sk-|hf_|gsk_|xai-|ghp_|github_pat_|glpat-|AIza)[\w-]{12,}")
_SHORTEST = 8
"""A shorter value of the environment is too likely to be an ordinary word."""


def is_secret_name(name: str) -> bool:
    """Whether what bears this name can only be a secret; a plain `key` may be that of a table, too."""
    return _WHOLE_NAME.fullmatch(name) is not None and name.lower() != "key"


def mask_text(text: str) -> str:
    """Mask what in a text is a secret by its shape, by its place, or because the environment holds it."""
    secrets = {value for name, value in os.environ.items() if _WHOLE_NAME.fullmatch(name) or name.endswith("_TOKEN")}
    # Longest first: one may be a part of another.
    for value in sorted((value for value in secrets if len(value) >= _SHORTEST), key=len, reverse=True):
        text = text.replace(value, MASK)
    text = _IN_ADDRESS.sub(f"{MASK}@", text)
    text = _IN_QUERY.sub(rf"\g<1>{MASK}", text)
    text = _AFTER_SCHEME.sub(rf"\1 {MASK}", text)
    return _OF_KNOWN_SHAPE.sub(MASK, text)


def mask_command(arguments: Sequence[str]) -> list[str]:
    """Mask the values of options that name a key, a token or a password."""
    masked = []
    value_follows = False
    for argument in arguments:
        masked.append(MASK if value_follows else mask_text(_NAMED.sub(rf"\g<1>{MASK}", argument)))
        value_follows = argument.startswith("-") and _WHOLE_NAME.fullmatch(argument.lstrip("-")) is not None
    return masked


def mask_settings(value: Any) -> Any:
    """Mask texts under a secret's name, and the secrets in all other texts, in settings of plain JSON."""
    if isinstance(value, Mapping):
        return {
            name: MASK if isinstance(part, str) and _WHOLE_NAME.fullmatch(name) else mask_settings(part)
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [mask_settings(part) for part in value]
    return mask_text(value) if isinstance(value, str) else value
