"""Make the small results of finished trainings anew from their folders, where what is kept of them has changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from dtbench.training.claims.examples import is_finished
from dtbench.training.claims.plan import Experiment
from dtbench.training.claims.processes import read_seconds, read_stages
from dtbench.training.claims.results import TrainedArm, read_result, trained_result, write_result
from dtbench.training.stages import state
from dtbench.training.stages.layout import BASE


def recount(experiments: Sequence[Experiment], results: Path, say: Callable[[str], None]) -> None:
    """Write the result of every finished training whose folder is here, and say which of them changed.

    When, how long and with what it was trained stays as it was noted.
    """
    for experiment in experiments:
        for one in (experiment.base, *experiment.trainings.values()):
            if not _is_here(one):
                continue
            before = read_result(results, one)
            after = trained_result(one, read_seconds(one.layout), _cores(one))
            if before is not None:
                after["made"] = before["made"]
            label = f"{one.name}: {one.file_name.removesuffix('.json')}"
            if after == before:
                say(f"{label}: as it was")
            else:
                say(f"{label}: {'written' if before is None else 'changed'} ({write_result(results, one, after)})")


def _is_here(one: TrainedArm) -> bool:
    return read_stages(one.layout).get(BASE) == state.DONE if one.arm == BASE else is_finished(one)


def _cores(one: TrainedArm) -> int:
    """Return how many cores a training takes where it has them."""
    return one.recipe.machines.processes * one.recipe.machines.threads
