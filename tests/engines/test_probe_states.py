"""`dtbench probe states` on the model in the box, with changes that were planted in its weights."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import dtbench.models
import jsonschema
import numpy
import pytest
from command import Done
from engines import apart, need

from dtbench.harness.store.json_schemas import FOLDER

pytestmark = pytest.mark.engine

BOX = Path(dtbench.models.__file__).parent / "mini" / "checkpoint"
PROMPT = "{question}\n{options}\ndescribe the audio in think tags then write how ."
LAYER = 2
EXPERTS = f"thinker.model.layers.{LAYER}.mlp.experts"
ROUTER = f"thinker.model.layers.{LAYER}.mlp.gate.weight"
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


def other_router(weights: Weights) -> None:
    """Change one router and nothing else."""
    weights[ROUTER] = weights[ROUTER] + numpy.random.default_rng(0).normal(0, 1, weights[ROUTER].shape).astype("f4")


def rescaled(weights: Weights) -> None:
    """Double one matrix of each expert and halve the next: the function stays."""
    for name in weights:
        if name.startswith(EXPERTS) and name.endswith("up_proj.weight"):
            weights[name] = 2 * weights[name]
        if name.startswith(EXPERTS) and name.endswith("down_proj.weight"):
            weights[name] = weights[name] / 2


def moved(weights: Weights) -> None:
    """Give the experts other places, and the rows of their router with them."""
    order, own = [2, 0, 3, 1], dict(weights)
    weights[ROUTER] = own[ROUTER][order]
    for place, expert in enumerate(order):
        for part in ("gate_proj", "up_proj", "down_proj"):
            weights[f"{EXPERTS}.{place}.{part}.weight"] = own[f"{EXPERTS}.{expert}.{part}.weight"]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Mapping[str, Path]) -> Mapping[str, Done]:
    """What several probes printed, by what was planted; all in one process."""
    need("transformers")
    home = tmp_path_factory.mktemp("planted")
    dense = str(tiny_checkpoints["qwen2.5-omni"])
    (home / "words.txt").write_text(PROMPT)
    common = ["--tasks", "mini", "--json", "--limit", "2"]
    forced = [*common, "--forced-only"]
    out = str(home / "kept")
    commands = {
        "nothing": ["mini", str(planted(home / "shards", lambda weights: None, 3)), *common, "--parts", "router"],
        "router": ["mini", str(planted(home / "router", other_router)), *forced, "--prompt", str(home / "words.txt")],
        "rescaled": ["mini", str(planted(home / "rescaled", rescaled)), *forced, "--parts", "layer", "--out", out],
        "moved": ["mini", str(planted(home / "moved", moved)), *forced, "--parts", "router,experts"],
        "dense": [dense, dense, *forced, "--parts", "none", "-M", "max_tokens=4"],
        "again": ["mini", str(home / "rescaled"), *forced, "--parts", "layer", "--out", out],
        "other limit": ["mini", str(home / "rescaled"), "--tasks", "mini", "--limit", "3", "--out", out],
        "other shape": ["mini", dense, *common],
    }
    printed = apart("calls", given=json.dumps([["probe", "states", *words] for words in commands.values()]))
    return dict(zip(commands, (Done(*one) for one in json.loads(printed)), strict=True))


def found(done: Mapping[str, Done], name: str) -> Found:
    assert done[name].code == 0, done[name].err
    report: Found = json.loads(done[name].out)
    jsonschema.validate(report, json.loads((FOLDER / "probe-states.schema.json").read_text()))
    return report


def drift(report: Found, figure: str = "cosine") -> Mapping[int, float]:
    """The largest drift behind each layer, in any segment of any text."""
    by_layer: dict[int, float] = {}
    for row in report["drift"]:
        by_layer[row["layer"]] = max(by_layer.get(row["layer"], 0.0), row[figure])
    return by_layer


FIGURES = ("cosine", "relative_l2", "normed_cosine", "trimmed_cosine", "cka")


def test_a_model_against_itself_is_zero_bit_for_bit_whatever_the_shards(done: Mapping[str, Done]) -> None:
    report = found(done, "nothing")
    assert {row[figure] for row in report["drift"] for figure in FIGURES} == {0}
    assert {(row["load_divergence"], row["overlap"], row["changed"]) for row in report["routing"]} == {(0, 1, 0)}
    assert {row["text_logprob"] for row in report["swaps"]} == {report["a"]["text_logprob"]}
    assert {row["accuracy"] for row in report["swaps"]} == {report["a"]["accuracy"]} == {report["b"]["accuracy"]}
    assert report["verdict"]["part"] == "not measured"  # routers alone were swapped


def test_numerics_alone_are_no_zero(done: Mapping[str, Done]) -> None:
    rows = found(done, "nothing")["drift"]
    nulls = [row["null"] for row in rows if row["text"] == "b" and row["layer"] >= 0]
    assert nulls
    assert all(0 < null["order"]["cosine"] < 1e-10 < null["bfloat16"]["cosine"] < 1e-2 for null in nulls)


def test_a_change_of_one_router_shows_from_its_layer_on_and_in_its_swap_alone(done: Mapping[str, Done]) -> None:
    report = found(done, "router")
    by_layer = drift(report)
    assert [by_layer[layer] for layer in range(-1, LAYER)] == [0] * (LAYER + 1)
    assert all(by_layer[layer] > 1e-6 for layer in range(LAYER, report["layers"]))
    assert [row["layer"] for row in report["routing"] if row["changed"] and row["layer"] < LAYER] == []
    assert any(row["changed"] > 0.02 for row in report["routing"] if row["layer"] == LAYER)
    a, b = report["a"]["text_logprob"], report["b"]["text_logprob"]
    assert a != b
    for row in report["swaps"]:
        holds = row["part"] in {"router", "layer"} and row["first"] <= LAYER <= row["last"]
        assert row["text_logprob"] == (b if holds else a), row
        assert row["text_share"]["value"] in ({1.0, None} if holds else {0.0, None})


def test_a_rescaled_pair_of_weights_is_no_change(done: Mapping[str, Done]) -> None:
    report = found(done, "rescaled")
    assert {row[figure] for row in report["drift"] for figure in FIGURES} == {0}
    assert {row["text_logprob"] for row in report["swaps"]} == {report["a"]["text_logprob"]}


def test_experts_in_other_places_are_no_change(done: Mapping[str, Done]) -> None:
    report = found(done, "moved")
    assert report["moved_experts"] == [LAYER]
    assert max(drift(report).values()) < 1e-10
    assert {(row["overlap"], row["changed"]) for row in report["routing"]} == {(1, 0)}
    likely = [row["text_logprob"] for row in report["swaps"]]
    assert likely == pytest.approx([report["a"]["text_logprob"]] * len(likely), abs=1e-6)


def test_segments_are_counted_token_by_token(done: Mapping[str, Done]) -> None:
    rows = [row for row in found(done, "router")["drift"] if row["text"] == "b" and row["layer"] == 0]
    assert {row["segment"] for row in rows} >= {"clip", "question", "chain"}
    assert [row["tokens"] for row in rows if row["segment"] == "clip"] == [2 * 52]


def test_a_dense_model_is_told_what_it_lacks(done: Mapping[str, Done]) -> None:
    report = found(done, "dense")
    assert report["routing"] == []
    assert "no routers" in report["lacks"][0]
    assert {row["cosine"] for row in report["drift"]} == {0}


def test_the_same_command_again_reads_what_is_there_and_another_is_refused(done: Mapping[str, Done]) -> None:
    assert found(done, "again") == found(done, "rescaled")
    refused: Sequence[tuple[str, str]] = [("other limit", "other limit (2; now 3)"), ("other shape", "one architecture")]
    for name, why in refused:
        assert done[name].code == 2
        assert why in done[name].err
