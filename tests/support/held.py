"""Runs of one model, which is loaded once: their requests as a JSON list on stdin; exit codes and processor seconds."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from dtbench.harness.run.request import RunRequest
from dtbench.harness.run.session import run_many

asked = [RunRequest(**{"options": {}, **one, "out": Path(one["out"])}) for one in json.load(sys.stdin)]
codes = [outcome.exit_code for outcome in run_many(asked, quiet=True)]
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"codes": codes, "seconds": used.ru_utime + used.ru_stime}))
