"""Find the packages where the links of `.src/dtbench` came through, and where they did not; write what a wheel needs.

A zip and some file systems turn a link into a line of text. A build that looked at links alone would then pack nothing
and call it a success.

Each wheel carries a software bill of materials (CycloneDX 1.6, in `.dist-info/sboms/`, PEP 770). It says what
pyproject.toml says, bounds and licences alike, and nothing of the machine that builds: the same source gives the same
wheel. `python setup.py sbom` writes it into dist/ alone.
"""

import json
import re
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from setuptools import Command, find_packages, setup
from setuptools.command.bdist_wheel import bdist_wheel

LINKS = [Path(".src/dtbench", name) for name in ("harness", "models", "results", "tasks", "training")]
FOLDERS = {f"dtbench.{link.name}": link if link.is_dir() else Path(link.name) for link in LINKS}
SBOM = "dtbench.cdx.json"
DEVELOPMENT = "dev"  # what nobody installs who uses a wheel

modules = (file for top in FOLDERS.values() for file in (top / "__init__.py", *top.rglob("*.py")))
rooms = {file.parent for file in modules if "runs" not in file.parts}  # results/runs holds whatever its user put there
if incomplete := [f"{room}/__init__.py" for room in sorted(rooms) if not (room / "__init__.py").is_file()]:
    raise SystemExit(f"dtbench: {incomplete[0]} is missing from this source tree. Build a whole one.")


def bill_of_materials(version: str) -> dict[str, Any]:
    """Return what a wheel of this version depends on, as CycloneDX has it."""
    settings = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    project, licences = settings["project"], settings["tool"]["dtbench"]["licences"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    components: dict[str, dict[str, Any]] = {}
    for extra, lines in groups.items():
        for line in lines if extra != DEVELOPMENT else ():
            name, bounds = re.fullmatch(r"([\w.-]+)(?:\[[^\]]*\])?(.*)", line).groups()
            if name != project["name"]:
                found = components.setdefault(name, _component(name, bounds, licences[name], required=not extra))
                if extra:
                    found["properties"].append({"name": "dtbench:extra", "value": extra})
    own = f"pkg:pypi/{project['name']}@{version}"
    about = {"type": "application", "bom-ref": own, "name": project["name"], "version": version, "purl": own}
    ordered = [components[name] for name in sorted(components)]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": about | {"licenses": [{"expression": project["license"]}]}},
        "components": ordered,
        "dependencies": [{"ref": own, "dependsOn": [one["bom-ref"] for one in ordered]}],
    }


def _component(name: str, bounds: str, licence: str, *, required: bool) -> dict[str, Any]:
    purl = f"pkg:pypi/{name.lower()}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "purl": purl,
        "scope": "required" if required else "optional",
        "licenses": [{"expression": licence}],
        "properties": [{"name": "dtbench:bounds", "value": bounds}],
    }


def write_bill(folder: Path, version: str) -> Path:
    """Write the bill of materials into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / SBOM
    file.write_text(json.dumps(bill_of_materials(version), indent=2) + "\n", encoding="utf-8")
    return file


class WheelWithBill(bdist_wheel):
    """A wheel with its bill of materials."""

    def write_wheelfile(self, wheelfile_base: str, *more: str) -> None:
        """Write the bill beside the WHEEL file, before both are listed in RECORD."""
        super().write_wheelfile(wheelfile_base, *more)
        write_bill(Path(wheelfile_base, "sboms"), self.distribution.get_version())


class Bill(Command):
    """Write the bill of materials into dist/."""

    user_options: list[tuple[str, str, str]] = []  # noqa: RUF012 -- setuptools takes nothing else

    def initialize_options(self) -> None:
        """Do nothing: there are none."""

    def finalize_options(self) -> None:
        """Do nothing: there are none."""

    def run(self) -> None:
        """Write it, and print where."""
        print(write_bill(Path("dist"), self.distribution.get_version()))


with TemporaryDirectory() as build:  # setuptools' own choice is build/, where files that were deleted since still lie
    setup(
        package_dir={"": ".src"} | {name: str(top) for name, top in FOLDERS.items() if top not in LINKS},
        packages=["dtbench", *FOLDERS]
        + [f"{name}.{room}" for name, top in FOLDERS.items() for room in find_packages(str(top))],
        options={"build": {"build_base": build}},
        cmdclass={"bdist_wheel": WheelWithBill, "sbom": Bill},
    )
