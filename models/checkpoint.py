"""Weights that a run names: a local folder or an id of the hub, and the family they are of."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from dtbench.models.families import Family


class Checkpoint(NamedTuple):
    """Weights, and what is known of them without loading any."""

    source: str
    """A folder's path, or `org/name` on the hub."""
    family: Family | None
    architecture: str | None
    """What config.json says; None for a hub id that is not here, or where it says nothing."""

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine: then nothing reaches for the network."""
        return Path(self.source).is_dir()
