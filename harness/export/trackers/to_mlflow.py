"""MLflow. Its own settings decide where to: MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME, ..."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from dtbench.harness.export.trackers.flat import name_of, numbers, parameters

_REFUSED = re.compile(r"[^\w\-. :/]")
"""What MLflow does not take in a name."""


def log(summary: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """One run of MLflow: figures as metrics, settings as params."""
    import mlflow

    if not {"MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"} & os.environ.keys():
        mlflow.set_experiment("dtbench")
    with mlflow.start_run(run_name=name_of(summary)):
        mlflow.set_tag("dtbench.status", summary["status"])
        mlflow.log_params({_REFUSED.sub("_", name): value for name, value in parameters(settings).items()})
        mlflow.log_metrics({_REFUSED.sub("_", name): value for name, value in numbers(summary).items()})
