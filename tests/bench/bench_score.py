"""What scoring prediction files of the three published sizes costs, each a process of its own; printed.

The bar is a second for the three, one after the other. CPU time says more where other things run as well.
"""

from __future__ import annotations

import os
from functools import reduce
from pathlib import Path

from bench_page import note
from command import COMMAND
from made_up_predictions import SIZES, Size, write_predictions
from measured import Cost, measured

RUNS = 5
BAR_SECONDS = 1.0


def test_what_scoring_the_three_benchmarks_costs(tmp_path: Path) -> None:
    best = {size: _least(size, tmp_path) for size in SIZES}
    wall, cpu = (sum(cost[place] for cost in best.values()) for place in (0, 1))
    print(f"\n{'dtbench score':<14}{'rows':>6}{'seconds':>9}{'CPU':>9}   best of {RUNS}, whole process")
    for size, cost in best.items():
        note("dtbench score, a row: CPU", size.task, cost.cpu / size.rows)
        print(f"{size.task:<14}{size.rows:>6}{cost.wall:>9.3f}{cost.cpu:>9.3f}")
    met = "met" if wall < BAR_SECONDS else "missed"
    rows = sum(size.rows for size in best)
    print(f"{'all three':<14}{rows:>6}{wall:>9.3f}{cpu:>9.3f}   bar: {BAR_SECONDS:.1f}, {met}")


def _least(size: Size, folder: Path) -> Cost:
    path = folder / f"{size.task}.jsonl"
    write_predictions(path, size)
    command: list[str | Path] = [*COMMAND, "score", "--task", size.task, "--predictions", path, "--json"]
    return reduce(Cost.least, (measured(command, folder, dict(os.environ), folder / "said.txt") for _ in range(RUNS)))
