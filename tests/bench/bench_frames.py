"""50,000 answers of ten runs as a pandas frame: dtbench, json_normalize by hand, and inspect_ai's samples_df.

Each has 5,000 questions and chains of 1.2 kB. inspect_ai is read as it reads by default, from the summaries in its
logs, which have no text of an answer, and with the text. Printed, never asserted; the bar is 1 s on a quiet machine.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench_page import note
from contenders import environment, installed
from made_up_run import write_run
from peer_environments import peer_title
from peer_questions import as_mmar, question, write_lines

from dtbench.harness.core.schema import Sample
from dtbench.harness.frames.runs import runs_df
from dtbench.harness.frames.samples import samples_df, samples_table
from dtbench.harness.frames.summaries import summary_df

QUESTIONS = 5000
RUNS = 10
TIMES = 3
SCRIPTS = Path(__file__).parent / "peers" / "inspect_ai"
CHAIN = "The sound begins softly; a second one answers it; only then does the bird call. " * 15 + "\nANSWER: B\n"


def test_fifty_thousand_answers_become_a_frame(tmp_path: Path) -> None:
    asked = [question(number) for number in range(QUESTIONS)]
    write_lines(tmp_path / "questions.jsonl", asked)
    write_lines(tmp_path / "mmar" / "MMAR-meta.jsonl", [as_mmar(item) for item in asked])
    (tmp_path / "answer.txt").write_text(CHAIN, encoding="utf-8")
    runs = tmp_path / "runs"
    write_run(runs / "0", {"mmar": tmp_path / "mmar"}, chain_and_answer)
    for number in range(1, RUNS):
        shutil.copytree(runs / "0", runs / str(number))
    print(f"\n{RUNS} runs of {QUESTIONS} questions, best of {TIMES}: wall s, CPU s, rows, columns")
    print_best("dtbench samples_df", lambda: samples_df(runs).shape)
    print_best("dtbench samples_table", lambda: samples_table(runs).shape)
    print_best("dtbench summary_df(by=...)", lambda: summary_df(runs, by="modality").shape)
    print_best("dtbench runs_df", lambda: runs_df(runs).shape)
    print_best("json_normalize by hand", lambda: by_hand(runs))
    if bin_folder := installed("inspect_ai"):
        for one in inspects(bin_folder / "python", tmp_path):
            print_frame(
                f"{peer_title('inspect_ai')}, {one['name']}", one["wall"], one["cpu"], (one["rows"], one["columns"])
            )


def chain_and_answer(sample: Sample, repeat: int) -> str:
    """What the model says."""
    return f"<think>\n{CHAIN}</think>\n{sample.choices[repeat]}"


def print_best(name: str, call: Callable[[], tuple[int, int]]) -> None:
    """Time a call, and print the least that it took."""
    times = []
    shape = (0, 0)
    for _ in range(TIMES):
        begun = time.perf_counter(), time.process_time()
        shape = call()
        times.append((time.perf_counter() - begun[0], time.process_time() - begun[1]))
    wall, cpu = (min(each) for each in zip(*times, strict=True))
    print_frame(name, wall, cpu, shape)


def print_frame(name: str, wall: float, cpu: float, shape: tuple[int, int]) -> None:
    """Print what a frame took; those with a row an answer go to the page."""
    if shape[0] == RUNS * QUESTIONS:
        note(f"{RUNS * QUESTIONS:,} answers of {RUNS} runs as a frame: CPU", name, cpu)
    print(f"{name:<34}{wall:>8.2f}{cpu:>8.2f}{shape[0]:>8}{shape[1]:>4}")


def by_hand(runs: Path) -> tuple[int, int]:
    """What one writes without a frame: neither questions nor golds, and no check of the lines."""
    import pandas

    texts = (path.read_text(encoding="utf-8") for path in sorted(runs.glob("*/mmar.jsonl")))
    records = [json.loads(line) for text in texts for line in text.splitlines()]
    shape: tuple[int, int] = pandas.json_normalize(records).shape
    return shape


def inspects(python: Path, folder: Path) -> list[dict[str, Any]]:
    """What inspect_ai takes for as many samples, in logs of its own."""
    env = environment(folder)
    for _ in range(RUNS):  # copies of one log would not do: it drops samples that it has seen
        subprocess.run([python, SCRIPTS / "ask.py", "logs"], cwd=folder, env=env, check=True)
    done = subprocess.run([python, SCRIPTS / "frame.py", "logs"], cwd=folder, env=env, check=True, capture_output=True)
    return [json.loads(line) for line in done.stdout.splitlines()]
