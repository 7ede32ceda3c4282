"""A run of very many questions holds next to nothing of each; DTBENCH_WHOLE=1 asks a million, and 200,000 over HTTP."""

from __future__ import annotations

import json
import os
from pathlib import Path

import many_questions
from campaign import CAMPAIGN
from chat_server import chatting_elsewhere
from command import COMMAND
from measured import Cost, measured

WHOLE = bool(os.environ.get("DTBENCH_WHOLE"))
FEW, MANY = (5_000, 1_000_000) if WHOLE else (5_000, 25_000)
FEW_SENT, MANY_SENT = (5_000, 200_000) if WHOLE else (500, 1_500)
BYTES_EACH = 300
"""Of memory for a question beyond the first 5,000; a list of ids and a dict of them would take as much."""
BY_CHANCE = 3_000_000
"""Bytes by which two runs of one size may differ."""


def run(folder: Path, count: int, model: str) -> Cost:
    out = folder / str(count)
    arguments = ("--model", model, "--task-file", str(Path(many_questions.__file__)), "--out", str(out))
    env = {**os.environ, many_questions.COUNT: str(count)}
    cost = measured([*COMMAND, "run", *arguments], folder, env, folder / "said.txt")
    (summary,) = json.loads((out / "summary.json").read_text())["tasks"]
    assert (summary["n"], summary["missing"], summary["failed"]) == (count, 0, 0)
    assert sum(line["n"] for line in summary["strict"]["groups"]["kind"].values()) == count
    return cost


def test_memory_hardly_grows_with_the_number_of_questions(tmp_path: Path) -> None:
    few, many = run(tmp_path, FEW, "random"), run(tmp_path, MANY, "random")
    each = (many.megabytes - few.megabytes) * 1e6 / (MANY - FEW)
    print(f"\n{FEW}: {few.megabytes:.0f} MB, {MANY}: {many.megabytes:.0f} MB, {each:.0f} bytes a question")
    assert each < BYTES_EACH
    CAMPAIGN.note(f"{MANY:,} questions in one run", 1)


def test_memory_hardly_grows_with_the_number_of_requests(tmp_path: Path) -> None:
    with chatting_elsewhere() as url:
        few, many = run(tmp_path, FEW_SENT, url), run(tmp_path, MANY_SENT, url)
    print(f"\n{FEW_SENT} sent: {few.megabytes:.0f} MB, {MANY_SENT}: {many.megabytes:.0f} MB, {many.cpu:.0f} s CPU")
    grown = (many.megabytes - few.megabytes) * 1e6
    assert grown < BYTES_EACH * (MANY_SENT - FEW_SENT) + BY_CHANCE
    CAMPAIGN.note(f"{MANY_SENT:,} questions over HTTP", 1)
