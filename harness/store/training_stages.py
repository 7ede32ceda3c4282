"""Read the folder of a training run: its stages, their curves, and the evaluations after each.

OUT/train.json has the recipe and its stages; OUT/STAGE/metrics.jsonl has an object for each logged step, in which
every number is a point of a curve. OUT/base/eval and OUT/STAGE/eval are run folders; so are OUT/base/eval-NAME, of the
base under another prompt, and OUT/STAGE/eval/audio-shuffle. OUT/outcome.json compares the stages.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.core.errors import DataError
from dtbench.harness.core.regular_files import read_regular
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.run_json import flatten

FILE = "train.json"
OUTCOME = "outcome.json"
MINED = "mined/mined.json"
"""In a stage's folder: what an earlier model was asked for it, and how much of that was kept."""
BASE = "base"
AS_TRAINED = "as-trained"
"""The base under the prompt of the training; it stands before those under prompts of the recipe's own."""
SHUFFLED = "audio-shuffle"
MARKS = ("formed", "criteria", "words", "best")
"""What a row of the outcome may tell: the share of answers in the form of the training, criteria met in right answers,
words of a chain, and whether it is the base under the prompt that serves it best."""
_PAIR = ("task", "from", "to", "n", "difference", "low", "high", "p", "better", "worse")
MOST_POINTS = 600
"""Longer curves are thinned: means of neighbouring steps."""


class TrainingCurves(NamedTuple):
    """One stage of a training run, its base, or another evaluation of one of them."""

    name: str
    about: Mapping[str, Any]
    curves: Mapping[str, Sequence[tuple[float, float]]]
    """Metric -> (step, value), in the order of the steps."""
    torn: int
    """Lines of metrics that are no object: a crash leaves one at the end."""
    evaluated: StoredRun | None
    otherwise: bool = False
    """Whether it is the model of the line above, under another prompt or with other clips."""


class TrainingOutcome(NamedTuple):
    """The outcome of a finished training run."""

    rows: Mapping[tuple[str, str], Mapping[str, Any]]
    """Name and task -> its figures beside the score, by the names in MARKS."""
    paired: Sequence[Mapping[str, Any]]
    """Each stage against all before it."""


def is_training(folder: Path) -> bool:
    """Whether a folder is a training run's."""
    return (folder / FILE).is_file()


def training_stages(folder: Path) -> list[TrainingCurves]:
    """Return the curves of the base and the stages in the order of training, each followed by its other evaluations."""
    train = _object(folder / FILE)
    names = {str(one.get("name")): one for one in _train(folder / FILE, train)}
    base = {"state": train["base"]} if "base" in train else {}
    curves = [TrainingCurves(BASE, base, {}, 0, _evaluated(folder / BASE / "eval")), *_prompted(folder / BASE, train)]
    for name, about in names.items():
        if name != BASE:
            mined = folder / name / MINED
            about = {**about, **({"mined": _object(mined)} if mined.is_file() else {})}
            if (folder / name / "best.json").is_file():
                about = {**about, "best": _object(folder / name / "best.json")}
            points, torn = _curves(folder / name / "metrics.jsonl")
            about = {**about, **_monitors(folder / name / "monitors.json")}
            curves.append(TrainingCurves(name, about, points, torn, _evaluated(folder / name / "eval")))
            curves += _otherwise(f"{name}, shuffled clips", folder / name / "eval" / SHUFFLED)
    return curves


def training_outcome(folder: Path) -> TrainingOutcome:
    """Read outcome.json; return an empty outcome before the run has finished."""
    path = folder / OUTCOME
    if not path.exists():
        return TrainingOutcome({}, [])
    stored = _object(path)
    try:
        rows = {(one["name"], one["task"]): {name: one.get(name) for name in MARKS} for one in stored["rows"]}
        return TrainingOutcome(rows, [{name: one[name] for name in _PAIR} for one in stored["paired"]])
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: not the outcome of a training ({error!r}). The same `dtbench train` command writes it again."
        ) from None


def training_recipe(folder: Path) -> list[tuple[str, str]]:
    """Return all that train.json says beside the stages, by dotted name."""
    return flat_texts({name: value for name, value in _object(folder / FILE).items() if name not in {"stages", "base"}})


def flat_texts(value: Any) -> list[tuple[str, str]]:
    """Flatten a nested object to dotted names and texts."""
    return [
        (name, one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)) for name, one in flatten(value)
    ]


def _object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(read_regular(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({error}).") from None
    if not isinstance(value, dict):
        holds = "`recipe` and `stages`" if path.name == FILE else "`rows` and `paired`"
        raise DataError(f"{path}: an object with {holds} is expected.")
    return value


def _train(path: Path, train: Mapping[str, Any]) -> list[dict[str, Any]]:
    listed = train.get("stages", [])
    if not isinstance(listed, list) or not all(isinstance(one, dict) and _is_name(one.get("name")) for one in listed):
        raise DataError(f"{path}: `stages` must be a list of objects, each with the name of a folder.")
    return listed


def _monitors(path: Path) -> dict[str, str]:
    """Return what each rule of the monitors found, in words; nothing where a stage has none."""
    if not path.is_file():
        return {}
    try:
        return {f"monitor: {one['rule']}": _found(one) for one in json.loads(read_regular(path))}
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: not what monitors found ({error!r}): delete it; the training writes it again."
        ) from None


def _found(result: Mapping[str, Any]) -> str:
    if result["worst"] is None:
        return "no step has this figure"
    warned = f"warned at {', '.join(map(str, result['warned']))}" if result["warned"] else "no warning"
    return f"{warned}; worst {result['worst']:.3g} at step {result['worst_step']}"


def _is_name(name: object) -> bool:
    return isinstance(name, str) and name not in {"", ".", ".."} and "/" not in name and "\0" not in name


def _evaluated(run: Path) -> StoredRun | None:
    return StoredRun.open(run) if (run / "run.json").is_file() else None


def _otherwise(name: str, run: Path) -> list[TrainingCurves]:
    return [TrainingCurves(name, {}, {}, 0, _evaluated(run), otherwise=True)] if (run / "run.json").is_file() else []


def _prompted(base: Path, train: Mapping[str, Any]) -> list[TrainingCurves]:
    """Return the evaluations of the base under other prompts, in the recipe's order."""
    evaluation = (train.get("recipe") or {}).get("evaluation") or {}
    order = [AS_TRAINED, *(evaluation.get("base_prompts") or {})]
    names = sorted(path.name.removeprefix("eval-") for path in base.glob("eval-*"))
    names.sort(key=lambda name: order.index(name) if name in order else len(order))
    return [one for name in names for one in _otherwise(f"{BASE}, {name}", base / f"eval-{name}")]


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
