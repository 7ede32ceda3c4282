"""Print what a task's figures() returns: numbers that belong together on a line, named by the keys above them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from dtbench.harness.core.errors import one_line

MOST_LINES = 30
"""Of each figure; all of them are in summary.json."""
_OF_LM_EVAL = "lm_eval"


def own_lines(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the figures that only this task has, with their names."""
    from dtbench.harness.store.summary_types import TaskSummary

    for name in sorted(summary.keys() - {*TaskSummary.__annotations__, _OF_LM_EVAL}):
        lines = _lines(summary[name], ())
        yield from ((one_line(name), one_line(line)) for line in itertools.islice(lines, MOST_LINES))


def _lines(value: Any, path: tuple[str, ...]) -> Iterator[str]:
    parts = value if isinstance(value, Mapping) else {"": value}
    plain = [f"{key} {_shown(one)}".strip() for key, one in parts.items() if not isinstance(one, Mapping)]
    if plain:
        yield ": ".join(filter(None, [", ".join(path), ", ".join(plain)]))
    for key, one in parts.items():
        if isinstance(one, Mapping):
            yield from _lines(one, (*path, key))


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "none" if value is None else str(value)
