"""What reading an answer costs: texts of the table, alone and in bulk, and a megabyte of hostile text; printed.

The bar in bulk is 3 ms of CPU a row, the start of the process included.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from command import COMMAND
from measured import measured

from dtbench.harness.extract.answer import extract

TABLE = Path(__file__).parents[1] / "harness" / "extract" / "cases.jsonl"
HOSTILE = (
    "<answer>",
    "<think>",
    "</think>",
    "\\boxed{",
    "not Man, ",
    "Man or Woman ",
    "A ",
    "{",
    '"answer": "',
    "'",
    "1,",
)


def test_the_table() -> None:
    rows = [json.loads(line) for line in TABLE.read_text(encoding="utf-8").splitlines()]
    start = time.perf_counter()
    for row in rows:
        extract(row["output"], row["choices"])
    each = (time.perf_counter() - start) / len(rows)
    print(f"\n{len(rows)} texts of the table: {each * 1e6:.0f} us each")


def test_the_table_in_bulk(tmp_path: Path) -> None:
    rows = len(TABLE.read_text(encoding="utf-8").splitlines())
    command: list[str | Path] = [*COMMAND, "extract", TABLE, "--out", tmp_path / "out.jsonl"]
    cost = measured(command, tmp_path, os.environ, tmp_path / "said.txt")
    print(f"\ndtbench extract of {rows} texts: {1000 * cost.cpu / rows:.2f} ms of CPU each, {cost.megabytes:.0f} MB")


def test_a_megabyte_of_hostile_text() -> None:
    worst = 0.0
    for unit in HOSTILE:
        text = unit * (1_000_000 // len(unit))
        start = time.perf_counter()
        extract(text, ["Man", "Woman", "Happy man", "3 dB"])
        worst = max(worst, time.perf_counter() - start)
    print(f"\nthe slowest of {len(HOSTILE)} megabytes: {worst:.2f} s (the bar is 0.5 s)")
