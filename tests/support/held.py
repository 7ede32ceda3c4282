"""Runs of one model, loaded once for all that have the same options: their requests as a JSON list on stdin.

Prints their exit codes, and processor seconds.
"""

from __future__ import annotations

import json
import resource
import sys
from itertools import groupby
from pathlib import Path

from dtbench.harness.run.request import RunRequest
from dtbench.harness.run.session import run_many

asked = [RunRequest(**{"options": {}, **one, "out": Path(one["out"])}) for one in json.load(sys.stdin)]
codes = [
    outcome.exit_code
    for _, alike in groupby(asked, key=lambda request: request.options)
    for outcome in run_many(list(alike), quiet=True)
]
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"codes": codes, "seconds": used.ru_utime + used.ru_stime}))
