"""`dtbench gate --until decided`: ask the candidate in rounds, and stop as soon as the verdict stands.

Questions are asked in an order of chance that is always the same, those about one clip together. The chance of a
mistake is spent over the rounds, so that looking early costs no certainty; what it saves is the rest of the questions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from typing import Any, NamedTuple

from dtbench.harness.compare.gate import GateOptions, GateVerdict, Round, gate_runs, worst_verdict
from dtbench.harness.core.errors import MachineryError, UserError
from dtbench.harness.core.model import Notify
from dtbench.harness.run.config import read_config
from dtbench.harness.run.ending import RunResult
from dtbench.harness.run.request import RunRequest
from dtbench.harness.store.run_folder import StoredRun

ROUNDS = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Shares of all questions that have been asked after each round."""


class DecidedGate(NamedTuple):
    """The verdicts of the last round, and how many questions they took."""

    results: list[GateVerdict]
    asked: int
    of: int


def gate_in_rounds(options: GateOptions, notify: Notify, ask: Callable[[RunRequest], RunResult]) -> DecidedGate:
    """Ask more and more of the baseline's questions, until a verdict stands or all of them are asked."""
    baseline = StoredRun.open(options.baseline)
    request = candidate_request(options)
    order = shuffled_ids(baseline, request.tasks)
    for number, part in enumerate(ROUNDS, start=1):
        asked = order[: round(part * len(order))]
        if not asked:
            continue
        outcome = ask(replace(request, ids=asked, limit=None))
        if outcome.status != "done":
            raise MachineryError(
                f"{outcome.folder}: the round of {len(asked)} questions ended {outcome.status}: run the command again."
            )
        results = gate_runs(options, Round(number, ROUNDS, frozenset(asked)))
        if worst_verdict(results) != "undecided":
            break
        notify(f"{len(asked)} of {len(order)} questions: not decided yet")
    return DecidedGate(results, len(asked), len(order))


def candidate_request(options: GateOptions) -> RunRequest:
    """Return what the candidate is asked: as its run was last, or as the baseline's with another model."""
    has_run = (options.candidate / "run.json").is_file()
    if not has_run and options.model is None:
        raise UserError(f"--candidate {options.candidate}: there is no run yet; name the model with --model.")
    if has_run and options.model is not None:
        raise UserError(f"--model {options.model}: {options.candidate} is a run already; leave --model out.")
    values = read_config(options.candidate if has_run else options.baseline)
    known = {one.name for one in fields(RunRequest)}
    own: dict[str, Any] = {name: value for name, value in values.items() if name in known}
    if options.model is not None:
        own = {**own, "model": options.model, "base_url": None}
    return RunRequest(**{**own, "out": options.candidate, "ids": None, "limit": None})


def shuffled_ids(baseline: StoredRun, tasks: Sequence[str]) -> list[str]:
    """Return the ids of a run's questions in an order of chance, those that share a clip side by side."""
    places = {}
    for task in tasks:
        if task not in baseline.info["tasks"]:
            raise UserError(f"{baseline.path}: this run has no task {task}, which the candidate is asked.")
        shared = baseline.info["tasks"][task]["shared_clips"]
        for id_ in _ids(baseline, task):
            places[id_] = _place(f"{task} {shared.get(id_, id_)}")
    return sorted(places, key=lambda id_: (places[id_], id_))


def _ids(run: StoredRun, task: str) -> Iterator[str]:
    return iter({record["id"]: None for record in run.records(task)})


def _place(name: str) -> str:
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
