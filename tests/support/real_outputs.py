"""Real outputs that a careful reader has read: beside the repository where they are there, never in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest

ROWS = Path(__file__).parents[2].parent / "shared" / "reading" / "real_outputs.jsonl"


class ReadOutput(NamedTuple):
    """An output, the options, and the one that the reader saw in it; None where it decides for none."""

    output: str
    choices: tuple[str, ...]
    expect: str | None


def firm_rows() -> list[ReadOutput]:
    """Return the rows of which the reader was sure; skip the test where they are not there."""
    if not ROWS.is_file():
        pytest.skip(f"the real outputs are not here: ../{ROWS.relative_to(ROWS.parents[2])}")
    rows = [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines()]
    return [
        ReadOutput(
            row["output"], tuple(row["choices"]), None if row["expect"] is None else row["choices"][row["expect"]]
        )
        for row in rows
        if not row["doubt"]
    ]
