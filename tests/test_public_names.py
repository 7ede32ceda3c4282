from __future__ import annotations

import subprocess
import sys

import pytest

import dtbench


@pytest.mark.parametrize("name", dtbench.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    code = f"from dtbench import {name}; assert {name}.__name__ == {name!r}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_list_of_public_names_is_sorted_and_is_what_dir_shows() -> None:
    assert dtbench.__all__ == sorted(dtbench.__all__)
    assert set(dtbench.__all__) <= set(dir(dtbench))


def test_an_unknown_name_is_refused_as_any_module_refuses_it() -> None:
    with pytest.raises(AttributeError, match="module 'dtbench' has no attribute 'nothing'"):
        dtbench.nothing  # noqa: B018
    with pytest.raises(ImportError):
        from dtbench import nothing  # noqa: F401


def test_importing_the_package_loads_no_module_but_its_own() -> None:
    code = "import sys; before = set(sys.modules); import dtbench; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["dtbench"]
