"""Hold a model to its contract: what someone else's raises or returns beyond it is one line with its place."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import math
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from dtbench.harness.core.errors import DtbenchError, MachineryError, ModelError, format_error
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
            raise MachineryError(f"the model {path}: describe() returned {_shown(about)}; {expected}.")
        try:
            json.dumps(dict(about), allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise MachineryError(
                f"the model {path}: describe() returned {_shown(dict(about))} ({error}); JSON has to hold it."
            ) from None
        return about

    return describe


def _aclose(method: Callable[[], Awaitable[None]], path: str) -> Callable[[], Awaitable[None]]:
    @functools.wraps(method)
    async def aclose() -> None:
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
        return f"{_shown(response)}: a dtbench.Response is expected"
    for name in ("text", "finish_reason"):
        if not isinstance(value := getattr(response, name), str):
            return f"a Response whose {name} is {_shown(value)}: a text is expected"
    for name in ("usage", "lost_usage"):
        if not _are_counts(value := getattr(response, name)):
            return f"a Response whose {name} is {_shown(value)}: whole numbers of tokens by name are expected"
    seconds, seed, logprobs = response.seconds, response.seed, response.option_logprobs
    if not isinstance(seconds, int | float) or not math.isfinite(seconds) or seconds < 0:
        return f"a Response whose seconds are {_shown(seconds)}: a number from 0 is expected"
    if not is_count(response.attempts):
        return f"a Response whose attempts are {_shown(response.attempts)}: a whole number is expected"
    if seed is not None and not isinstance(seed, int):
        return f"a Response whose seed is {_shown(seed)}: a whole number or None is expected"
    if logprobs is not None and not isinstance(logprobs, OptionLogprobs):
        return f"a Response whose option_logprobs are {_shown(logprobs)}: OptionLogprobs or None is expected"
    if response.cut_at_budget not in (None, True, False):
        return f"a Response whose cut_at_budget is {_shown(response.cut_at_budget)}: True, False or None is expected"
    return ""


def _are_counts(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(key, str) and is_count(one) for key, one in value.items())


def _shown(value: object) -> str:
    try:
        text = " ".join(repr(value).split())
    except Exception as error:  # someone else's __repr__
        return f"a {type(value).__name__} ({format_error(error)})"
    return text if len(text) <= 100 else f"{text[:97]}..."
