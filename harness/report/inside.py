"""What probes wrote beside a run, cut to what the page shows: RUN/probe/weights.json, states.json and lens.json."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dtbench.harness.core.errors import DataError
from dtbench.harness.core.regular_files import read_regular

FOLDER = "probe"
_WEIGHTS = ("name", "rms", "changed", "relative", "rank", "noise_rank", "verdict")
_SWAPS = ("part", "first", "last", "text_share", "accuracy_share")


def probe_figures(run: Path) -> dict[str, Any] | None:
    """Return what the page shows of the probes of a run or a training; None where there are none."""
    found = {}
    for name, shown in _SHOWN.items():
        path = run / FOLDER / f"{name}.json"
        if path.is_file():
            found[name] = _shown(path, name, shown)
    return found or None


def _shown(path: Path, name: str, shown: Callable[[Any], Mapping[str, Any]]) -> Mapping[str, Any]:
    try:
        return shown(json.loads(read_regular(path)))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise DataError(
            f"{path}: not what `dtbench probe {name}` writes ({error!r}): run it again, or move the file away."
        ) from None


def _shown_lens(found: Any) -> Mapping[str, Any]:
    checkpoints = []
    for one in found["checkpoints"]:
        patched = {kind["kind"]: {"hears": kind["hears"], "ends": kind["ends"]} for kind in one["patched"]}
        kinds = [{**_shown_kind(kind), **patched.get(kind["kind"], {})} for kind in one["kinds"]]
        if kinds:
            checkpoints.append({"checkpoint": one["checkpoint"], "control": "control" in one, "kinds": kinds})
    return {**{name: found[name] for name in ("task", "questions", "text")}, "checkpoints": checkpoints}


def _shown_kind(kind: Any) -> Mapping[str, Any]:
    top = kind["layers"][-1]
    return {
        "kind": kind["kind"],
        "tokens": kind["tokens"],
        "share": kind["settling"]["share"],
        "layer": kind["settling"]["layer"],
        "probability": top["probability"],
        "other": top["other"],
        "probabilities": [at["probability"]["value"] for at in kind["layers"]],
        "entropies": [at["entropy"]["value"] for at in kind["layers"]],
    }


def _shown_weights(found: Any) -> Mapping[str, Any]:
    control = next((one for one in found["stages"] if "control" in one), None)
    beside = {} if control is None else {one["name"]: one["rms"] for one in control["kinds"]}
    stages = [
        {
            "before": stage["before"],
            "after": stage["after"],
            "changed": stage["answer"]["changed"],
            "random": None if stage["optimiser"] is None else stage["optimiser"]["random"],
            "control": "control" in stage,
            "kinds": [
                {**{name: one[name] for name in _WEIGHTS}, "beside": None if number else beside.get(one["name"])}
                for one in stage["kinds"]
            ],
        }
        for number, stage in enumerate(found["stages"])
    ]
    return {"stages": stages}


def _shown_states(found: Any) -> Mapping[str, Any]:
    return {
        "verdict": found["verdict"]["text"],
        "swaps": [
            {
                **{name: one[name] for name in _SWAPS},
                "control": one["control"]["text_share"] if "control" in one else None,
            }
            for one in found["swaps"]
        ],
    }


_SHOWN: Mapping[str, Callable[[Any], Mapping[str, Any]]] = {
    "lens": _shown_lens,
    "weights": _shown_weights,
    "states": _shown_states,
}
