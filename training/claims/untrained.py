"""Evaluate the base of a recipe for all of its arms, which take it over: `untrained.py RECIPE FOLDER CORES`."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from dtbench.harness.core.errors import DtbenchError, one_line
from dtbench.harness.run.signals import sigterm_as_interrupt
from dtbench.harness.store.locks import RunLock
from dtbench.training.recipe.placed_evaluation import placed_evaluation
from dtbench.training.recipe.recipe import load_recipe, override
from dtbench.training.recipe.settings import Recipe
from dtbench.training.stages import state
from dtbench.training.stages.base_cache import keep, take_kept
from dtbench.training.stages.evaluate import run_evaluations
from dtbench.training.stages.layout import BASE, Layout
from dtbench.training.stages.outcome import base_evaluations, description_runs


def evaluate_base(recipe: Recipe, folder: Path, cores: int) -> None:
    """Evaluate the base into the folder of a training of which no stage is trained; resume what was begun."""
    layout = Layout(folder)
    layout.root.mkdir(parents=True, exist_ok=True)
    lock = RunLock(layout.root)
    try:
        progress = state.open_state(layout.state, recipe)
        progress.write()
        runs = base_evaluations(recipe, layout)
        if recipe.evaluation.describe:
            runs.append(description_runs(recipe, layout)[BASE])
        take_kept(runs, recipe.evaluation)
        placed = placed_evaluation(recipe)
        run_evaluations(runs, dataclasses.replace(placed, at_once=max(cores, placed.at_once)), layout.process_lock)
        keep(runs, recipe.evaluation)
        progress.set_base(state.DONE)
    finally:
        lock.close()


if __name__ == "__main__":
    try:
        with sigterm_as_interrupt():
            evaluate_base(
                override(load_recipe(sys.argv[1]), model=None, seed=None), Path(sys.argv[2]), int(sys.argv[3])
            )
    except DtbenchError as error:
        print(f"dtbench: {one_line(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
