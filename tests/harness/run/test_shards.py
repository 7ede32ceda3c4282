"""Which shard a task of a SLURM array is, whatever SLURM says of the array and leaves out."""

from __future__ import annotations

import re

import pytest

from dtbench.harness.core.errors import UserError
from dtbench.harness.run.shards import slurm_shard


def told(text: str) -> dict[str, str]:
    """The environment of a task: `ID=3 MAX=5`."""
    return {f"SLURM_ARRAY_TASK_{name}": value for name, _, value in (part.partition("=") for part in text.split())}


@pytest.mark.parametrize(
    ("given", "shard"),
    [
        ("ID=0 MIN=0 MAX=2 COUNT=3", "1/3"),
        ("ID=2 MIN=0 MAX=2 COUNT=3", "3/3"),
        ("ID=5 MIN=5 MAX=9 STEP=2 COUNT=3", "1/3"),
        ("ID=9 MIN=5 MAX=9 STEP=2", "3/3"),
        ("ID=7 MIN=5 MAX=9 STEP=2", "2/3"),
        ("ID=7 MIN=5 STEP=2 COUNT=3", "2/3"),
        ("ID=5 MIN=4 COUNT=4", "2/4"),
        ("ID=7 MIN=5 MAX=10 STEP=2", "2/3"),
        ("ID=4 MIN=4 MAX=4 COUNT=1", None),
        ("ID=4 MIN=4 COUNT=1", None),
        ("", None),
        ("ID=3", None),
        ("ID=3 MIN=0", None),
        ("ID=3 MAX=5 COUNT=6", None),
        ("MIN=0 MAX=5 COUNT=6", None),
        ("ID= MIN=0 MAX=5 COUNT=6", None),
    ],
)
def test_a_task_of_an_array_is_its_shard_and_one_outside_of_any_is_none(given: str, shard: str | None) -> None:
    assert slurm_shard(told(given)) == shard


@pytest.mark.parametrize(
    "given",
    [
        "ID=3 MIN=0 MAX=2 COUNT=3",
        "ID=-1 MIN=0 MAX=2 COUNT=3",
        "ID=1 MIN=0 MAX=4 STEP=2 COUNT=3",
        "ID=1 MIN=0 MAX=7 COUNT=3",
        "ID=1 MIN=0 MAX=2 STEP=0",
        "ID=1 MIN=0 MAX=x",
    ],
)
def test_tasks_that_are_not_numbered_evenly_are_refused_with_what_slurm_said(given: str) -> None:
    said = ", ".join(f"{name}={value}" for name, value in told(given).items())
    with pytest.raises(UserError, match=re.escape("the tasks of this array are not numbered evenly")) as raised:
        slurm_shard(told(given))
    shown, _, _ = str(raised.value).partition(": ")
    assert sorted(shown.split(", ")) == sorted(said.split(", "))
