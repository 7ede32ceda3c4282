"""Find the packages where the links of `.src/dtbench` came through, and where they did not.

A zip and some file systems turn a link into a line of text. A build that looked at links alone would then pack nothing
and call it a success.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from setuptools import find_packages, setup

LINKS = [Path(".src/dtbench", name) for name in ("harness", "models", "results", "tasks", "training")]
FOLDERS = {f"dtbench.{link.name}": link if link.is_dir() else Path(link.name) for link in LINKS}

modules = (file for top in FOLDERS.values() for file in (top / "__init__.py", *top.rglob("*.py")))
rooms = {file.parent for file in modules if "runs" not in file.parts}  # results/runs holds whatever its user put there
if incomplete := [f"{room}/__init__.py" for room in sorted(rooms) if not (room / "__init__.py").is_file()]:
    raise SystemExit(f"dtbench: {incomplete[0]} is missing from this source tree. Build a whole one.")

with TemporaryDirectory() as build:  # setuptools' own choice is build/, where files that were deleted since still lie
    setup(
        package_dir={"": ".src"} | {name: str(top) for name, top in FOLDERS.items() if top not in LINKS},
        packages=["dtbench", *FOLDERS]
        + [f"{name}.{room}" for name, top in FOLDERS.items() for room in find_packages(str(top))],
        options={"build": {"build_base": build}},
    )
