"""`dtbench train --role`: the same command on every node; node 0 trains and evaluates, and the others follow it."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

from dtbench.harness.core.errors import DtbenchError, UserError
from dtbench.harness.core.model import Notify
from dtbench.harness.run.signals import sigterm_as_interrupt
from dtbench.harness.store.locks import FileLock, LockHeldError
from dtbench.harness.store.run_log import RunLog
from dtbench.models.vllm.process import find_executable
from dtbench.training.engines.contract import Job
from dtbench.training.engines.launch import find_environment, get_engine
from dtbench.training.nodes.follower import INTERRUPTED, Follower, left_reason
from dtbench.training.nodes.leader import Leader
from dtbench.training.nodes.place import (
    AUTO,
    NodePlace,
    allocation_of,
    clear_launcher_variables,
    find_place,
    node_address,
    places,
)
from dtbench.training.nodes.shared import Beacon, NodesFolder, Waits, new_report
from dtbench.training.recipe.settings import Recipe
from dtbench.training.stages.jobs import stage_job
from dtbench.training.stages.layout import NODES, Layout
from dtbench.training.stages.options import TrainOptions

"""The folder in that of a training by which its nodes find each other."""


class NodeOutcome(TypedDict):
    """What `--json` prints on a node other than 0."""

    role: str
    rank: int
    attempts: int


def find_role(options: TrainOptions) -> NodePlace | None:
    """Return what this node is; None where it trains alone, and a UserError where the recipe needs others."""
    if options.role is None:
        return None
    recipe = _placed_recipe(options)
    place = find_place(recipe, options.role, os.environ)
    return place if len(places(recipe)) > 1 else None


def _placed_recipe(options: TrainOptions) -> Recipe:
    """Return the recipe without the judge where that is an endpoint, for which no node is needed."""
    recipe = options.load()
    return recipe if options.judge_url is None else dataclasses.replace(recipe, judge=None)


@contextlib.contextmanager
def leading(options: TrainOptions, place: NodePlace | None, notify: Notify) -> Iterator[Leader | None]:
    """Be node 0 within this block, at whose end all nodes end with the same exit status; None where there is one."""
    if place is None:
        yield None
        return
    recipe, waits = _placed_recipe(options), Waits.of(os.environ)
    folder = NodesFolder(options.out.resolve() / NODES)
    beacon = _beacon(options, place, folder, waits)
    end, why = 0, ""
    try:
        clear_launcher_variables()
        yield Leader(recipe, places(recipe)[1:], folder, beacon, waits, notify)
    except BaseException as error:
        end, why = _exit_status(error), left_reason(error)
        raise
    finally:
        beacon.close()
        beacon.say("left", 0, why, end)


def follow(options: TrainOptions, place: NodePlace, notify: Notify) -> NodeOutcome:
    """Follow node 0 until the training ends; a node that comes late or comes back takes part in the next attempt."""
    recipe, layout, waits = options.load(), Layout(options.out.resolve()), Waits.of(os.environ)
    folder = NodesFolder(layout.root / NODES)
    folder.root.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(folder.lock(place.index), optional=True)
    except LockHeldError as held:
        raise UserError(f"--role: {place} is running already in {options.out} ({held}).") from None
    beacon = _beacon(options, place, folder, waits)
    why = ""

    def job(stage: str, resume: Path | None) -> Job:
        return stage_job(recipe, next(one for one in recipe.stage if one.name == stage), layout, resume)

    try:
        environment = _environment(options, recipe, place, layout)
        clear_launcher_variables()
        with sigterm_as_interrupt(), RunLog(folder.root / f"node-{place.index}.run.log") as log:
            log.note_start(sys.argv)
            attempts = Follower(recipe, place, folder, environment, job, beacon, waits, notify).follow()
        return {"role": place.role, "rank": place.rank, "attempts": attempts}
    except BaseException as error:
        why = left_reason(error)
        raise
    finally:
        beacon.close()
        beacon.say("left", 0, why)
        lock.close()


def _beacon(options: TrainOptions, place: NodePlace, folder: NodesFolder, waits: Waits) -> Beacon:
    digest = hashlib.sha256(json.dumps(options.load().plain(), sort_keys=True).encode()).hexdigest()[:16]
    address = node_address(place, os.environ)
    allocation = allocation_of(os.environ) if options.role == AUTO else ""  # each role may be a job of its own
    return Beacon(folder.report(place.index), new_report(place, address, allocation, digest), waits)


def _environment(options: TrainOptions, recipe: Recipe, place: NodePlace, layout: Layout) -> Path:
    """Return the environment of what this node runs."""
    if place.role == "judge":
        with contextlib.suppress(UserError):  # vLLM may be beside the engine, or beside us
            return find_environment(options.engine, "vllm")
        return Path(find_executable()).parent.parent
    engine, job = get_engine(recipe.engine), stage_job(recipe, recipe.stage[0], layout)
    command = engine.server(job) if place.role == "rollout" else engine.command(job)
    assert command is not None  # a recipe without a server has no such node
    return find_environment(options.engine, command.arguments[0])


def _exit_status(error: BaseException) -> int:
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    return error.exit_code if isinstance(error, DtbenchError) else 3
