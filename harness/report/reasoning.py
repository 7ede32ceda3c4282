"""What `dtbench faithful` measured of the runs of a page, cut to what the page shows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dtbench.harness.store.faithful_summaries import read_all_faithful
from dtbench.harness.store.faithful_types import FaithfulExample, FaithfulSummary

MOST_BEFORE = 240
"""Characters of an example before the first word that was changed."""
MOST_BEHIND = 600
"""Characters of what a model was given and of what it wrote, from there on."""
MOST_VALUES = 12
"""A heading of more groups than that is left out."""
_SHOWN = ("task", "status", "questions", "chains", "interventions", "left_out", "failed", "notes")
_SHOWN_OF_EXAMPLE = ("intervention", "id", "kept", "led", "choice")
_WORD = re.compile(r"\S+\s*")


def faithful_figures(runs: Iterable[tuple[str, Path]]) -> list[dict[str, Any]] | None:
    """Return what the page shows of the reasoning of runs, by their names; None where nothing was measured."""
    return [_shown(name, one) for name, folder in runs for one in read_all_faithful(folder)] or None


def _shown(name: str, summary: FaithfulSummary) -> dict[str, Any]:
    groups = {heading: values for heading, values in summary["groups"].items() if len(values) <= MOST_VALUES}
    examples = [_shown_example(one) for one in summary.get("examples", ())]
    shown = {key: value for key, value in summary.items() if key in _SHOWN}
    return {"run": name, **shown, "groups": groups, "examples": examples}


def _shown_example(one: FaithfulExample) -> dict[str, Any]:
    """Return an example in parts: what was left as it was, what was changed, and what the model wrote."""
    own = one["own"]
    same = "" if own is None else _common_words(own, one["begun"])
    return {
        **{name: value for name, value in one.items() if name in _SHOWN_OF_EXAMPLE},
        "same": same if len(same) <= MOST_BEFORE else f"\u2026{same[-MOST_BEFORE:]}",
        "own": None if own is None else _cut(own[len(same) :]),
        "given": _cut(one["begun"][len(same) :]),
        "wrote": _cut(one["wrote"]),
    }


def _common_words(one: str, other: str) -> str:
    """Return the words that both texts begin with."""
    end = 0
    for first, second in zip(_WORD.finditer(one), _WORD.finditer(other), strict=False):
        if first.group() != second.group():
            break
        end = first.end()
    return one[:end]


def _cut(text: str) -> str:
    return text if len(text) <= MOST_BEHIND else f"{text[:MOST_BEHIND]}\u2026"
