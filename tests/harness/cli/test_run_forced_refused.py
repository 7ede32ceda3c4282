"""`--answer forced` where it cannot be: one line, and nothing is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from command import call
from runs import mmar_data, write_script


@pytest.fixture(autouse=True)
def data(tmp_path: Path) -> None:
    mmar_data(tmp_path / "data", 6)


def ten_and_more(tmp_path: Path) -> None:
    path = tmp_path / "data" / "MMAR-meta.jsonl"
    items = [json.loads(line) for line in path.read_text().splitlines()]
    items[3]["choices"] = [items[3]["answer"], *map(str, range(20))]
    path.write_text("".join(json.dumps(item) + "\n" for item in items))


def first(tmp_path: Path) -> tuple[str, ...]:
    return ("--model", "first")


def repeated(tmp_path: Path) -> tuple[str, ...]:
    return ("--model", "first", "--samples", "3")


def scripted(tmp_path: Path) -> tuple[str, ...]:
    return tuple(write_script(tmp_path / "script", [{"text": "A"}]))


@pytest.mark.parametrize(
    ("model", "style", "spoil", "says"),
    [
        (
            first,
            "forced",
            None,
            "--answer forced: the model first cannot be constrained to one letter",
        ),
        (scripted, "forced", None, "--answer forced: the model scripted cannot be constrained to one letter"),
        (
            first,
            "froced",
            None,
            "--answer froced: unknown. Did you mean forced? Known: direct",
        ),
        (repeated, "forced", None, "--samples 3: a forced answer is the likeliest letter, the same at every repeat"),
        (first, "forced", ten_and_more, "of mmar has 21 options, but only 1 to 20 can be answered"),
    ],
)
def test_what_cannot_be_forced_is_one_line_and_nothing_is_written(
    tmp_path: Path,
    model: Callable[[Path], tuple[str, ...]],
    style: str,
    spoil: Callable[[Path], None] | None,
    says: str,
) -> None:
    if spoil is not None:
        spoil(tmp_path)
    asked = ("--tasks", "mmar", "--data-dir", tmp_path / "data", "--out", tmp_path / "out", "--answer", style)
    assert says in call("run", *model(tmp_path), *asked).refusal()
    assert not (tmp_path / "out").exists()
