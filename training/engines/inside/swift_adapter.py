"""Make sure that ms-swift puts an adapter on exactly the layers that the recipe names, or nothing is trained.

For a mixture of experts PEFT keeps only the last parts of the names that an expression matches, and so finds layers of
the same names in the audio tower; it leaves full names as they are. There the expression becomes a list of full names.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

from dtbench.training.engines.adapters import language_layers, strange_layers
from dtbench.training.engines.inside.swift_bridge import ADAPTER_VARIABLE, stop_engine


def register_targets() -> None:
    """Have ms-swift name each layer of a mixture of experts in full."""
    if ADAPTER_VARIABLE not in os.environ:
        return
    from swift.pipelines.train import tuner

    found = tuner.get_target_modules

    def get_target_modules(args: Any, model: Any) -> Any:
        targets = found(args, model)
        if not isinstance(targets, str) or not model.model_info.is_moe_model:
            return targets
        return [name for name, _ in model.named_modules() if re.fullmatch(targets, name)]

    tuner.get_target_modules = get_target_modules


def stop_at_wrong_adapter(model: Any) -> None:
    """End the engine where the recipe asks for an adapter, and the model has none or another."""
    targets = os.environ.get(ADAPTER_VARIABLE, "").split(",")
    if targets != [""] and (why := wrong_adapter(model, targets)):
        stop_engine(why)


def wrong_adapter(model: Any, targets: Sequence[str]) -> str | None:
    """Return why a model's adapter is not one of exactly these layers; None where it is."""
    modules = dict(model.named_modules())
    linear = [name for name, module in modules.items() if _is_matrix(module)]
    adapted = [name for name, module in modules.items() if getattr(module, "lora_A", None)]
    if why := strange_layers(adapted, language_layers(linear, targets), targets):
        return why
    whole = [name for name, one in model.named_parameters() if one.requires_grad and ".lora_" not in name]
    return f"adapter: {len(whole)} tensors beside it are trained as well: {', '.join(whole[:3])}." if whole else None


def _is_matrix(module: Any) -> bool:
    """Whether a module is a linear layer: its weight, or that beneath its adapter, has two dimensions."""
    weight = getattr(getattr(module, "base_layer", module), "weight", None)
    return weight is not None and getattr(weight, "ndim", 0) == 2
