"""`make proof`: which trainings it starts, in which order. They take hours and are not run here."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest
from command import call

from dtbench.training.recipe.recipe import RECIPES

ROOT = Path(__file__).resolve().parents[2]
NOTING = """#!{python}
import json, sys
with open({file!r}, "a") as file:
    print(json.dumps(sys.argv[1:]), file=file)
"""
Words = Sequence[str]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Words]:
    """The words of each command, in order; in place of dtbench stands what notes them."""
    folder = tmp_path_factory.mktemp("make")
    for name in ("dtbench", "python"):
        (folder / name).write_text(NOTING.format(python=sys.executable, file=str(folder / "started")))
        (folder / name).chmod(0o755)
    (folder / "proof" / "0").mkdir(parents=True)
    set_up = ("-o", ".venv/.demo", "-o", "train-env")
    subprocess.run(
        ["make", "proof", *set_up, f"BIN={folder}", f"PROOF={folder / 'proof'}"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return [json.loads(line) for line in (folder / "started").read_text().splitlines()]


def of(words: Words, option: str) -> str | None:
    return words[words.index(option) + 1] if option in words else None


def test_every_arm_of_mini_is_trained_with_every_seed(started: Sequence[Words]) -> None:
    told = tomllib.loads((RECIPES / "mini.toml").read_text())
    arms = [None, *(arm["name"] for arm in told["arm"])]
    asked = [(of(words, "--arm"), of(words, "--seed")) for words in started[:-1]]
    assert len(asked) == len(set(asked))
    assert set(asked) == {(arm, seed) for arm in arms for seed in ("0", "1", "2")}


def test_each_takes_over_what_was_trained_before_it(started: Sequence[Words]) -> None:
    done: dict[str | None, Words] = {}
    for words in started[:-1]:
        source = of(words, "--reuse")
        assert source in done or (source is None and not done)
        if of(words, "--arm"):  # the first stage of the same seed, where it is the same
            assert of(done[source], "--seed") == of(words, "--seed")
        done[of(words, "--out")] = words
    assert started[-1][0] == "tests/proof/prove.py"


def test_dtbench_takes_these_commands(started: Sequence[Words]) -> None:
    of_one_seed = [words for words in started[:-1] if of(words, "--seed") == "0"]
    assert [call(*words, "--dry-run").code for words in of_one_seed] == [0] * 5
