"""What the three probes write, made up and small: two layers, of which the second changed most."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

EXPERTS: list[list[float | None]] = [[1e-4, 2e-4], [3e-4, None]]


def estimate(value: float, half: float | None = None) -> dict[str, float | None]:
    return {
        "value": value,
        "low": None if half is None else value - half,
        "high": None if half is None else value + half,
    }


def lens(name: str, shift: float) -> dict[str, Any]:
    values = [0.1 + shift, 0.4 + shift, 0.8 + shift]
    at = [
        {
            "layer": layer,
            "entropy": estimate(3.0 - layer),
            "probability": estimate(value, 0.05),
            "rank": estimate(1.0),
            "first": estimate(1.0),
            "other": estimate(0.02),
            "margin": None,
        }
        for layer, value in enumerate(values)
    ]
    fall = [{"layer": layer, "changed": estimate(0.5), "fall": estimate(2.0 - layer, 0.1)} for layer in range(3)]
    settling = dict.fromkeys(("share", "layer", "sure_share", "sure_layer"), estimate(1.0))
    kind = {"kind": "content", "questions": 9, "tokens": 90, "layers": at, "settling": settling}
    patched = {"kind": "content", "questions": 9, "layers": fall, "hears": True, "ends": 2}
    return {"checkpoint": name, "layers": 2, "vocabulary": 192, "kinds": [kind], "patched": [patched]}


def weights() -> dict[str, Any]:
    names = ("relative", "changed", "coherence", "rank", "noise_rank")
    groups = [
        {"part": "decoder", "kind": kind, "layer": layer, "rms": rms, **dict.fromkeys(names)}
        for kind, rms_by_layer in (("router", (1e-5, 4e-5)), ("expert", (2e-5, 2e-5)))
        for layer, rms in enumerate(rms_by_layer)
    ]
    experts = {"layers": [0, 1], "experts": [0, 1], "rms": EXPERTS}
    rest = {"relative": 0.01, "changed": 0.5, "rank": 1.0, "noise_rank": 60.0, "verdict": "signal"}
    stage = {"before": "base", "after": "tuned", "optimiser": {"random": 3e-5}, "groups": groups, "experts": experts}
    told = {"answer": {"changed": "the router most"}, "kinds": [{"name": "router", "rms": 4e-5, **rest}]}
    return {"stages": [{**stage, **told}]}


def states() -> dict[str, Any]:
    def figures(value: float) -> dict[str, float]:
        return dict.fromkeys(("cosine", "relative_l2", "normed_cosine", "trimmed_cosine", "cka"), value)

    drift = [
        {
            "text": "b",
            "layer": layer,
            "segment": segment,
            "tokens": 9,
            **figures(value),
            "null": {"bf16": figures(0.01)},
        }
        for segment, values in (("clip", (0.0, 0.1, 0.2)), ("chain", (0.0, 0.3, 0.6)))
        for layer, value in zip((-1, 0, 1), values, strict=True)
    ]
    shares = ("text_share", "answer_share", "accuracy_share")
    swaps = [
        {"part": part, "first": layer, "last": layer, **dict.fromkeys(shares, estimate(share, 0.1))}
        for part, of_layers in (("router", (0.0, 0.1)), ("experts", (0.2, 0.7)))
        for layer, share in enumerate(of_layers)
    ]
    return {"drift": drift, "routing": [], "swaps": swaps, "verdict": {"part": "experts", "text": "experts matter"}}


def add_control(found: dict[str, Any]) -> None:
    """Put a control beside all figures, of which each is a tenth of B's."""
    control = {**lens("random", 0.05), "control": True}
    change = {"kind": "content", "layer": 2, "measure": "probability", "change": estimate(0.1, 0.02)}
    found["lens"]["checkpoints"].append(control)
    found["lens"]["changes"] = [{**change, "control": estimate(0.01, 0.02)}]
    (stage,) = found["weights"]["stages"]
    kinds = [{**one, "rms": one["rms"] / 10} for one in stage["kinds"]]
    found["weights"]["stages"].append({**stage, "after": "random", "control": True, "kinds": kinds})
    figures = ("cosine", "relative_l2", "normed_cosine", "trimmed_cosine", "cka")
    for row in found["states"]["drift"]:
        row["control"] = {name: row[name] / 10 for name in figures}
    for row in found["states"]["swaps"]:
        names = ("text_share", "answer_share", "accuracy_share")
        row["control"] = {name: {key: one / 10 for key, one in row[name].items()} for name in names}


def write_probes(folder: Path, *, control: bool = False) -> Path:
    """Write all three into a folder."""
    lenses = [lens("base", 0.0), lens("tuned", 0.1)]
    asked = {"task": "mini", "questions": 9, "text": "the answers of tuned"}
    found: dict[str, Any] = {"lens": {**asked, "checkpoints": lenses}, "weights": weights(), "states": states()}
    if control:
        add_control(found)
    folder.mkdir(parents=True, exist_ok=True)
    for name, figures in found.items():
        (folder / f"{name}.json").write_text(json.dumps(figures))
    return folder
