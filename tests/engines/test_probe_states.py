"""`dtbench probe states` on the model in the box, with changes that were planted in its weights."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from command import Done
from planted_checkpoints import CHANGED, MOVED, RESCALED

from dtbench.harness.store.json_schemas import FOLDER

pytestmark = pytest.mark.engine

FIGURES = ("cosine", "relative_l2", "normed_cosine", "trimmed_cosine", "cka")
Found = Mapping[str, Any]


@pytest.fixture(scope="module")
def done(probed: Any) -> Mapping[str, Done]:
    """What several probes printed."""
    return {name: Done(*one) for name, one in probed["states"].items()}


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
    """The control is A in other files: all that stands beside the figures of B is nothing at all."""
    report = found(done, "changed")
    assert {row["control"][figure] for row in report["drift"] for figure in FIGURES} == {0}
    routing = [row["control"] for row in report["routing"]]
    assert {(row["load_divergence"], row["overlap"], row["changed"]) for row in routing} == {(0, 1, 0)}
    assert {row["control"]["text_logprob"] for row in report["swaps"]} == {report["a"]["text_logprob"]}
    sides = [{name: one for name, one in report[side].items() if name != "model"} for side in ("a", "control")]
    assert sides[0] == sides[1]
    assert report["moved_in_control"] == []


def test_a_probe_that_is_killed_goes_on_and_finds_the_same_byte_for_byte(probed: Any) -> None:
    ended = probed["killed states"]
    assert ended["codes"] == [0, *[-signal.SIGKILL] * 3, 0]
    calm, disturbed = (_without_time(Path(ended[name]) / "states.json") for name in ("calm", "disturbed"))
    assert disturbed == calm
    assert not (Path(ended["disturbed"]) / "states-work").exists()


def _without_time(report: Path) -> bytes:
    return re.sub(rb'"seconds": [0-9.]+', b"", report.read_bytes())


def test_a_swap_of_weights_that_are_the_same_changes_no_answer(probed: Any) -> None:
    """Nothing was planted outside of the layers: what A generates with that of B is what A generates."""
    report = json.loads((Path(probed["killed states"]["calm"]) / "states.json").read_bytes())
    (swap,) = report["swaps"]
    assert (swap["part"], swap["accuracy"]) == ("outside", report["a"]["accuracy"])
    assert swap["text_logprob"] == report["a"]["text_logprob"]
    assert report["verdict"]["part"] == "not measured"


def test_numerics_alone_are_no_zero(done: Mapping[str, Done]) -> None:
    rows = found(done, "changed")["drift"]
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
