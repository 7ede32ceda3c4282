"""Rewards of packages and users: found by name or path, called once per batch, and their values checked."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from types import MappingProxyType
from typing import Any

from dtbench.harness.core.errors import DtbenchError, UserError, format_error, short_repr
from dtbench.harness.core.lookup import NameTable, look_up
from dtbench.training.data.rows import TrainingRow
from dtbench.training.rewards.completion import ParsedCompletion

ENTRY_POINTS = "dtbench.rewards"
"""The entry point group of packages that bring rewards."""
OwnReward = Callable[[Sequence[TrainingRow], Sequence[ParsedCompletion]], Sequence[float]]
"""Takes the rows and completions of a batch, as many of each, and returns a number a completion."""


def find_reward(name: str, built_in: Iterable[str]) -> OwnReward:
    """Return the reward of a package or a module by its name; a UserError that names those that there are."""
    table = NameTable("reward", MappingProxyType({}), ENTRY_POINTS, UserError, lambda: built_in)
    value, target = look_up(table, name)
    if not callable(value):
        raise UserError(f"reward {name!r}: {target} is {type(value).__name__}, and a function is expected.")
    return value


def own_values(
    name: str, function: OwnReward, rows: Sequence[TrainingRow], completions: Sequence[ParsedCompletion]
) -> list[float]:
    """Call a reward of someone else's; a UserError where it fails or returns other than a finite number for each."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            values: Any = list(function(rows, completions))
    except DtbenchError:
        raise
    except (Exception, SystemExit) as error:
        raise UserError(f"reward {name!r} failed with {format_error(error)}.") from error
    if len(values) != len(completions):
        raise UserError(f"reward {name!r} returned {len(values)} values for {len(completions)} completions.")
    for value in values:
        number = isinstance(value, int | float) or hasattr(value, "__float__")
        if not number or not math.isfinite(float(value)):
            raise UserError(f"reward {name!r} returned {short_repr(value)}: a finite number is expected.")
    return [float(value) for value in values]
