"""What it costs until a command that asks nothing is done, whole process; printed.

The bar is 0.12 s for `dtbench --help`. CPU time says more where other things run as well.
"""

from __future__ import annotations

import os
from functools import reduce
from pathlib import Path

import pytest
from contenders import DTBENCH
from measured import Cost, measured

RUNS = 7


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["run", "--help"], ["tasks"]], ids=" ".join)
def test_a_command_starts_within_half_a_second(arguments: list[str], tmp_path: Path) -> None:
    command: list[str | Path] = [DTBENCH, *arguments]
    cost = reduce(
        Cost.least, (measured(command, tmp_path, dict(os.environ), tmp_path / "said.txt") for _ in range(RUNS))
    )
    print(f"\ndtbench {' '.join(arguments)}: {cost.wall:.3f} s wall, {cost.cpu:.3f} s CPU, best of {RUNS}")
    assert cost.wall < 0.5
