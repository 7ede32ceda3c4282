"""LoRA adapters: merged as PEFT merges them, and answered by in both backends; one that does nothing is refused."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from called_birds import TASK, calls, write_birds
from command import Done, process
from engines import apart, need, write_checkpoints
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
    write_checkpoints({"granite-speech-adapter": home / "granite"})
    asked["for clips"] = ["--model", home / "granite"]
    asked["for clips, silent"] = ["--model", with_a_silent_adapter(home / "granite", home / "silent")]
    asked["for clips, lost"] = ["--model", without_its_adapter(home / "granite", home / "lost")]
    asked["of another"] = ["--model", merged.adapter("qwen3-omni with experts"), "-M", f"base={base}"]
    where = ["--backend", "local", "--task-file", TASK, "--data-dir", home / "birds", *GREEDY]
    commands = [["run", *model, *where, "--out", home / name] for name, model in asked.items()]
    given = json.dumps([list(map(str, command)) for command in commands])
    done = apart("calls", given=given, DTBENCH_CHECKPOINTS=str(home / "prepared"))
    return Runs(home, dict(zip(asked, (Done(*one) for one in json.loads(done)), strict=True)))


def with_a_silent_adapter(folder: Path, silent: Path) -> Path:
    """Granite Speech whose adapter for clips does nothing."""
    shutil.copytree(folder, silent)
    for file in untrained(folder, silent.with_name("silenced")).iterdir():
        shutil.copyfile(file, silent / file.name)
    return silent


def without_its_adapter(folder: Path, bare: Path) -> Path:
    shutil.copytree(folder, bare, ignore=shutil.ignore_patterns("adapter_*"))
    return bare


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


def test_an_adapter_for_clips_is_on_or_the_run_refuses(runs: Runs) -> None:
    assert runs.texts("for clips")
    start = json.loads((runs.folder / "for clips" / "run.json").read_text())["starts"][-1]
    assert start["preflight"]["adapter"]["largest_logprob_difference"] > 1e-3
    silent, lost = runs.ends["for clips, silent"], runs.ends["for clips, lost"]
    assert (silent.code, lost.code) == (3, 2)
    assert "the adapter that came with it does nothing" in silent.err
    assert "adapter_config.json and its weights are expected in" in lost.err


def test_one_of_another_model_is_refused_by_the_names_that_do_not_fit(runs: Runs) -> None:
    done = runs.ends["of another"]
    assert done.code == 2
    assert "is this the model that it was trained on?" in done.err.lower()


SMALL = ("-M", "kv_cache_memory_bytes=64M", "-M", "max_model_len=2048")
WHOLE = os.environ.get("DTBENCH_WHOLE") == "1"
"""Each start of vLLM takes a minute: CI has one, of all that is in its way at once."""


class Served(NamedTuple):
    """Runs with vLLM, each beside one with transformers that has to say the same."""

    folder: Path
    ends: Mapping[str, Done]


@pytest.fixture(scope="module")
def served(merged: Merged, tiny_checkpoints: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Served:
    need("vllm")
    home = tmp_path_factory.mktemp("served")
    write_birds(home / "birds", calls(6))
    alone = {family: home / f"alone-{family}" for family in FAMILIES[1:]}
    pairs = [word for family, place in alone.items() for word in (tiny_checkpoints[family], place)]
    apart("tiny_checkpoints.thinker_alone", *pairs)
    adapter = merged.adapter("qwen2.5-omni")
    asked: dict[str, Sequence[str | Path]] = {
        "alone and served": [adapter, "-M", f"base={alone['qwen2.5-omni']}", "-M", "adapter_mode=serve"],
    }
    if WHOLE:
        asked |= {f"{family} merged": [merged.adapter(family)] for family in FAMILIES}
        asked["alone"] = [alone["qwen3-omni"]]
        asked["for clips"] = [granite_of_one_file(home / "granite")]
        asked["untrained"] = [untrained(adapter, home / "no training"), "-M", "adapter_mode=serve"]
    ends = {}
    for name, model in asked.items():
        where: Sequence[str | Path] = ["--task-file", TASK, "--data-dir", home / "birds", *GREEDY]
        place = str(home / "prepared")
        here: Sequence[str | Path] = [*where, *SMALL, "--out", home / "vllm" / name]
        ends[name] = process("run", "--model", *model, *here, DTBENCH_CHECKPOINTS=place)
        plain = [word for word in model if word != "adapter_mode=serve"]
        plain = plain[:-1] if plain[-1] == "-M" else plain
        here = [*where, "--backend", "local", "--out", home / "local" / name]
        ends[f"{name} here"] = process("run", "--model", *plain, *here, DTBENCH_CHECKPOINTS=place)
    return Served(home, ends)


def granite_of_one_file(folder: Path) -> Path:
    """Without an index vLLM would take the adapter for weights, and refuse the folder."""
    write_checkpoints({"granite-speech-adapter": folder})
    (folder / "model.safetensors.index.json").unlink()
    next(folder.glob("model-*.safetensors")).rename(folder / "model.safetensors")
    return folder


SAME = ("alone and served", *(("alone", "for clips", *(f"{one} merged" for one in FAMILIES)) if WHOLE else ()))


@pytest.mark.parametrize("name", SAME)
def test_vllm_answers_by_it_as_transformers_does(served: Served, name: str) -> None:
    by_vllm, here = (Runs(served.folder / engine, served.ends) for engine in ("vllm", "local"))
    assert served.ends[f"{name} here"].code == 0, served.ends[f"{name} here"].err
    assert by_vllm.texts(name) == here.texts(name)
    starts = json.loads((by_vllm.folder / name / "run.json").read_text())["starts"]
    served_beside = by_vllm.model(name).get("adapter", {}).get("mode") in {"serve", "audio"}
    assert served_beside == (name in {"alone and served", "for clips"})
    found = starts[-1].get("preflight", {}).get("adapter", {}).get("largest_logprob_difference", 0)
    assert (found > 1e-3) == served_beside


if WHOLE:

    def test_one_that_vllm_applies_and_that_does_nothing_is_refused(served: Served) -> None:
        done = served.ends["untrained"]
        assert done.code == 3
        assert "vLLM answers the first question alike with and without" in done.err
        assert not (served.folder / "vllm" / "untrained" / "birds.jsonl").exists()
