"""How what runs within an engine stops it: with a reason that the stages can read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NoReturn

from dtbench.harness.store.atomic import replace_whole

WHERE = "DTBENCH_STOPPED"
"""The variable that names the file for the reason."""


class StoppedError(RuntimeError):
    """Ends the engine's process."""


def stop(why: str) -> NoReturn:
    """Leave the reason and end."""
    replace_whole(Path(os.environ[WHERE]), json.dumps({"why": why}).encode())
    raise StoppedError(f"dtbench: {why}")
