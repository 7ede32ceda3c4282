"""Trackers by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dtbench.harness.core.errors import MachineryError, UserError
from dtbench.harness.core.lookup import NameTable, look_up

LOGGERS = {
    "wandb": "dtbench.harness.export.trackers.to_wandb:log",
    "mlflow": "dtbench.harness.export.trackers.to_mlflow:log",
    "trackio": "dtbench.harness.export.trackers.to_trackio:log",
}
"""Each by the name of the package that it needs."""


_LOGGERS = NameTable("logger", LOGGERS, "dtbench.loggers", MachineryError)


def logger(name: str) -> Callable[[Mapping[str, Any], Mapping[str, Any]], object]:
    """The logger of this name: built in, `module:function`, or of an installed package."""
    from importlib.util import find_spec

    if name in LOGGERS and find_spec(name) is None:
        raise UserError(f"--log {name}: the package {name} is not installed here: pip install {name}.")
    chosen, target = look_up(_LOGGERS, name)
    if not callable(chosen):
        raise MachineryError(f"logger {target} is {type(chosen).__name__}, not a function of (summary, settings).")
    return chosen
