"""metrics.jsonl: a line for each step of a stage, in the order of the steps, each once, however often it was killed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

from dtbench.harness.store.atomic import replace_whole
from dtbench.training.engines.contract import Metrics, TrainingEngine

_DIGITS = 7


class Follower:
    """Reads an engine's log as it grows, and keeps its figures under our names.

    Of an earlier start it keeps the steps that the checkpoint holds: those that were kept then, and those that only the
    engine had logged when everything was killed.
    """

    def __init__(self, log: Path, metrics: Path, engine: TrainingEngine, *, done: int) -> None:
        self._log, self._metrics, self._engine = log, metrics, engine
        self._at, self._rest = 0, b""
        logged = [one for one in map(self._figures, self._lines()) if one is not None]
        self._rest = b""  # half a line of an engine that is gone: the next one's begins behind it
        known = {int(one["step"]): one for one in [*logged, *read(metrics)]}
        keep = [known[step] for step in sorted(known) if step <= done]
        metrics.parent.mkdir(parents=True, exist_ok=True)
        replace_whole(metrics, "".join(_line(one) for one in keep).encode())

    def new(self) -> list[Metrics]:
        """The steps since the last call, which are kept by now."""
        found = [one for one in map(self._figures, self._lines()) if one is not None]
        if found:
            with self._metrics.open("a", encoding="utf-8") as file:
                file.writelines(_line(one) for one in found)
        return found

    def _lines(self) -> Iterator[bytes]:
        if not self._log.exists():
            return
        with self._log.open("rb") as file:
            file.seek(self._at)
            grown = file.read()
        self._at += len(grown)
        *lines, self._rest = (self._rest + grown).split(b"\n")
        yield from lines

    def _figures(self, line: bytes) -> Metrics | None:
        try:
            told = json.loads(line)
        except ValueError:
            return None  # an engine that was killed may have left half a line
        return self._engine.metrics(told) if isinstance(told, dict) else None


def read(metrics: Path) -> list[Metrics]:
    """The steps that a file holds."""
    if not metrics.exists():
        return []
    return [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines() if line.endswith("}")]


def _line(figures: Metrics) -> str:
    shown = {name: _shown(name, value) for name, value in figures.items()}
    return json.dumps(shown) + "\n"


def _shown(name: str, value: float) -> float | int | None:
    if name == "step":
        return int(value)
    if not math.isfinite(value):
        return None  # JSON has no such number
    return float(f"{value:.{_DIGITS}g}")
