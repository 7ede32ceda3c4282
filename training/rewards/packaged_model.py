"""Where a model lies in an installed package: `python packaged.py PACKAGE [FOLDER]` exits with 1 where it does not.

Nothing but Python is needed, so that the Python of an engine can be asked as well; the package itself is not run.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

PACKAGE = "package:"
"""Before a folder in an installed package: weights that come as any package does, where no hub is reached."""


def parts(name: str) -> tuple[str, str]:
    """The package and the folder in it, of `package:NAME/FOLDER`."""
    package, _, inside = name.removeprefix(PACKAGE).partition("/")
    return package, inside


def folders(package: str) -> list[Path]:
    """Where the package lies; nothing where it is not installed."""
    found = importlib.util.find_spec(package) if package.isidentifier() else None
    return [Path(root) for root in found.submodule_search_locations or ()] if found else []


def model_in(package: str, inside: str) -> Path | None:
    """The folder of the model; None where there is none."""
    places = (folder / inside for folder in folders(package))
    return next((place for place in places if (place / "config.json").is_file()), None)


if __name__ == "__main__":
    sys.exit(not (model_in(*sys.argv[1:]) if len(sys.argv) > 2 else folders(sys.argv[1])))
