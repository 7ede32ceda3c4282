"""Models by name: the table of built-in ones, and where packages offer others. How one is opened is in backends.py."""

from __future__ import annotations

from dtbench.harness.core.errors import MachineryError
from dtbench.harness.core.lookup import NameTable, list_names, look_up
from dtbench.models.checkpoints import families

MODELS = {
    "replay": "dtbench.models.plain.replay:Replay",
    "random": "dtbench.models.plain.baselines:Random",
    "majority": "dtbench.models.plain.baselines:Majority",
    "first": "dtbench.models.plain.baselines:First",
    "echo-gold": "dtbench.models.plain.baselines:EchoGold",
    "scripted": "dtbench.models.plain.scripted:Scripted",
}


_MODELS = NameTable("model", MODELS, "dtbench.models", MachineryError, lambda: families.built_in_families())


def find_model(name: str) -> tuple[object, str]:
    """Return what a built-in name, `module:Class` or the name of an installed package stands for, and its path.

    That is a class of models; an installed package may offer a Family instead.
    """
    return look_up(_MODELS, name)


def model_names() -> list[str]:
    """List every name of a model or a family, built-in models first."""
    return [*list_names(_MODELS), *families.built_in_families()]
