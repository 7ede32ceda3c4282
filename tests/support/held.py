"""Runs of one model, loaded once for all that have the same options: their requests as a JSON list on stdin.

A run folder that is named has its reasoning changed and continued by the first of these models, behind its runs.
Prints the exit codes, and processor seconds.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from dtbench.harness.faithful.options import FaithfulOptions
from dtbench.harness.faithful.session import faithful_in_loop
from dtbench.harness.run.live_line import LiveLine
from dtbench.harness.run.request import RunRequest
from dtbench.harness.run.session import begin_run, close_models, open_jobs, run_many
from dtbench.harness.run.signals import no_signals

CHANGES = ("control", "description", "step", "empty", "cut 75 %")
"""Those behind which the model in the box soon ends."""


async def run_and_change(requests: Sequence[RunRequest], reasoned: Path) -> list[int]:
    jobs = open_jobs(requests)
    codes = []
    try:
        for job in jobs:
            with begin_run(job._replace(last=False), quiet=True) as begun:
                await begun.ask(no_signals)
                codes.append(begun.finish().exit_code)
        options = FaithfulOptions(run=reasoned, only=CHANGES, model_object=jobs[0].models[0])
        codes.append((await faithful_in_loop(options, LiveLine(quiet=True))).exit_code)
    finally:
        await close_models(jobs[0].models)
    return codes


asked = [RunRequest(**{"options": {}, **one, "out": Path(one["out"])}) for one in json.load(sys.stdin)]
reasoned = [Path(name) for name in sys.argv[1:]]
codes: list[int] = []
for _, alike in groupby(asked, key=lambda request: request.options):
    if reasoned:
        codes += asyncio.run(run_and_change(list(alike), reasoned.pop()))
    else:
        codes += [outcome.exit_code for outcome in run_many(list(alike), quiet=True)]
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"codes": codes, "seconds": used.ru_utime + used.ru_stime}))
