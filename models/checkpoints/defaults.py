"""How a checkpoint's authors sample: what stands where a user says nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dtbench.models.checkpoints.checkpoint import Checkpoint

_TAKEN = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
GREEDY = {"temperature": 0.0}


def default_sampling(checkpoint: Checkpoint) -> Mapping[str, Any]:
    """As generation_config.json says, then as the family does; where neither samples, the likeliest token.

    Of a hub id nothing is known before it is fetched: what it says is then the backend's to read.
    """
    family = checkpoint.family.sampling if checkpoint.family else {}
    if not checkpoint.is_local:
        return family
    told = _generation_config(Path(checkpoint.source))
    usual = {name: told[name] for name in _TAKEN if isinstance(told.get(name), int | float)}
    if told.get("do_sample") is not True:
        usual = {name: value for name, value in usual.items() if name == "repetition_penalty"} | GREEDY
    return {**usual, **family}


def _generation_config(folder: Path) -> Mapping[str, Any]:
    try:
        told = json.loads((folder / "generation_config.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}
