"""The checkpoint in the box: what it answers, under vLLM and transformers alike, and what it is worth.

With DTBENCH_WHOLE=1 both are asked all of its questions, else vLLM is asked a quarter of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from called_birds import TASK, calls, write_birds
from chain_reasoners import BY_ID, reference_answer
from command import process
from engines import ONE_PROCESS, Demo, apart, need
from made_up_run import write_run
from runs import records

from dtbench.harness.core.schema import Sample
from dtbench.harness.run.plan import PromptForm
from dtbench.harness.store.faithful_summaries import read_faithful
from dtbench.harness.store.faithful_types import FaithfulRecord
from dtbench.harness.store.run_folder import StoredRun
from dtbench.models.checkpoints.families import built_in_families

pytestmark = pytest.mark.engine

FOLDER = Path(str(built_in_families()["mini"].checkpoint))
SOME = 60
"""Questions of a sample."""
MANY = 600 if os.environ.get("DTBENCH_WHOLE") == "1" else 150
"""Questions that transformers and vLLM are both asked."""
COMPARED: Mapping[str, Mapping[str, Any]] = {
    "heard": {"out": "run", "limit": MANY},
    "shuffled": {"out": "compared", "audio": "shuffle", "limit": MANY},
    "thinking": {"out": "thinking", "answer": "think", "limit": SOME},
}
IN_FLIGHT: Mapping[str, Mapping[str, Any]] = {
    "one by one": {"out": "one by one", "concurrency": 1, "limit": SOME},
    "five at once": {"out": "five at once", "concurrency": 5, "limit": MANY},
}
IN_A_BATCH: Mapping[str, Mapping[str, Any]] = {
    size: {"out": f"batches of {size}", "limit": SOME, "concurrency": 32, "options": {"batch_size": size}}
    for size in ("1", "32")
}
HERE = {name: asked for name, asked in {**COMPARED, **IN_A_BATCH}.items() if name != "heard"}
REASONED, CHANGED = "reasoned", 6
"""The run whose reasoning is changed, and how many answers it has."""
Texts = Mapping[str, str]


def held(folder: Path, backend: str, asked: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Texts]:
    """The words of every answer of these runs, by the id of its question; in one process."""
    shared = {"model": "mini", "backend": backend, "tasks": ["mini"]}
    requests = [{**shared, **one, "out": str(folder / one["out"])} for one in asked.values()]
    write_run(folder / REASONED, {"mini": folder / "data"}, reasoned, form=PromptForm(answer="think"))
    told = json.loads(apart("held", folder / REASONED, given=json.dumps(requests), **ONE_PROCESS))
    assert told["codes"] == [0] * (len(asked) + 1)
    return {name: texts(folder / one["out"]) for name, one in asked.items()}


def reasoned(sample: Sample, repeat: int) -> str | None:
    """The reference chain of the first questions, whose reasoning is changed and continued."""
    return reference_answer(sample) if sample.id in list(BY_ID)[:CHANGED] else None


def continued(folder: Path) -> Texts:
    """What was made of each changed chain, by question and change."""
    changed = StoredRun.open(folder / REASONED / "faithful", "faithful")
    return {
        f"{one['id']}, {one['intervention']}": one["response"]["text"]
        for one in changed.records_as("mini", FaithfulRecord)
    }


def texts(out: Path) -> Texts:
    found = records(out, "mini")
    assert not [record["error"] for record in found if "error" in record]
    return {record["id"]: record["response"]["text"].strip() for record in found}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("transformers")
    return tmp_path_factory.mktemp("mini")


@pytest.fixture(scope="module")
def here(folder: Path, first_demo: Demo) -> Mapping[str, Texts]:
    """With transformers, in batches of eight where nothing else is said; the demo asked all questions."""
    return {"heard": texts(first_demo.run), **held(folder / "local", "local", HERE)}


@pytest.fixture(scope="module")
def there(folder: Path) -> Mapping[str, Texts]:
    """With vLLM."""
    need("vllm")
    return held(folder / "vllm", "vllm", {**COMPARED, **IN_FLIGHT})


@pytest.fixture(scope="module")
def summary(first_demo: Demo) -> Sequence[Mapping[str, Any]]:
    """Of the plain run and of the one with the clips of others."""
    where = (first_demo.run, first_demo.run / "audio-shuffle")
    return [json.loads((out / "summary.json").read_text())["tasks"][0] for out in where]


@pytest.mark.parametrize("name", COMPARED)
def test_vllm_and_transformers_say_the_same_to_every_question(
    here: Mapping[str, Texts], there: Mapping[str, Texts], name: str
) -> None:
    assert len(there[name]) == COMPARED[name]["limit"]
    assert there[name].items() <= here[name].items()


def test_vllm_and_transformers_continue_changed_reasoning_alike(
    folder: Path, here: Mapping[str, Texts], there: Mapping[str, Texts]
) -> None:
    ours, theirs = continued(folder / "local"), continued(folder / "vllm")
    assert theirs == ours
    first, second = (read_faithful(folder / backend / REASONED) for backend in ("local", "vllm"))
    assert first is not None
    assert second is not None
    assert first["interventions"] == second["interventions"]
    counts = {one["intervention"]: one["n"] for one in first["interventions"]}
    assert counts["control"] == counts["empty"] == CHANGED
    followed = next(one["follow"] for one in first["interventions"] if one["intervention"] == "step")
    assert followed is not None
    assert followed["accuracy"] == 1.0  # it gives the option that its own words have just concluded


@pytest.mark.parametrize("name", IN_FLIGHT)
def test_an_answer_does_not_depend_on_how_many_are_in_flight(there: Mapping[str, Texts], name: str) -> None:
    assert len(there[name]) == IN_FLIGHT[name]["limit"]
    assert there[name].items() <= there["heard"].items()


@pytest.mark.parametrize("size", IN_A_BATCH)
def test_an_answer_does_not_depend_on_its_batch(here: Mapping[str, Texts], size: str) -> None:
    assert len(here[size]) == SOME
    assert here[size].items() <= here["heard"].items()


def test_it_is_right_about_half_the_time_and_less_often_at_the_boundary(summary: Sequence[Mapping[str, Any]]) -> None:
    strict = summary[0]["strict"]
    assert 0.45 <= strict["accuracy"] <= 0.65
    by_difficulty = {name: group["accuracy"] for name, group in strict["groups"]["difficulty"].items()}
    assert by_difficulty["boundary"] < by_difficulty["easy"]


def test_it_listens_to_every_kind_of_sound(summary: Sequence[Mapping[str, Any]]) -> None:
    heard, shuffled = summary
    gap = shuffled["audio_ablation"]["gap"]
    assert gap["gap"] >= 0.15
    assert gap["low"] > 0.10
    for category, group in heard["strict"]["groups"]["category"].items():
        assert group["accuracy"] > shuffled["strict"]["groups"]["category"][category]["accuracy"], category


def test_its_record_says_what_it_is(first_demo: Demo) -> None:
    model = StoredRun.open(first_demo.run).info["model"]
    assert (model["model"], model["family"], model["dtype"]) == ("mini", "mini", "auto")
    assert model["architecture"] == "Qwen3OmniMoeForConditionalGeneration"


def test_it_runs_where_nothing_that_sees_is_installed(here: Mapping[str, Texts], tmp_path: Path) -> None:
    blind = (
        "import sys; sys.modules['torchvision'] = sys.modules['PIL'] = None\n"
        "from dtbench.harness.cli.main import main; main()"
    )
    asked = (
        "run",
        "--model",
        "mini",
        "--tasks",
        "mini",
        "--backend",
        "local",
        "--limit",
        "8",
        "--out",
        tmp_path / "out",
    )
    subprocess.run([sys.executable, "-c", blind, *map(str, asked)], check=True, capture_output=True)
    assert texts(tmp_path / "out").items() <= here["heard"].items()


PLAIN = """
import sys

