"""`dtbench probe states` on the model in the box, with changes that were planted in its weights."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import numpy
import pytest
from command import Done
from engines import apart, need

import dtbench.models
from dtbench.harness.store.json_schemas import FOLDER

pytestmark = pytest.mark.engine

BOX = Path(dtbench.models.__file__).parent / "mini" / "checkpoint"
PROMPT = "{question}\n{options}\ndescribe the audio in think tags then write how ."
RESCALED, MOVED, CHANGED = 0, 1, 2
"""The layers in which something was planted."""
MODEL = "thinker.model.layers"
FIGURES = ("cosine", "relative_l2", "normed_cosine", "trimmed_cosine", "cka")
Weights = dict[str, Any]
Found = Mapping[str, Any]


def planted(folder: Path, edit: Callable[[Weights], None], shards: int = 1) -> Path:
    """Write the model in the box with other weights, in files of their own."""
    from safetensors.numpy import load_file, save_file

    folder.mkdir()
    for file in BOX.iterdir():
        if file.suffix != ".safetensors":
            (folder / file.name).write_bytes(file.read_bytes())
    weights = load_file(BOX / "model.safetensors")
    edit(weights)
    names = sorted(weights, reverse=True)
    places = {name: f"model-{number % shards + 1:05}-of-{shards:05}.safetensors" for number, name in enumerate(names)}
    for place in set(places.values()):
        save_file({name: weights[name] for name in names if places[name] == place}, folder / place, {"format": "pt"})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return folder


def everything(weights: Weights) -> None:
    """Rescale a pair of matrices of one layer, move the experts of the next, and change the router of a third."""
    own = dict(weights)
    for name in weights:
        if name.startswith(f"{MODEL}.{RESCALED}.mlp.experts."):  # by powers of two, so that no digit is lost
            factor = {"up_proj": 2.0, "down_proj": 0.5}.get(name.split(".")[-2], 1.0)
            weights[name] = (own[name] * factor).astype("f4")
    order, layer = [2, 0, 3, 1], f"{MODEL}.{MOVED}.mlp"
    weights[f"{layer}.gate.weight"] = own[f"{layer}.gate.weight"][order]
    for place, expert in enumerate(order):
        for part in ("gate_proj", "up_proj", "down_proj"):
            weights[f"{layer}.experts.{place}.{part}.weight"] = own[f"{layer}.experts.{expert}.{part}.weight"]
    router = f"{MODEL}.{CHANGED}.mlp.gate.weight"
    weights[router] = own[router] + numpy.random.default_rng(0).normal(size=own[router].shape).astype("f4")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Done]:
    """What several probes printed; all in one process."""
    need("transformers")
    home = tmp_path_factory.mktemp("planted")
    (home / "words.txt").write_text(PROMPT)
    same, changed = (str(planted(home / "same", lambda weights: None, 3)), str(planted(home / "changed", everything)))
    common = ["--tasks", "mini", "--json", "--limit", "2", "--prompt", str(home / "words.txt")]
    kept = [
        "mini",
        changed,
        *common,
        "--forced-only",
        "--parts",
        "router,experts,attention",
        "--out",
        str(home / "kept"),
    ]
    commands = {
        "nothing": ["mini", same, *common, "--parts", "router"],
        "changed": kept,
        "again": kept,
        "other limit": [*kept, "--limit", "3"],
    }
    printed = apart("calls", given=json.dumps([["probe", "states", *words] for words in commands.values()]))
    return dict(zip(commands, (Done(*one) for one in json.loads(printed)), strict=True))


def found(done: Mapping[str, Done], name: str) -> Found:
    assert done[name].code == 0, done[name].err
    report: Found = json.loads(done[name].out)
    jsonschema.validate(report, json.loads((FOLDER / "probe-states.schema.json").read_text()))
    return report


def drift(report: Found, figure: str) -> Mapping[int, float]:
    """The largest drift behind each layer, in any segment of any text."""
    by_layer: dict[int, float] = {}
    for row in report["drift"]:
        by_layer[row["layer"]] = max(by_layer.get(row["layer"], 0.0), row[figure])
    return by_layer


def test_a_model_against_itself_is_zero_bit_for_bit_whatever_the_shards(done: Mapping[str, Done]) -> None:
    report = found(done, "nothing")
    assert {row[figure] for row in report["drift"] for figure in FIGURES} == {0}
    assert {(row["load_divergence"], row["overlap"], row["changed"]) for row in report["routing"]} == {(0, 1, 0)}
    assert {row["text_logprob"] for row in report["swaps"]} == {report["a"]["text_logprob"]}
    assert {row["accuracy"] for row in report["swaps"]} == {report["a"]["accuracy"]} == {report["b"]["accuracy"]}


def test_numerics_alone_are_no_zero(done: Mapping[str, Done]) -> None:
    rows = found(done, "nothing")["drift"]
    nulls = [row["null"] for row in rows if row["text"] == "b" and row["layer"] >= 0]
    assert nulls
    assert all(0 < null["order"]["cosine"] < 1e-10 < null["bfloat16"]["cosine"] < 1e-2 for null in nulls)


def test_a_rescaled_pair_of_matrices_and_experts_in_other_places_are_no_change(done: Mapping[str, Done]) -> None:
    report = found(done, "changed")
    for figure in FIGURES:
        by_layer = drift(report, figure)
        assert [by_layer[layer] for layer in (-1, RESCALED)] == [0, 0]
        assert by_layer[MOVED] < 1e-6
    assert report["moved_experts"] == [MOVED]
    before = [row for row in report["routing"] if row["layer"] < CHANGED]
    assert {(row["load_divergence"], row["overlap"], row["changed"]) for row in before} == {(0, 1, 0)}


def test_a_change_of_one_router_shows_from_its_layer_on(done: Mapping[str, Done]) -> None:
    report = found(done, "changed")
    by_layer = drift(report, "cosine")
    assert all(by_layer[layer] > 1e-6 for layer in range(CHANGED, report["layers"]))
    assert any(row["changed"] > 0.02 for row in report["routing"] if row["layer"] == CHANGED)


def test_the_swap_of_that_router_alone_carries_all_of_it(done: Mapping[str, Done]) -> None:
    report = found(done, "changed")
    a, b = report["a"]["text_logprob"], report["b"]["text_logprob"]
    assert abs(a - b) > 1e-4
    for row in report["swaps"]:
        holds = row["part"] == "router" and row["first"] <= CHANGED <= row["last"]
        assert row["text_logprob"] == pytest.approx(b if holds else a, abs=1e-5), row
        assert row["accuracy"] is None  # --forced-only


def test_segments_are_counted_token_by_token(done: Mapping[str, Done]) -> None:
    rows = [row for row in found(done, "changed")["drift"] if row["text"] == "b" and row["layer"] == 0]
    assert {row["segment"] for row in rows} >= {"clip", "question", "chain"}
    assert [row["tokens"] for row in rows if row["segment"] == "clip"] == [2 * 52]


def test_the_same_command_again_reads_what_is_there_and_another_is_refused(done: Mapping[str, Done]) -> None:
    assert found(done, "again") == found(done, "changed")
    assert done["other limit"].code == 2
    assert "other limit (2; now 3)" in done["other limit"].err
