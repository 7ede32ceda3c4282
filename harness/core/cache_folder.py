"""Where dtbench keeps what can be made again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder_of(kind: str, variable: str) -> Path:
    """Return the folder that this variable names, else that of the kind among caches ($XDG_CACHE_HOME, ~/.cache)."""
    if named := os.environ.get(variable):
        return Path(named).expanduser()
    caches = os.environ.get("XDG_CACHE_HOME")
    return (Path(caches).expanduser() if caches else Path.home() / ".cache") / "dtbench" / kind
