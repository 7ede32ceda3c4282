"""What keeps the package readable: sizes, names that stand once, no circle of imports, nothing loose in harness/."""

from __future__ import annotations

import ast
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("harness", "models", "results", "tasks", "training")
MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_MOST_FUNCTIONS = 25
Modules = Mapping[str, ast.Module]


@pytest.fixture(scope="module")
def files() -> Mapping[str, Path]:
    """The package's files by the name under which they are imported."""
    paths = [path.relative_to(ROOT) for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    return {
        ".".join(("dtbench", *path.with_suffix("").parts)).removesuffix(".__init__"): ROOT / path
        for path in sorted(paths)
        if "runs" not in path.parts  # whatever a user's runs lie beside
    }


@pytest.fixture(scope="module")
def modules(files: Mapping[str, Path]) -> Modules:
    return {name: ast.parse(path.read_text()) for name, path in files.items()}


def imported(tree: ast.Module) -> Iterator[str]:
    """Every name that a module imports anywhere in it; of `from a import b` both a and a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_harness_holds_rooms_and_nothing_loose() -> None:
    loose = {path.name for path in (ROOT / "harness").iterdir() if path.is_file()}
    assert loose - {"__init__.py", "README.md"} == set()


def test_no_two_classes_of_the_package_have_one_name(modules: Modules) -> None:
    places = defaultdict(list)
    for name, tree in modules.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(name)
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_no_two_modules_import_each_other(modules: Modules) -> None:
    imports = {name: {found for found in imported(tree) if found in modules} for name, tree in modules.items()}
    assert sum(map(len, imports.values())) > len(modules)
    assert [(one, other) for one in modules for other in imports[one] if one < other and one in imports[other]] == []


def test_no_file_is_longer_than_anyone_reads_at_a_sitting(files: Mapping[str, Path]) -> None:
    lengths = {name: len(path.read_text().splitlines()) for name, path in files.items()}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES_OF_A_FILE} == {}


def test_nineteen_functions_of_twenty_are_short(modules: Modules) -> None:
    nodes = (node for tree in modules.values() for node in ast.walk(tree))
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = [(node.end_lineno or node.lineno) - node.lineno + 1 for node in functions]
    assert statistics.quantiles(lengths, n=20)[-1] <= MOST_LINES_OF_MOST_FUNCTIONS
