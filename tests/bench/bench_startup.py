from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

RUNS = 7


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["tasks"]], ids=" ".join)
def test_a_command_starts_within_half_a_second(arguments: list[str]) -> None:
    seconds = sorted(_seconds(arguments) for _ in range(RUNS))
    print(f"dtbench {' '.join(arguments)}: {seconds[0]:.3f} s at best, {seconds[RUNS // 2]:.3f} s in the middle")
    assert seconds[0] < 0.5


def _seconds(arguments: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run([Path(sys.executable).with_name("dtbench"), *arguments], check=True, capture_output=True)
    return time.perf_counter() - started
