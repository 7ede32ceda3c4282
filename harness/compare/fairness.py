"""What in the settings of two runs makes their difference something else than the models' difference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from dtbench.harness.errors import printable

_SHOWN = 80


class Unfair(NamedTuple):
    """A setting in which two runs differ."""

    name: str
    """The word that `--allow` takes."""
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.name}: {self.before} against {self.after}"


def differences(before: Mapping[str, Any], after: Mapping[str, Any], task: str) -> list[Unfair]:
    """Those of two run.json that count; another checkpoint is what is compared, and none of them."""
    return list(_differences(before, after, task))


def _differences(before: Mapping[str, Any], after: Mapping[str, Any], task: str) -> Iterator[Unfair]:
    one, other = before["tasks"][task], after["tasks"][task]
    if one.get("data", {}).get("sha256") != other.get("data", {}).get("sha256"):
        yield Unfair("data", *(_version(about.get("data", {})) for about in (one, other)))
    yield from _unequal("prompt", one.get("prompt_hash"), other.get("prompt_hash"))
    for name, usual in (("answer", "direct"), ("audio", "clip"), ("permute", 0), ("samples", 1), ("scorer", None)):
        yield from _unequal(name, one.get(name, usual), other.get(name, usual))
    yield from _unequal("long-clips", before.get("long_clips"), after.get("long_clips"))
    models = (before.get("model", {}), after.get("model", {}))
    yield from _unequal("sampling", *(_sampling(model) for model in models))
    yield from _unequal("clip-limit", *(model.get("limit_seconds") for model in models))


def _sampling(model: Mapping[str, Any]) -> Any:
    told = model.get("sampling")
    if told is not None:
        return told
    names = ("temperature", "top_p", "top_k", "max_tokens", "repetition_penalty")
    return {name: model[name] for name in names if name in model} or None


def _unequal(name: str, before: Any, after: Any) -> Iterator[Unfair]:
    if before != after:
        yield Unfair(name, _shown(before), _shown(after))


def _version(data: Mapping[str, Any]) -> str:
    return _shown(f"{data.get('version')} ({str(data.get('sha256'))[:12]})")


def _shown(value: Any) -> str:
    text = printable("none" if value is None else str(value))
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
