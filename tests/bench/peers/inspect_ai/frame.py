"""inspect_ai's frames of a folder of logs: `frame.py LOGS`; prints the seconds, rows and columns of each as JSON."""

from __future__ import annotations

import json
import sys
import time

from inspect_ai.analysis import SampleColumn, SampleSummary, samples_df

TIMES = 3
OUTPUT = SampleColumn("output", path="output.completion", full=True)


def main(logs: str) -> None:
    """Read the summaries of its samples, then also their texts, for which it opens each sample."""
    for name, columns in {"summaries": SampleSummary, "with texts": [*SampleSummary, OUTPUT]}.items():
        times = []
        for _ in range(TIMES):
            begun = time.perf_counter(), time.process_time()
            frame = samples_df(logs, columns=columns, quiet=True)
            times.append((time.perf_counter() - begun[0], time.process_time() - begun[1]))
        wall, cpu = (min(each) for each in zip(*times, strict=True))
        print(json.dumps({"name": name, "wall": wall, "cpu": cpu, "rows": len(frame), "columns": len(frame.columns)}))


if __name__ == "__main__":
    main(sys.argv[1])
