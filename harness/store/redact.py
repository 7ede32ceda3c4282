"""Secrets are taken out of whatever is stored or printed: command lines, settings, messages, records, responses."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from dtbench.harness.core.schema import Response
from dtbench.harness.store.known_secrets import MASK, NAME, SecretMatcher, bears_secret, last_matcher, secret_matcher

T = TypeVar("T")
# To the end of the argument: what follows a secret's name may be quoted, of several words, or a JSON text.
_NAMED = re.compile(rf"(?:(?<![a-z0-9])|(?<=^-[a-z]))({NAME}[\"']?\s*[:=]\s*).*", re.IGNORECASE | re.DOTALL)
# To the end of the word, whatever signs are in it; in the query of an address there is _IN_QUERY.
_NAMED_IN_LINE = re.compile(rf"(?<![\w?&-])({NAME}[\"']?[:=][\"']?)[^\s\"']{{8,}}", re.IGNORECASE)
_IN_QUERY = re.compile(rf"([?&]{NAME}=)[^&\s\"']+", re.IGNORECASE)
_IN_ADDRESS = re.compile(r"(?<=://)[^/\s]+@")
_AFTER_SCHEME = re.compile(r"\b(bearer|basic)\s+[^\s\"']{6,}", re.IGNORECASE)
_OF_KNOWN_SHAPE = re.compile(r"\b(?:sk-|hf_|gsk_|xai-|ghp_|github_pat_|glpat-|AIza)[\w-]{12,}")
_ASKED_FOR = ("id", "sample", "groups")
"""Fields of a record that come from the data set; by the first two an answer is found again."""


def mask_text(text: str) -> str:
    """Mask what in a text is a secret by its shape, by its place, or because this process knows it as one."""
    text = secret_matcher().mask(text)
    text = _IN_ADDRESS.sub(f"{MASK}@", text)
    text = _IN_QUERY.sub(rf"\g<1>{MASK}", text)
    text = _AFTER_SCHEME.sub(rf"\1 {MASK}", text)
    return _OF_KNOWN_SHAPE.sub(MASK, text)


def mask_message(text: str) -> str:
    """Mask a line that is printed as mask_text() does, and what stands behind a secret's name and `=` or `:`."""
    return _NAMED_IN_LINE.sub(rf"\g<1>{MASK}", mask_text(text))


def mask_response(response: Response) -> Response:
    """Mask the secrets that this process knows in what a model said."""
    matcher, words = last_matcher(), (response.text, response.finish_reason, *response.usage)
    if not matcher.may_hold("\n".join(words).encode("utf-8", "surrogatepass")):
        return response
    return dataclasses.replace(
        response,
        text=matcher.mask(response.text),
        finish_reason=matcher.mask(response.finish_reason),
        usage=mask_known(dict(response.usage), matcher),
    )


def mask_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """Mask the secrets that this process knows in a record, but for what came from the data set."""
    matcher = last_matcher()
    return {name: part if name in _ASKED_FOR else mask_known(part, matcher) for name, part in record.items()}


def mask_known(value: T, matcher: SecretMatcher) -> T:
    """Mask the secrets of a matcher in plain JSON, in names and values."""
    masked: Any = value
    if isinstance(value, str):
        masked = matcher.mask(value)
    elif isinstance(value, Mapping):
        masked = {mask_known(name, matcher): mask_known(part, matcher) for name, part in value.items()}
    elif isinstance(value, list | tuple):
        masked = [mask_known(part, matcher) for part in value]
    result: T = masked
    return result


def mask_command(arguments: Sequence[str]) -> list[str]:
    """Mask the values of options that name a key, a token or a password."""
    masked = []
    value_follows = False
    for argument in arguments:
        masked.append(MASK if value_follows else mask_text(_NAMED.sub(rf"\g<1>{MASK}", argument)))
        value_follows = argument.startswith("-") and bears_secret(argument.lstrip("-"))
    return masked


def mask_settings(value: Any) -> Any:
    """Mask texts under a secret's name, and the secrets in all other texts, in settings of plain JSON."""
    if isinstance(value, Mapping):
        return {
            name: MASK if isinstance(part, str) and bears_secret(name) else mask_settings(part)
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [mask_settings(part) for part in value]
    return mask_text(value) if isinstance(value, str) else value
