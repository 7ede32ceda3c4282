"""What a user writes as key=value, as the arguments of whatever it is for: its signature says what is allowed."""

from __future__ import annotations

import inspect
import json
import math
import types
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from dtbench.harness.core.errors import MachineryError, UserError, did_you_mean

RENAMED = {
    "absence": "reconnect_timeout",
    "deafened": "audio_ablation",
    "embedding_share": "embedding_weight",
    "least_words": "min_words",
    "like": "extends",
    "million_completion_tokens": "price_per_million_completion_tokens",
    "million_prompt_tokens": "price_per_million_prompt_tokens",
    "most_characters": "max_chars",
    "other_order": "seed_offset",
    "patience": "retry_budget",
    "projector": "train_projector",
    "tower": "train_audio_tower",
}
"""Former names of settings, so that who writes one is told the new one."""
TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def parse_arguments(
    target: Callable[..., object],
    given: Mapping[str, str],
    what: str,
    *,
    flag: str = "-M",
    besides: Collection[str] = (),
) -> dict[str, Any]:
    """The values in the types that the target's arguments ask for; those named in besides are not the user's."""
    known = {name: kind for name, kind in _parameters(target, what).items() if name not in besides}
    for name, text in given.items():
        if name not in known:
            allowed = known_settings(name, known) if known else "It has none: leave it out."
            raise UserError(f"{flag} {name}={text}: {what} has no option {name!r}. {allowed}")
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in given:
            raise UserError(f"{what} needs {flag} {name}={_metavar(parameter.annotation)}.")
    return {name: _value(known[name].annotation, f"{flag} {name}", text) for name, text in given.items()}


def known_settings(name: str, known: Collection[str]) -> str:
    """The end of a message about an unknown setting: its new name, or the nearest names and all of them."""
    new = RENAMED.get(name)
    return f"It is called {new} now." if new in known else did_you_mean(name, known)


def _parameters(target: Callable[..., object], what: str) -> dict[str, inspect.Parameter]:
    try:
        signature = inspect.signature(target, eval_str=True)
    except NameError as error:
        raise MachineryError(f"{what}: the types of its arguments cannot be read ({error}): import them.") from error
    except ValueError:  # a class of C, which tells no signature
        return {}
    named = {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    return {name: parameter for name, parameter in signature.parameters.items() if parameter.kind in named}


def _value(kind: object, option: str, text: str) -> object:
    """The text as a value of this kind."""
    kind = _without_none(kind)
    if get_origin(kind) is Literal:
        allowed = {str(value): value for value in get_args(kind)}
        if text not in allowed:
            raise UserError(f"{option}={text}: one of {', '.join(allowed)} is expected.")
        return allowed[text]
    reader, expected = _READERS.get(get_origin(kind) or kind, (str, ""))
    try:
        return reader(text)
    except (ValueError, LookupError, RecursionError):
        raise UserError(f"{option}={text}: {expected} is expected.") from None


def _without_none(kind: object) -> object:
    if get_origin(kind) in {Union, types.UnionType}:
        kinds = [one for one in get_args(kind) if one is not type(None)]
        return kinds[0] if len(kinds) == 1 else str
    return kind


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(text)
    return value


_READERS: Mapping[object, tuple[Callable[[str], object], str]] = {
    bool: (lambda text: TRUTHS[text.lower()], "true or false"),
    int: (int, "a whole number"),
    float: (_finite, "a number"),
    dict: (_object, 'a JSON object, such as {"top_k": 20},'),
    Path: (lambda text: Path(text).expanduser(), "a path"),
}


def _metavar(kind: object) -> str:
    kind = _without_none(kind)
    names: Mapping[object, str] = {Path: "FILE", int: "N", float: "NUMBER", bool: "true"}
    return names.get(kind, "TEXT")
