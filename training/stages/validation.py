"""What the dev split decides while a stage trains: which checkpoint is best and kept, and when the stage ends.

All of it follows from metrics.jsonl and the checkpoints on disk, so a stage that was killed decides the same again.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.store.atomic import replace_whole
from dtbench.training.engines.checkpoints import checkpoint_step, whole_checkpoints
from dtbench.training.engines.contract import Metrics
from dtbench.training.engines.dev_figures import DEV, GAP
from dtbench.training.engines.metrics import read_steps
from dtbench.training.recipe.settings import Validation
from dtbench.training.stages.layout import StageLayout

_STATE_OF_OPTIMIZER = ("optimizer", "scheduler", "rng_state", "training_args")
"""What the names of files begin with that only a resume needs."""


class Measurement(NamedTuple):
    """The metric on the dev split after a step."""

    step: int
    metric: str
    value: float


def measurements(steps: Sequence[Metrics], validation: Validation) -> list[Measurement]:
    """Return what was measured, up to where [validation] ends the stage."""
    name = f"{DEV}{validation.metric}"
    found: list[Measurement] = []
    for step in steps:
        if (value := step.get(name)) is not None:
            found.append(Measurement(int(step["step"]), validation.metric, value))
            if _is_exhausted(found, validation):
                break
    return found


def best_measurement(found: Sequence[Measurement]) -> Measurement | None:
    """Return the highest, the first of equals."""
    return max(found, key=lambda one: one.value, default=None)


def reason_to_end(steps: Sequence[Metrics], validation: Validation | None) -> str | None:
    """Return why a stage with these steps ends before its last; None where it goes on."""
    if validation is None or not _is_exhausted(found := measurements(steps, validation), validation):
        return None
    best = best_measurement(found)
    assert best is not None
    return (
        f"step {found[-1].step}: {validation.metric} on the dev split has not risen in {validation.patience} "
        f"measurements, since step {best.step} ({best.value:.3f}), so the stage ends here."
    )


def read_best(path: Path) -> Measurement | None:
    """Read best.json; None where there is none."""
    if not path.exists():
        return None
    stored = json.loads(path.read_bytes())
    return Measurement(int(stored["step"]), str(stored["metric"]), float(stored["value"]))


def best_checkpoint(layout: StageLayout, validation: Validation | None) -> Path | None:
    """Return the checkpoint that a stage ends with in place of its last; None where that is the last."""
    if validation is None or not validation.keep_best:
        return None
    keep_best(layout, validation, read_steps(layout.metrics))
    return next(iter(whole_checkpoints(layout.best)), None)


def keep_best(layout: StageLayout, validation: Validation, steps: Sequence[Metrics]) -> None:
    """Keep the best checkpoint of those that are on disk whole, and note it in best.json."""
    ranked = sorted(measurements(steps, validation), key=lambda one: (-one.value, one.step))
    if not validation.keep_best:
        _note(layout, next(iter(ranked), None))
        return
    here = {
        checkpoint_step(path): path for path in (*whole_checkpoints(layout.engine), *whole_checkpoints(layout.best))
    }
    best = next((one for one in ranked if one.step in here), None)
    if best is not None and here[best.step].parent != layout.best:
        try:
            _link(here[best.step], layout.best)
        except FileNotFoundError:
            return  # the engine has just deleted it, as a better one was measured, whose step comes next
    _note(layout, best)
    for path in layout.best.glob("*checkpoint-*"):
        if best is None or path.name != here[best.step].name:
            shutil.rmtree(path)


def describe_best(best: Measurement, last: int) -> str:
    """Return a line on the checkpoint that a stage ends with."""
    return (
        f"step {best.step} of {last} is exported: the best by {best.metric} on the dev split ({best.value:.3f})"
        if best.step != last
        else f"the last step, {last}, is also the best by {best.metric} on the dev split ({best.value:.3f})"
    )


def stage_measurements(layout: StageLayout) -> dict[str, float | int | str] | None:
    """Return the best step of a stage with its figures; None where no dev split was measured."""
    best, steps = read_best(layout.best_step), read_steps(layout.metrics)
    if best is None or not steps:
        return None
    gap = next((step[GAP] for step in steps if step["step"] == best.step and GAP in step), None)
    figures: dict[str, float | int | str] = {**best._asdict(), "last_step": int(steps[-1]["step"])}
    return figures if gap is None else {**figures, "gap": gap}


def is_saved(layout: StageLayout, found: Sequence[Measurement]) -> bool:
    """Return whether the model that was measured last was saved: it or a later one is whole on disk."""
    return any(checkpoint_step(path) >= found[-1].step for path in whole_checkpoints(layout.engine))


def _is_exhausted(found: Sequence[Measurement], validation: Validation) -> bool:
    best = best_measurement(found)
    if best is None or validation.patience is None:
        return False
    return len(found) - 1 - found.index(best) >= validation.patience


def _note(layout: StageLayout, best: Measurement | None) -> None:
    if best is None:
        layout.best_step.unlink(missing_ok=True)
    elif best != read_best(layout.best_step):
        replace_whole(layout.best_step, json.dumps(best._asdict()).encode() + b"\n")


def _link(checkpoint: Path, folder: Path) -> None:
    """Link the files of a checkpoint's model into a folder of its name there, which appears whole or not at all."""
    part = folder / f".{checkpoint.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for file in sorted(path for path in checkpoint.iterdir() if path.is_file()):
        if not file.name.startswith(_STATE_OF_OPTIMIZER):
            try:
                os.link(file, part / file.name)
            except FileNotFoundError:
                raise
            except OSError:
                shutil.copyfile(file, part / file.name)
    part.rename(folder / checkpoint.name)
