"""Log something that goes on, step by step, to experiment trackers: a run there that a later start continues."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from dtbench.harness.export.trackers import Logger, portable_mlflow_name


class LiveStart(NamedTuple):
    """What a tracker is told at the start."""

    name: str
    """Under which it lists the run."""
    id: str
    """The tracker's own name of the run: what an earlier start got, or a proposal."""
    resumed: bool
    settings: Mapping[str, str]


class LiveRun(Protocol):
    """A run of a tracker that is written to."""

    id: str

    def log(self, figures: Mapping[str, float], step: int) -> None:
        """Add the figures of a step."""

    def close(self) -> None:
        """Send what is left, and end this start."""


class WandbRun:
    """A run of Weights & Biases, where WANDB_PROJECT, WANDB_ENTITY and WANDB_MODE say."""

    def __init__(self, start: LiveStart) -> None:
        import wandb

        project, config = os.environ.get("WANDB_PROJECT", "dtbench"), dict(start.settings)
        self._run: Any = wandb.init(
            project=project, name=start.name, id=start.id, resume="allow", job_type="training", config=config
        )
        self.id = start.id

    def log(self, figures: Mapping[str, float], step: int) -> None:
        """Add the figures of a step."""
        self._run.log(dict(figures), step=step)

    def close(self) -> None:
        """Send what is left."""
        self._run.finish()


class MlflowRun:
    """A run of MLflow, where MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_NAME say."""

    def __init__(self, start: LiveStart) -> None:
        import mlflow

        if not {"MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"} & os.environ.keys():
            mlflow.set_experiment("dtbench")
        self._mlflow: Any = mlflow
        if start.resumed:
            run = mlflow.start_run(run_id=start.id)
        else:
            run = mlflow.start_run(run_name=start.name)
            mlflow.log_params({portable_mlflow_name(name): text for name, text in start.settings.items()})
        self.id = str(run.info.run_id)

    def log(self, figures: Mapping[str, float], step: int) -> None:
        """Add the figures of a step."""
        self._mlflow.log_metrics({portable_mlflow_name(name): value for name, value in figures.items()}, step=step)

    def close(self) -> None:
        """End the run; the next start opens it again."""
        self._mlflow.end_run()


class TrackioRun:
    """A run of Trackio, on this machine or where TRACKIO_SPACE_ID says; TRACKIO_PROJECT names the project."""

    def __init__(self, start: LiveStart) -> None:
        import trackio

        self._trackio: Any = trackio
        project = os.environ.get("TRACKIO_PROJECT", "dtbench")
        trackio.init(project=project, name=start.id, config=dict(start.settings), resume="allow")
        self.id = start.id

    def log(self, figures: Mapping[str, float], step: int) -> None:
        """Add the figures of a step."""
        self._trackio.log(dict(figures), step=step)

    def close(self) -> None:
        """Send what is left."""
        self._trackio.finish()


LIVE: Mapping[str, Callable[[LiveStart], LiveRun]] = {"wandb": WandbRun, "mlflow": MlflowRun, "trackio": TrackioRun}


def live_run(logger: Logger, start: LiveStart) -> LiveRun | None:
    """Open the run of a logger; None for one of a package that has no attribute `live`, a function of the start."""
    opener = LIVE.get(logger.name, getattr(logger.log, "live", None))
    return None if opener is None else opener(start)
