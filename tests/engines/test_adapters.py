"""LoRA adapters: merged as PEFT merges them, and answered by in both backends; one that does nothing is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from called_birds import TASK, calls, write_birds
from command import Done
from engines import apart
from merged_adapter_kinds import KINDS
from runs import records

pytestmark = pytest.mark.engine

FAMILIES = ("qwen2-audio", "qwen2.5-omni", "qwen3-omni")
GREEDY = ("-M", "temperature=0", "-M", "max_tokens=8", "-M", "dtype=float32")


class Merged(NamedTuple):
    """Adapters, and how they were merged."""

    folder: Path
    """Of each kind a folder with `adapter` and `merged` in it."""
    found: Mapping[str, Mapping[str, Any]]

    def adapter(self, kind: str) -> Path:
        return self.folder / kind.replace(" ", "-") / "adapter"


@pytest.fixture(scope="module")
def merged(tiny_checkpoints: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Merged:
    folder = tmp_path_factory.mktemp("adapters")
    bases = json.dumps({name: str(tiny_checkpoints[name]) for name in FAMILIES})
    return Merged(folder, json.loads(apart("merged_adapters", folder, bases)))


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_merged_as_peft_merges_it(merged: Merged, kind: str) -> None:
    found = merged.found[kind]
    assert found["same names"]
    assert found["changed"] > 0
    assert found["difference"] < 1e-6


class Runs(NamedTuple):
    """Runs with transformers: of bases, of their adapters by either option, and what is refused."""

    folder: Path
    ends: Mapping[str, Done]

    def texts(self, name: str) -> Sequence[str]:
        assert self.ends[name].code == 0, self.ends[name].err
        found = {record["id"]: record["response"]["text"] for record in records(self.folder / name, "birds")}
        return [found[id_] for id_ in sorted(found)]

    def model(self, name: str) -> Mapping[str, Any]:
        model: Mapping[str, Any] = json.loads((self.folder / name / "run.json").read_text())["model"]
        return model


@pytest.fixture(scope="module")
def runs(merged: Merged, tiny_checkpoints: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Runs:
    home = tmp_path_factory.mktemp("runs")
    write_birds(home / "birds", calls(6))
    asked: dict[str, Sequence[object]] = {}
    for family in FAMILIES:
        base, adapter = tiny_checkpoints[family], merged.adapter(family)
        asked[f"{family} bare"] = ["--model", base]
        asked[f"{family} adapter"] = ["--model", adapter]
        asked[f"{family} by option"] = ["--model", base, "-M", f"adapter={adapter}"]
        asked[f"{family} merged"] = ["--model", adapter.with_name("merged")]
    base = tiny_checkpoints["qwen2-audio"]
    asked["untrained"] = ["--model", untrained(merged.adapter("qwen2-audio"), home / "no training")]
    asked["of another"] = ["--model", merged.adapter("qwen3-omni with experts"), "-M", f"base={base}"]
    where = ["--backend", "local", "--task-file", TASK, "--data-dir", home / "birds", *GREEDY]
    commands = [["run", *model, *where, "--out", home / name] for name, model in asked.items()]
    given = json.dumps([list(map(str, command)) for command in commands])
    done = apart("calls", given=given, DTBENCH_CHECKPOINTS=str(home / "prepared"))
    return Runs(home, dict(zip(asked, (Done(*one) for one in json.loads(done)), strict=True)))


def untrained(adapter: Path, folder: Path) -> Path:
    """As PEFT begins one: a product of nothing."""
    from safetensors.numpy import load_file, save_file

    folder.mkdir()
    (folder / "adapter_config.json").write_bytes((adapter / "adapter_config.json").read_bytes())
    weights = load_file(adapter / "adapter_model.safetensors")
    begun = {name: 0 * one if "lora_B" in name else one for name, one in weights.items()}
    save_file(begun, folder / "adapter_model.safetensors")
    return folder


@pytest.mark.parametrize("family", FAMILIES)
def test_transformers_answers_by_it(runs: Runs, family: str) -> None:
    bare, tuned = runs.texts(f"{family} bare"), runs.texts(f"{family} adapter")
    assert len(tuned) == 6
    assert not [one for one, other in zip(bare, tuned, strict=True) if one == other]
    assert tuned == runs.texts(f"{family} by option") == runs.texts(f"{family} merged")
    about, plain = runs.model(f"{family} adapter"), runs.model(f"{family} bare")
    assert about == runs.model(f"{family} by option")
    assert about["model"] == f"tiny-{family}+adapter"
    assert about["content"] == plain["content"]
    assert about["adapter"]["mode"] == "merge"


def test_what_was_merged_once_is_there_for_the_next(runs: Runs) -> None:
    assert "merging the adapter" in runs.ends["qwen2-audio adapter"].err
    assert "merging the adapter" not in runs.ends["qwen2-audio by option"].err
    prepared = sorted(path.name for path in (runs.folder / "prepared").iterdir() if path.is_dir())
    assert [name.rpartition("-")[0] for name in prepared] == sorted(f"tiny-{family}+adapter" for family in FAMILIES)


def test_one_that_does_nothing_is_refused(runs: Runs) -> None:
    done = runs.ends["untrained"]
    assert done.code == 3
    assert "the adapter does nothing: merged into" in done.err
    assert "Traceback" not in done.err
    assert not (runs.folder / "untrained" / "birds.jsonl").exists()


def test_one_of_another_model_is_refused_by_the_names_that_do_not_fit(runs: Runs) -> None:
    done = runs.ends["of another"]
    assert done.code == 2
    assert "is this the model that it was trained on?" in done.err.lower()
