"""Keep what was measured of a clip on disk, under the clip's hash: a clip is measured once on a machine."""

from __future__ import annotations

import json
import math
from pathlib import Path

from dtbench.harness.acoustics.columns import COLUMNS, Values
from dtbench.harness.core.cache_folder import cache_folder_of
from dtbench.harness.store.atomic import replace_unsynced

MEASURE = "1"
"""Changes where the same clip gets another value."""


def cache_root() -> Path:
    """Return the folder of all measures: $DTBENCH_ACOUSTICS, or that of caches ($XDG_CACHE_HOME, ~/.cache)."""
    return cache_folder_of("acoustics", "DTBENCH_ACOUSTICS")


class MeasureCache:
    """The measures of clips by their hashes, a file each: whole or not at all, whoever else writes."""

    def __init__(self, librosa: str) -> None:
        minor = ".".join(librosa.split(".")[:2])
        self.folder = cache_root() / f"{MEASURE}-librosa-{minor}"
        """What another measure or another librosa gave lies beside it."""

    def read(self, clip_hash: str) -> Values | None:
        """Return the measures of a clip; None where there are none, or not these columns."""
        try:
            stored = json.loads((self.folder / f"{clip_hash}.json").read_bytes())
        except (OSError, ValueError):
            return None
        if not isinstance(stored, dict) or set(stored) != set(COLUMNS) or not all(map(_is_value, stored.values())):
            return None
        return {name: stored[name] for name in COLUMNS}

    def write(self, clip_hash: str, values: Values) -> None:
        """Keep the measures of a clip; a UserError or MachineryError where that fails."""
        path = self.folder / f"{clip_hash}.json"
        replace_unsynced(path, json.dumps(values, allow_nan=False).encode())


def _is_value(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and math.isfinite(value))
