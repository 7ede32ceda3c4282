"""A model of a user's own that can be held to a letter: it says so, and its odds are kept."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from command import call
from runs import mmar_data, records

COUNT = 6
OWN = """
import math
from dtbench.harness.core.schema import OptionLogprobs, Response

class {name}:
    listens, rate, limit_seconds, forces = False, 16000, None, {forces}

    async def generate(self, prompt):
        assert len(prompt.letters) == len(prompt.choices)
        rest = math.log(0.2 / (len(prompt.letters) - 1))
        logprobs = (*(rest for _ in prompt.letters[1:]), math.log(0.8))
        return Response(prompt.letters[-1], option_logprobs=OptionLogprobs(logprobs))

    def describe(self):
        return {{"name": "own"}}

    async def aclose(self): ...
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str | Path, ...]:
    """A run of the model in the file of its own."""
    mmar_data(tmp_path / "data", COUNT)
    (tmp_path / "own_forced_model.py").write_text(
        OWN.format(name="Held", forces=True) + OWN.format(name="Free", forces=False)
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return ("--tasks", "mmar", "--data-dir", tmp_path / "data", "--out", tmp_path / "out", "--answer", "forced")


def test_a_model_that_says_so_is_held_to_letters(asked: tuple[str | Path, ...], tmp_path: Path) -> None:
    done = call("run", "--model", "own_forced_model:Held", "--json", *asked)
    assert done.code == 0, done
    (summary,) = json.loads(done.out)["tasks"]
    assert summary["forced"]["scored"] == COUNT
    assert summary["forced"]["confidence"] == pytest.approx(0.8, abs=1e-4)
    for record in records(tmp_path / "out"):
        assert record["response"]["option_logprobs"][-1] == pytest.approx(math.log(0.8), abs=1e-5)


def test_a_model_that_says_it_cannot_is_refused(asked: tuple[str | Path, ...]) -> None:
    said = call("run", "--model", "own_forced_model:Free", *asked).refusal()
    assert "--answer forced: the model own_forced_model:Free cannot be constrained to one letter" in said
