"""Trackio, on this machine or wherever TRACKIO_SPACE_ID says; TRACKIO_PROJECT names the project."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from dtbench.harness.export.trackers.flat import name_of, numbers, parameters


def log(summary: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """One run of Trackio: figures as its one step, settings as its config."""
    import trackio

    project = os.environ.get("TRACKIO_PROJECT", "dtbench")
    trackio.init(project=project, name=name_of(summary), config=parameters(settings))
    trackio.log(numbers(summary))
    trackio.finish()
