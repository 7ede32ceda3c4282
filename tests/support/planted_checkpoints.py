"""The model in the box with other weights, in files of their own: what probes of states must find."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy

import dtbench.models

BOX = Path(dtbench.models.__file__).parent / "mini" / "checkpoint"
RESCALED, MOVED, CHANGED = 0, 1, 2
"""The layers in which something was planted."""
MODEL = "thinker.model.layers"
Weights = dict[str, Any]


def planted(folder: Path, edit: Callable[[Weights], None], shards: int = 1) -> Path:
    """Write the model in the box with other weights, in files of their own."""
    from safetensors.numpy import load_file, save_file

    folder.mkdir()
    for file in BOX.iterdir():
        if file.suffix != ".safetensors":
            (folder / file.name).write_bytes(file.read_bytes())
    weights = load_file(BOX / "model.safetensors")
    edit(weights)
    names = sorted(weights, reverse=True)
    places = {name: f"model-{number % shards + 1:05}-of-{shards:05}.safetensors" for number, name in enumerate(names)}
    for place in set(places.values()):
        save_file({name: weights[name] for name in names if places[name] == place}, folder / place, {"format": "pt"})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return folder


def everything(weights: Weights) -> None:
    """Rescale a pair of matrices of one layer, move the experts of the next, and change the router of a third."""
    own = dict(weights)
    for name in weights:
        if name.startswith(f"{MODEL}.{RESCALED}.mlp.experts."):  # by powers of two, so that no digit is lost
            factor = {"up_proj": 2.0, "down_proj": 0.5}.get(name.split(".")[-2], 1.0)
            weights[name] = (own[name] * factor).astype("f4")
    order, layer = [2, 0, 3, 1], f"{MODEL}.{MOVED}.mlp"
    weights[f"{layer}.gate.weight"] = own[f"{layer}.gate.weight"][order]
    for place, expert in enumerate(order):
        for part in ("gate_proj", "up_proj", "down_proj"):
            weights[f"{layer}.experts.{place}.{part}.weight"] = own[f"{layer}.experts.{expert}.{part}.weight"]
    router = f"{MODEL}.{CHANGED}.mlp.gate.weight"
    weights[router] = own[router] + numpy.random.default_rng(0).normal(size=own[router].shape).astype("f4")
