"""Which files of tests are asked about a change, the nearest first."""

from __future__ import annotations

import ast
import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

SLOW = ("engines", "browser", "neighbours", "bench", "setup", "mutants")
"""Folders whose tests are never asked: they need what a plain checkout has not, or have nothing to do with the core."""
MOST_RELATED = 10


def rings(root: Path, file: str, *, every: bool = False) -> list[list[str]]:
    """The files of tests in three rings: by name and import, by folder, and by the words that they share.

    In a ring those of the name come first, then those that share most words. The third ring is a choice of those that
    share most, or with `every` all that are left.
    """
    tests = _tests(root)
    path = Path(file)
    dotted = ".".join(("dtbench", *path.with_suffix("").parts))
    mirror = (Path("tests") / path.parent).as_posix() + "/"
    stem = f"test_{path.stem}"
    named = [test for test in tests if test.startswith(mirror) and Path(test).stem.startswith(stem)]
    related = _related(tests, (root / file).read_text(encoding="utf-8"))
    importing = [test for test in related if re.search(rf"\b{re.escape(dotted)}\b", tests[test])]
    first = list(dict.fromkeys([*named, *importing]))
    folder = [test for test in related if test.startswith(mirror)]
    return _apart([first, folder, related if every else related[: MOST_RELATED + len(first)]])


def _tests(root: Path) -> dict[str, str]:
    found = sorted((root / "tests").rglob("test_*.py"))
    named = {path.relative_to(root).as_posix(): path for path in found}
    return {name: path.read_text(encoding="utf-8") for name, path in named.items() if Path(name).parts[1] not in SLOW}


def _related(tests: dict[str, str], source: str) -> list[str]:
    """Those that share the rarest words with the source, first."""
    words = {test: set(re.findall(r"[a-z]{4,}", text.lower())) for test, text in tests.items()}
    holding = Counter(word for one in words.values() for word in one)
    spoken = {word for text in _spoken(source) for word in re.findall(r"[a-z]{4,}", text.lower())}
    weight = {word: math.log(len(tests) / count) for word, count in holding.items() if word in spoken}
    shared = {test: sum(weight.get(word, 0.0) for word in one) / math.sqrt(len(one) + 1) for test, one in words.items()}
    return sorted(tests, key=lambda test: (-shared[test], test))


def _spoken(source: str) -> list[str]:
    """Names and texts of the source."""
    nodes = list(ast.walk(ast.parse(source)))
    names = [node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [*names, *texts]


def _apart(several: Sequence[Sequence[str]]) -> list[list[str]]:
    """Each file in the first ring that has it."""
    seen: set[str] = set()
    apart = []
    for ring in several:
        apart.append([test for test in dict.fromkeys(ring) if test not in seen])
        seen.update(ring)
    return [ring for ring in apart if ring]
