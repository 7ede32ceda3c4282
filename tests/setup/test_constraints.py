from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
CONSTRAINTS = Path(__file__).with_name("constraints.txt")
INSTALLED_EXTRAS = ("aac", "datasets", "dev", "embedding", "local", "lm-eval", "train")


def requirements() -> list[Requirement]:
    """What the set-up installs by name: the core's dependencies and those of the extras that tests use."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = project["dependencies"] + [
        line for name in INSTALLED_EXTRAS for line in project["optional-dependencies"][name]
    ]
    parsed = [Requirement(line) for line in lines]
    return [requirement for requirement in parsed if requirement.name != project["name"]]


def constrained() -> dict[str, list[str]]:
    """The versions that the constraints allow of a package, whatever the platform."""
    versions: dict[str, list[str]] = {}
    for line in CONSTRAINTS.read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, version = line.partition(";")[0].strip().partition("==")
            versions.setdefault(canonicalize_name(name), []).append(version)
    return versions


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_the_constraints_agree_with_what_pyproject_asks_for(requirement: Requirement) -> None:
    versions = constrained()[canonicalize_name(requirement.name)]
    assert all(requirement.specifier.contains(version) for version in versions)
