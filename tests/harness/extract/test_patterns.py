from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
import sys

import pytest

from dtbench.harness import extract
from dtbench.harness.extract.patterns import LazyPattern, lazy_pattern

MODULES = [module.name for module in pkgutil.iter_modules(extract.__path__)]


def test_a_lazy_pattern_finds_what_the_real_one_finds() -> None:
    text = "One Dog, two dogs; 3 cats."
    lazy, real = lazy_pattern(r"(?P<word>dog)s?|\d", re.IGNORECASE), re.compile(r"(?P<word>dog)s?|\d", re.IGNORECASE)
    for _ in range(2):  # not compiled yet, then compiled
        assert [m.span() for m in lazy.finditer(text)] == [m.span() for m in real.finditer(text)]
        assert lazy.sub("-", text) == real.sub("-", text)
        assert (lazy.search(text, 6) is None, lazy.match(text)) == (real.search(text, 6) is None, None)
        assert (lazy.pattern, lazy.flags, lazy.groupindex) == (real.pattern, real.flags, real.groupindex)


def test_a_lazy_pattern_has_no_other_fields() -> None:
    with pytest.raises(AttributeError, match="no scanner"):
        _ = lazy_pattern("a").scanner  # type: ignore[attr-defined]
    assert repr(lazy_pattern("a", re.DOTALL)) == "lazy_pattern('a', re.DOTALL)"


@pytest.mark.parametrize("name", MODULES)
def test_every_pattern_of_the_extraction_compiles(name: str) -> None:
    module = importlib.import_module(f"{extract.__name__}.{name}")
    patterns = [value for value in vars(module).values() if isinstance(value, LazyPattern)]
    assert all(re.compile(one.pattern, one.flags) for one in patterns)


def test_importing_the_extraction_compiles_no_pattern() -> None:
    code = """
import dataclasses, json, unicodedata  # which have patterns of their own
import re
re.compile = None
from dtbench.harness.extract import answer, evidence
"""
    subprocess.run([sys.executable, "-c", code], check=True)
