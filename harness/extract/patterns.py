"""Regular expressions that are compiled when they are first used.

There are more than a hundred, which take 80 ms to compile, and the commonest answers need a dozen.
"""

from __future__ import annotations

import re
from typing import Any, cast

_METHODS = ("search", "match", "fullmatch", "finditer", "findall", "sub", "subn", "split")
_FIELDS = (*_METHODS, "pattern", "flags", "groups", "groupindex")


def lazy_pattern(source: str, flags: int = 0) -> re.Pattern[str]:
    """Return a pattern that is compiled at its first search; pass it to no function of `re`, which wants a real one."""
    return cast("re.Pattern[str]", LazyPattern(source, flags))


class LazyPattern:
    """Stands for a pattern: once compiled, its fields are the pattern's own, and as fast."""

    __slots__ = ("_source", "_wanted", *_FIELDS)

    def __init__(self, source: str, flags: int) -> None:
        self._source = source
        self._wanted = flags

    def __getattr__(self, name: str) -> Any:
        """Compile the pattern, as a field is asked for that is not set yet."""
        if name not in _FIELDS:
            raise AttributeError(f"a pattern has no {name}")
        compiled = re.compile(self._source, self._wanted)
        for field in _FIELDS:
            setattr(self, field, getattr(compiled, field))
        return getattr(compiled, name)

    def __repr__(self) -> str:
        return f"lazy_pattern({self._source!r}, {self._wanted})"
