"""Weights & Biases. Its own settings decide where to: WANDB_PROJECT, WANDB_ENTITY, WANDB_MODE=offline, ..."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from dtbench.harness.export.trackers.flat import name_of, numbers, parameters


def log(summary: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """One run of W&B: figures as its last step, settings as its config."""
    import wandb

    project = os.environ.get("WANDB_PROJECT", "dtbench")
    run = wandb.init(project=project, name=name_of(summary), job_type="evaluation", config=parameters(settings))
    run.log(numbers(summary))
    run.finish(exit_code=0 if summary["status"] == "done" else 1)
