"""Confounders: settings in which two runs differ, so that their difference is not the models' alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from dtbench.harness.core.errors import one_line
from dtbench.harness.store.types import RunInfo

_SHOWN = 80
_OF_LOCAL = ("temperature", "top_p", "top_k", "min_p", "max_tokens", "repetition_penalty")
_OPEN = {"top_p": 1.0, "top_k": 0, "repetition_penalty": 1.0}
"""Without effect; where they are not set, vLLM takes them from a checkpoint's generation_config.json."""
_IDLE = {"min_p": 0.0, "presence_penalty": 0.0, "frequency_penalty": 0.0, "n": 1}
"""Without effect, and what holds where they are not set."""


class Confounder(NamedTuple):
    """A setting in which two runs differ."""

    name: str
    """The word that `--allow` takes."""
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.name}: {self.before} against {self.after}"


def confounders(before: RunInfo, after: RunInfo, task: str) -> list[Confounder]:
    """The settings of two runs whose difference counts; another checkpoint is what is compared, and none of them."""
    one, other = before["tasks"][task], after["tasks"][task]
    first, second = before["model"], after["model"]
    versions = (f"{data['version']} ({data['sha256'][:12]})" for data in (one["data"], other["data"]))
    same_data = one["data"]["sha256"] == other["data"]["sha256"]
    sampling, other_sampling = _apart(_sampling(first), _sampling(second))
    settings: list[tuple[str, Any, Any]] = [
        ("data", *((None, None) if same_data else versions)),
        ("prompt", one["prompt_hash"], other["prompt_hash"]),
        *((name, one.get(name), other.get(name)) for name in ("answer", "audio", "permute", "samples", "scorer")),
        ("long-clips", before["long_clips"], after["long_clips"]),
        ("sampling", sampling, other_sampling),
        ("clip-limit", first.get("limit_seconds"), second.get("limit_seconds")),
    ]
    return [Confounder(name, _shown(was), _shown(now)) for name, was, now in settings if was != now]


def _sampling(model: Mapping[str, Any]) -> dict[str, Any]:
    """What decides on tokens: values that change nothing are as good as none."""
    sampling = model.get("sampling")
    if sampling is None:
        sampling = {name: model[name] for name in _OF_LOCAL if name in model}
    if model.get("name") == "local" or model.get("content"):  # else an engine may take what is not set from anywhere
        sampling = {**_OPEN, **sampling}
    sampling = {name: 0 if name == "top_k" and value == -1 else value for name, value in sampling.items()}
    return {name: value for name, value in sampling.items() if name not in _IDLE or value != _IDLE[name]}


def _apart(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[dict[str, Any] | None]:
    """Of each what the other has not."""
    for one, other in ((before, after), (after, before)):
        yield {name: value for name, value in one.items() if name not in other or other[name] != value} or None


def _shown(value: Any) -> str:
    text = one_line("none" if value is None else str(value))
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
