"""A run of very many questions holds next to nothing of each; DTBENCH_WHOLE=1 asks a million."""

from __future__ import annotations

import json
import os
from pathlib import Path

import many_questions
from campaign import CAMPAIGN
from command import COMMAND
from measured import Cost, measured

WHOLE = bool(os.environ.get("DTBENCH_WHOLE"))
FEW, MANY = (5_000, 1_000_000) if WHOLE else (5_000, 25_000)
BYTES_EACH = 300
"""Of memory for a question beyond the first 5,000; a list of ids and a dict of them would take as much."""


def run(folder: Path, count: int) -> Cost:
    out = folder / str(count)
    model = ("--model", "random", "--task-file", str(Path(many_questions.__file__)), "--out", str(out))
    env = {**os.environ, many_questions.COUNT: str(count)}
    cost = measured([*COMMAND, "run", *model], folder, env, folder / "said.txt")
    (summary,) = json.loads((out / "summary.json").read_text())["tasks"]
    assert (summary["n"], summary["missing"]) == (count, 0)
    assert sum(line["n"] for line in summary["strict"]["groups"]["kind"].values()) == count
    return cost


def test_memory_hardly_grows_with_the_number_of_questions(tmp_path: Path) -> None:
    few, many = run(tmp_path, FEW), run(tmp_path, MANY)
    each = (many.megabytes - few.megabytes) * 1e6 / (MANY - FEW)
    print(f"\n{FEW}: {few.megabytes:.0f} MB, {MANY}: {many.megabytes:.0f} MB, {each:.0f} bytes a question")
    assert each < BYTES_EACH
    CAMPAIGN.note(f"{MANY:,} questions in one run", 1)
