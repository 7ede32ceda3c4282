from __future__ import annotations

import itertools
import time
from pathlib import Path

from run_records import SETTINGS, TASK, record

from dtbench.harness.store.jsonl import encode_line
from dtbench.harness.store.run_folder import RunFolder, StoredRun

RECORDS = 5000
RUNS = 5
BAR_APPEND = 0.25
BAR_FINISHED = 0.2


def test_five_thousand_records_are_stored_and_found_again_in_a_blink(tmp_path: Path) -> None:
    items = [record(number) for number in range(RECORDS)]
    timed = [_timed(tmp_path / str(number), items) for number in range(RUNS)]
    best = {step: min(times[step] for times in timed) for step in timed[0]}
    print(f"\n{RECORDS} records of {len(encode_line(items[0]))} bytes   seconds, best of {RUNS}")
    for step, seconds in best.items():
        print(f"{step:<22}{seconds:>8.4f}")
    assert best["append all, on disk"] < BAR_APPEND
    assert best["finished()"] < BAR_FINISHED


def _timed(folder: Path, items: list[dict[str, object]]) -> dict[str, float]:
    marks = [time.perf_counter()]
    run = RunFolder.start(folder, SETTINGS)
    marks.append(time.perf_counter())
    for item in items:
        run.append(TASK, item)
    run.finish("done")
    run.close()
    marks.append(time.perf_counter())
    assert len(StoredRun.open(folder).finished(TASK)) == len(items)
    marks.append(time.perf_counter())
    assert sum(1 for _ in StoredRun.open(folder).records(TASK)) == len(items)
    marks.append(time.perf_counter())
    steps = ("start", "append all, on disk", "finished()", "records()")
    return dict(zip(steps, (after - before for before, after in itertools.pairwise(marks)), strict=True))
