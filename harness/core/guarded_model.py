"""Hold a model to its contract: what someone else's raises or returns beyond it is one line with its place."""

from __future__ import annotations

import contextlib
import functools
import json
import math
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from dtbench.harness.core.errors import DtbenchError, MachineryError, ModelError, format_error, short_repr
from dtbench.harness.core.model import Model
from dtbench.harness.core.schema import OptionLogprobs, Prompt, Response, is_count

CLOSING = 60.0
"""Seconds that someone else's aclose() may take."""


def guard_model(model: Model, path: str) -> Model:
    """Wrap describe() and aclose() of a model that is not dtbench's; it stays of its own class."""
    if not type(model).__module__.startswith("dtbench."):
        wrapped = {"describe": _describe(model.describe, path), "aclose": _aclose(model.aclose, path)}
        with contextlib.suppress(AttributeError, TypeError):  # one with slots stays as it is
            for name, method in wrapped.items():
                setattr(model, name, method)
    return model


def _describe(method: Callable[[], Any], path: str) -> Callable[[], Mapping[str, Any]]:
    @functools.wraps(method)
    def describe() -> Mapping[str, Any]:
        try:
            with contextlib.redirect_stdout(sys.stderr):  # stdout is for what the command prints
                about = method()
        except DtbenchError:
            raise
        except (Exception, SystemExit) as error:
            raise MachineryError(f"the model {path}: describe() failed with {format_error(error)}.") from error
        if not isinstance(about, Mapping) or not isinstance(about.get("name", ""), str):
            expected = "a dict of names, versions and settings, its name a text, is expected"
            raise MachineryError(f"the model {path}: describe() returned {short_repr(about)}; {expected}.")
        try:
            json.dumps(dict(about), allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise MachineryError(
                f"the model {path}: describe() returned {short_repr(dict(about))} ({error}); JSON has to hold it."
            ) from None
        return about

    return describe


def _aclose(method: Callable[[], Awaitable[None]], path: str) -> Callable[[], Awaitable[None]]:
    @functools.wraps(method)
    async def aclose() -> None:
        import asyncio

        try:
            async with asyncio.timeout(CLOSING):
                await method()
        except TimeoutError:
            raise MachineryError(f"the model {path}: aclose() was left after {CLOSING:.0f} s.") from None
        except DtbenchError:
            raise
        except (Exception, SystemExit) as error:
            raise MachineryError(f"the model {path}: aclose() failed with {format_error(error)}.") from error

    return aclose


async def generate_response(model: Model, prompt: Prompt) -> Response:
    """Return what a model answers; a ModelError where it fails, exits, or returns anything but a sound Response."""
    try:
        response: object = await model.generate(prompt)
    except DtbenchError:
        raise
    except (Exception, SystemExit) as error:
        raise ModelError(f"the model failed with {format_error(error)}", again=False) from error
    if fault := response_fault(response):
        raise ModelError(f"the model returned {fault}", again=False)
    assert isinstance(response, Response)
    return response


def response_fault(response: object) -> str:
    """Say what is wrong with an answer, and what is expected; empty where nothing is."""
    if not isinstance(response, Response):
        return f"{short_repr(response)}: a dtbench.Response is expected"
    for name, (is_sound, expected) in _FIELDS.items():
        if not is_sound(value := getattr(response, name)):
            return f"a Response whose {name} is {short_repr(value)}: {expected} is expected"
    return ""


def _are_counts(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(key, str) and is_count(one) for key, one in value.items())


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value >= 0


_FIELDS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "text": (lambda value: isinstance(value, str), "a text"),
    "finish_reason": (lambda value: isinstance(value, str), "a text"),
    "usage": (_are_counts, "a dict of whole numbers of tokens"),
    "lost_usage": (_are_counts, "a dict of whole numbers of tokens"),
    "seconds": (_is_time, "a number from 0"),
    "attempts": (is_count, "a whole number"),
    "seed": (lambda value: value is None or isinstance(value, int), "a whole number or None"),
    "option_logprobs": (lambda value: value is None or isinstance(value, OptionLogprobs), "OptionLogprobs or None"),
    "cut_at_budget": (lambda value: value is None or isinstance(value, bool), "True, False or None"),
}
