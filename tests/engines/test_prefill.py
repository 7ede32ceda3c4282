"""The model in the box continues answers that were begun, word by word behind what it was given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from chain_reasoners import BY_ID, reference_answer
from command import process
from engines import need
from made_up_run import write_run

from dtbench.harness.core.schema import Sample
from dtbench.harness.run.plan import PromptForm
from dtbench.harness.store.faithful_types import FaithfulRecord
from dtbench.harness.store.run_folder import StoredRun
from dtbench.tasks.mini_world.events import VOCABULARY

pytestmark = pytest.mark.engine

WORDS = {*VOCABULARY, "<think>", "</think>"}
ASKED = 4


@pytest.mark.whole
def test_the_model_in_the_box_continues_its_changed_chains(tmp_path: Path) -> None:
    need("transformers")
    ids = list(BY_ID)[:ASKED]

    def says(sample: Sample, repeat: int) -> str | None:
        return reference_answer(sample) if sample.id in ids else None

    write_run(tmp_path / "run", {"mini": tmp_path / "data"}, says, form=PromptForm(answer="think"))
    own = ("--model", "mini", "--backend", "local", "-M", "max_tokens=24", "--only", "control,step,empty")
    done = process("faithful", tmp_path / "run", *own, "--json")
    assert done.code == 0, done.err
    summary = json.loads(done.out)
    assert (summary["prefill"], summary["chains"], summary["failed"]) == (True, ASKED, 0)
    found = list(StoredRun.open(tmp_path / "run" / "faithful", "faithful").records_as("mini", FaithfulRecord))
    assert len(found) == 3 * ASKED
    for record in found:
        text, begun = record["response"]["text"], record["begun"]
        assert text.startswith(begun)
        assert set(text.split()) <= WORDS, text  # no word runs into the next one
        assert any(text != one["begun"] for one in found)