import numpy
from transformers import AutoProcessor
from transformers import Qwen3OmniMoeForConditionalGeneration as Whole
from transformers import Qwen3OmniMoeThinkerForConditionalGeneration as Thinker

from dtbench.tasks.mini import Mini

folder = sys.argv[1]
processor = AutoProcessor.from_pretrained(folder)
thinker = Thinker.from_pretrained(folder)
whole = Whole.from_pretrained(folder)
for sample, _ in zip(Mini().samples(None), range(4)):
    clip = numpy.frombuffer(sample.audio.read()[44:], "<i2").astype("float32") / 32768
    content = [{"type": "audio", "audio": clip}, {"type": "text", "text": Mini().prompt(sample).text}]
    given = processor.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt",
    )
    asked = given["input_ids"].shape[1]
    for said in (
        thinker.generate(**given, max_new_tokens=9),
        whole.generate(**given, thinker_max_new_tokens=9, thinker_do_sample=False, thinker_eos_token_id=3),
    ):
        print(sample.id, *processor.batch_decode(said[:, asked:], skip_special_tokens=True))
"""


def test_plain_transformers_loads_it_and_hears_the_same(here: Mapping[str, Texts], tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", PLAIN, str(FOLDER)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    said = [line.partition(" ")[::2] for line in done.stdout.splitlines()]
    assert len(said) == 8
    assert all(here["heard"][id_] == text.strip() for id_, text in said)


def test_other_questions_are_asked_and_it_is_said_what_that_is_worth(folder: Path, tmp_path: Path) -> None:
    write_birds(tmp_path, calls(2))
    asked = ("--model", "mini", "--backend", "local", "--task-file", TASK, "--data-dir", tmp_path)
    done = process("run", *asked, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    notes = [line for line in done.err.splitlines() if line.startswith("note: ")]
    assert notes[-1] == "note: birds: the model mini was trained only on mini, so its score here is meaningless."
    assert done.err.splitlines()[-1].startswith("  dtbench report "), "a library had the last word"
    assert "was trained only on mini" in (tmp_path / "out" / "summary.json").read_text()


def test_one_letter_is_not_asked_of_it(folder: Path, tmp_path: Path) -> None:
    for backend in ("local", "vllm"):
        need("vllm" if backend == "vllm" else "transformers")
        asked = ("--model", "mini", "--backend", backend, "--tasks", "mini", "--answer", "forced", "--out", tmp_path)
        refusal = process("run", *asked).refusal()
        assert "--answer forced: the model mini cannot be constrained to one letter" in refusal


def test_it_is_as_large_as_a_laptop_and_a_repository_bear() -> None:
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 15_000_000
    assert (FOLDER / "recipe.json").is_file()
