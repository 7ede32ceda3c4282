"""Conditions of options that words of their own refuse: an order of the options, a file, a seed."""

from __future__ import annotations

import re
from pathlib import Path

from dtbench.harness.core.option_orders import MOST_ORDERS
from dtbench.harness.core.typed_settings import Condition


class _PermutationCondition(Condition):
    """Says what an order of the options is called."""

    def complaint(self, value: object) -> str:
        """Return the end of a message about a value that is no order."""
        if isinstance(value, int):
            return "at least 0 is expected."
        return f"a number of places, cyclic, all, or all:2 to all:{MOST_ORDERS} for one of all orders is expected."


def order_number(permute: int | str) -> int | None:
    """Return the number in `all:K`, from 1; None for what is no such text."""
    found = re.fullmatch(r"all:(\d{1,2})", permute) if isinstance(permute, str) else None
    return int(found[1]) if found is not None and 1 <= int(found[1]) <= MOST_ORDERS else None


IS_PERMUTATION = _PermutationCondition(
    lambda value: (
        value >= 0 if isinstance(value, int) else value in {"all", "cyclic"} or order_number(value) is not None
    ),
    "an order of the options",
)


class _FileCondition(Condition):
    """Says why a path is no file."""

    def complaint(self, value: object) -> str:
        """Return the end of a message about a path at which no file is."""
        is_folder = Path(str(value)).is_dir()
        return "this is a folder; a file that defines a task is expected." if is_folder else "there is no such file."


IS_FILE = _FileCondition(lambda path: path.is_file(), "a file")

IS_SEED = Condition(lambda seed: -(2**63) <= seed < 2**63, "a whole number of at most 64 bits")
"""What torch and endpoints take."""
