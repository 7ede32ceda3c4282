"""Find a model in an installed package: `python packaged_model.py PACKAGE [FOLDER]` exits with 1 if it has none.

This file is short and stands alone because the Python of an engine runs its text, and may have nothing else installed.
The package itself is not run.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

PACKAGE = "package:"
"""Before a folder in an installed package: weights that come as any package does, where no hub is reached."""


def split_package_name(name: str) -> tuple[str, str]:
    """Split `package:NAME/FOLDER` into the package and the folder in it."""
    package, _, inside = name.removeprefix(PACKAGE).partition("/")
    return package, inside


def package_folders(package: str) -> list[Path]:
    """Return the folders of a package; none where it is not installed."""
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    return [Path(root) for root in spec.submodule_search_locations or ()] if spec else []


def packaged_model_folder(package: str, inside: str) -> Path | None:
    """Return the folder of the model; None where there is none."""
    candidates = (folder / inside for folder in package_folders(package))
    return next((folder for folder in candidates if (folder / "config.json").is_file()), None)


if __name__ == "__main__":
    sys.exit(not (packaged_model_folder(*sys.argv[1:]) if len(sys.argv) > 2 else package_folders(sys.argv[1])))
