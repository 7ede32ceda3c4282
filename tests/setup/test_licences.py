from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from licences import Package, installed_packages, is_allowed, refused, stated_licence

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RULES = tomllib.loads(Path(__file__).with_name("licences.toml").read_text())


def test_every_package_that_the_core_installs_has_a_licence_that_is_allowed() -> None:
    lacking: set[str] = set()
    packages = installed_packages(PYPROJECT["project"]["dependencies"], lacking)
    by_name = {one.name.lower(): one for one in packages}
    assert {"numpy", "soxr", "pyarrow", "aiohttp", "yarl", "multidict"} <= by_name.keys()
    assert (by_name["soxr"].licence, by_name["yarl"].licence) == ("LGPL-2.1-or-later", "Apache-2.0")
    assert (list(refused(packages)), lacking) == ([], set())


def test_another_licence_fails_the_list_unless_it_is_an_exception_with_a_reason() -> None:
    strange = [Package("x", "1", "AGPL-3.0-only"), Package("intel-openmp", "1", "LicenseRef-Intel")]
    assert [one.name for one in refused(strange)] == ["x"]
    assert all(reason.strip() for table in ("allowed", "exceptions") for reason in RULES[table].values())


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("MIT", True),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("Apache-2.0 AND (MIT OR BSD-3-Clause)", True),
        ("unknown", False),
    ],
)
def test_and_asks_for_both_and_or_for_one(licence: str, *, expected: bool) -> None:
    assert is_allowed(licence, RULES["allowed"]) is expected


def test_the_licences_of_the_bill_of_materials_are_those_that_are_installed() -> None:
    compared = set()
    for name, licence in PYPROJECT["tool"]["dtbench"]["licences"].items():
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue
        stated = stated_licence(package, RULES["packages"])
        assert licence.startswith(stated) or stated.startswith(licence), name  # BSD: the package does not say which
        compared.add(name)
    assert {"numpy", "soxr", "aiohttp", "typer"} <= compared


def test_the_list_is_a_command_that_names_every_extra() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tests/setup/licences.py"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("core", *PYPROJECT["project"]["optional-dependencies"]):
        assert f"\n{name}: " in done.stdout
