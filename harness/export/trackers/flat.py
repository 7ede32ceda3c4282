"""A run as experiment trackers take it: numbers by name, and settings by name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dtbench.harness.store.run_json import OWN_KEYS, flatten, without_shared_clips

_COUNTS = ("n", "unanswered", "failed", "dropped", "missing", "attempts")
_MOST = 500
"""Characters of a setting: the most that MLflow keeps."""


def name_of(summary: Mapping[str, Any]) -> str:
    """What trackers shall call the run: its folder's name."""
    return Path(summary["run"]).resolve().name


def numbers(summary: Mapping[str, Any]) -> dict[str, float]:
    """Every figure of every task that is a number: shares from 0 to 1, counts, lengths, seconds, tokens."""
    return dict(pair for task in summary["tasks"] for pair in _of_task(task))


def _of_task(task: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    name = task["task"]
    for kind in ("official", "strict"):
        part = task[kind]
        told = {"": part["accuracy"], "_low": part.get("low"), "_high": part.get("high")}
        yield from ((f"{name}/{kind}{end}", share) for end, share in told.items() if share is not None)
        for heading, table in part["groups"].items():
            for value, line in table.items():
                if line["accuracy"] is not None:
                    yield f"{name}/{kind}/{heading}/{value}", line["accuracy"]
    yield from ((f"{name}/{count}", task[count]) for count in _COUNTS)
    yield f"{name}/cut_off", task["finish"].get("length", 0)
    for heading in ("chains", "tokens", "seconds"):
        for part, value in task[heading].items():
            if value is not None:
                yield f"{name}/{heading}/{part}", value


def parameters(settings: Mapping[str, Any]) -> dict[str, str]:
    """What was asked of the run, by dotted name; without which questions share a clip."""
    asked = {name: value for name, value in without_shared_clips(settings).items() if name not in OWN_KEYS}
    last = settings["starts"][-1]
    asked["dtbench"] = last.get("dtbench")
    asked["git"] = last.get("git")
    return {name: _text(value) for name, value in flatten(asked)}


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MOST else f"{text[: _MOST - 3]}..."
