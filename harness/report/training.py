"""A training run's folder as a report shows it: its stages, their curves, and what the evaluations after each say.

OUT/train.json tells the recipe and its stages; OUT/STAGE/metrics.jsonl holds an object for each logged step, in which
every number is a point of a curve; OUT/base/eval and OUT/STAGE/eval are run folders.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.errors import DataError
from dtbench.harness.run_info import leaves
from dtbench.harness.store import StoredRun

FILE = "train.json"
BASE = "base"
MOST_POINTS = 600
"""Longer curves are thinned: means of neighbouring steps."""


class Stage(NamedTuple):
    """One stage of a training run, or the base that it began from."""

    name: str
    about: Mapping[str, Any]
    curves: Mapping[str, Sequence[tuple[float, float]]]
    """Metric -> (step, value), in the order of the steps."""
    torn: int
    """Lines of metrics that are no object: a crash leaves one at the end."""
    evaluated: StoredRun | None


def is_training(folder: Path) -> bool:
    """Whether a folder is a training run's."""
    return (folder / FILE).is_file()


def stages(folder: Path) -> list[Stage]:
    """The base and every stage, in the order in which they were trained."""
    told = _train(folder / FILE)
    names = {str(one.get("name")): one for one in told}
    base = [Stage(BASE, {}, {}, 0, _evaluated(folder / BASE))]
    return base + [_stage(folder / name, name, about) for name, about in names.items() if name != BASE]


def recipe(folder: Path) -> list[tuple[str, str]]:
    """Everything that train.json says beside the stages, by dotted name."""
    return plainly({name: value for name, value in _object(folder / FILE).items() if name != "stages"})


def plainly(value: Any) -> list[tuple[str, str]]:
    """A nested object as dotted names and texts."""
    return [(name, one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)) for name, one in leaves(value)]


def _object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: no JSON ({error}).") from None
    if not isinstance(value, dict):
        raise DataError(f"{path}: an object with `recipe` and `stages` is expected.")
    return value


def _train(path: Path) -> list[dict[str, Any]]:
    told = _object(path).get("stages", [])
    if not isinstance(told, list) or not all(isinstance(one, dict) and _is_name(one.get("name")) for one in told):
        raise DataError(f"{path}: `stages` must be a list of objects, each with the name of a folder.")
    return told


def _is_name(name: object) -> bool:
    return isinstance(name, str) and name not in {"", ".", ".."} and "/" not in name and "\0" not in name


def _stage(folder: Path, name: str, about: Mapping[str, Any]) -> Stage:
    curves, torn = _curves(folder / "metrics.jsonl")
    return Stage(name, about, curves, torn, _evaluated(folder))


def _evaluated(folder: Path) -> StoredRun | None:
    return StoredRun.open(folder / "eval") if (folder / "eval" / "run.json").is_file() else None


def _curves(path: Path) -> tuple[dict[str, list[tuple[float, float]]], int]:
    curves: dict[str, list[tuple[float, float]]] = {}
    torn = 0
    if not path.exists():
        return curves, torn
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from None
    for number, line in enumerate(filter(str.strip, lines)):
        try:
            point = json.loads(line)
        except (ValueError, RecursionError):
            point = None
        if not isinstance(point, dict):
            torn += 1
            continue
        at = float(point["step"]) if _is_number(point.get("step")) else float(number)
        for name, value in point.items():
            if name != "step" and _is_number(value):
                curves.setdefault(name, []).append((at, float(value)))
    return {name: _thinned(sorted(points)) for name, points in curves.items()}, torn


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    if len(points) <= MOST_POINTS:
        return points
    edges = [len(points) * step // MOST_POINTS for step in range(MOST_POINTS + 1)]
    parts = (points[low:high] for low, high in itertools.pairwise(edges))
    return [(part[len(part) // 2][0], math.fsum(value for _, value in part) / len(part)) for part in parts]
