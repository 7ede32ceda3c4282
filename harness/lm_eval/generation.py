"""Translate lm-eval's generation_kwargs: how to sample, and where an answer ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dtbench.harness.core.errors import UserError
from dtbench.harness.extract.tidy import split_text

_OPTIONS: Mapping[str, str] = {
    **{name: name for name in ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "max_tokens")},
    "max_gen_toks": "max_tokens",
    "max_new_tokens": "max_tokens",
}
"""lm-eval's name -> the option of our models."""
_HANDLED = ("until", "do_sample")


def model_options(kwargs: Mapping[str, Any], what: str) -> dict[str, str]:
    """Return the options of a model as -M takes them; a UserError for what no model here does."""
    unknown = sorted(kwargs.keys() - _OPTIONS.keys() - set(_HANDLED))
    if unknown:
        raise UserError(
            f"{what}: its generation_kwargs ask for {unknown[0]}={kwargs[unknown[0]]}, which no model of dtbench "
            f"takes; known: {', '.join((*_HANDLED, *_OPTIONS))}."
        )
    options = {_OPTIONS[name]: str(value) for name, value in kwargs.items() if name in _OPTIONS and value is not None}
    if kwargs.get("do_sample") is False:
        options["temperature"] = "0.0"
    return options


def stop_texts(kwargs: Mapping[str, Any]) -> Sequence[str]:
    """Return the texts at which an answer ends."""
    until = kwargs.get("until") or ()
    return [stop for stop in ([until] if isinstance(until, str) else until) if stop]


def answer_before_stop(text: str, stops: Sequence[str]) -> str:
    """Return the answer for lm-eval's filters: what follows the chain, up to the first of the stops.

    A text without a chain stays as it is, to the last blank; one that is all chain has no answer.
    """
    parts = split_text(text)
    answer = parts.answer.lstrip() if parts.thinking or parts.open_chain else text
    for stop in stops:
        answer = answer.partition(stop)[0]
    return answer
