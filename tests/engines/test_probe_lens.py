"""`dtbench probe lens` on real weights: a layer that was made to decide a token is found, and nothing else is.

A layer is made to decide by a change of rank one in its weights: what its
attention adds gets the head's direction of a token that the model would never write there.
"""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dtbench.harness.store.json_schemas import FOLDER

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def found(probed: Any) -> Any:
    return probed["lens"]


@pytest.mark.parametrize("layer", [1, 2, 3, 4])
def test_a_layer_that_was_made_to_decide_a_token_is_found(found: Any, layer: int) -> None:
    planted, plain = found["planted"][layer - 1], found["plain"][0]
    assert planted["settles"] == [layer] * len(planted["settles"])
    assert planted["sure"] == planted["settles"]
    # Below the layer nothing is other than before, bit for bit.
    assert planted["logprob"][:layer] == plain["logprob"][:layer]
    assert planted["logprob"][layer] > plain["logprob"][layer] + 2
    assert planted["entropy"][:layer] == plain["entropy"][:layer]


def test_without_the_change_no_layer_has_that_token(found: Any) -> None:
    (plain,) = found["plain"]
    assert set(plain["settles"]) == {-1}
    assert max(plain["first"]) == 0


def test_a_second_reading_is_the_first_bit_for_bit(found: Any) -> None:
    assert found["again"] == found["plain"]


def test_a_clip_replaced_by_itself_changes_nothing_and_another_one_does(
    found: Any,
) -> None:
    (own,), (other,) = found["own clip"], found["other clip"]
    assert own["fall"] == [0.0] * 5
    assert own["changed"] == [0.0] * 5
    assert other["fall"][0] > 0.5
    assert other["fall"][-1] == 0.0


def test_a_layer_after_which_nothing_reads_the_clip_ends_hearing(
    found: Any,
) -> None:
    """From layer 3 on attention sees no clip: what stands there can no longer matter, and before it still does."""
    (deaf,) = found["deaf from layer 3"]
    assert deaf["fall"][0] > 0.1
    assert deaf["fall"][1] != 0.0
    assert deaf["fall"][2:] == [0.0, 0.0, 0.0]


def test_the_command_reads_one_model_twice_alike_and_goes_on_where_it_was(found: Any) -> None:
    (code, out, _), (again_code, again_out, again_err) = found["commands"]
    assert (code, again_code) == (0, 0)
    figures = json.loads(out)
    one, other = figures["checkpoints"]
    assert one == other
    assert [kind["kind"] for kind in one["kinds"]] == ["opening", "first", "content", "answer", "direct"]
    assert [kind["questions"] for kind in one["patched"]] == [2] * 5
    assert {len(kind["layers"]) for kind in (*one["kinds"], *one["patched"])} == {one["layers"] + 1}
    assert figures["notes"] == []
    assert "reading" not in again_err
    assert again_out.startswith("3 questions of mini, on all: the reference reasoning")


def test_a_lens_that_is_killed_goes_on_and_finds_the_same_byte_for_byte(probed: Any) -> None:
    ended = probed["killed lens"]
    assert ended["codes"] == [0, -signal.SIGKILL, 0]
    calm, disturbed = ((Path(ended[name]) / "lens.json").read_bytes() for name in ("calm", "disturbed"))
    assert disturbed == calm


def test_what_a_control_says_stands_beside_what_the_last_one_says(probed: Any) -> None:
    """The control is the base in other files, so it changed nothing: its null is 0 bit for bit, and no interval."""
    figures = json.loads((Path(probed["killed lens"]["calm"]) / "lens.json").read_bytes())
    jsonschema.validate(figures, json.loads((FOLDER / "probe-lens.schema.json").read_text()))
    base, _, control = figures["checkpoints"]
    assert [one.get("control") for one in figures["checkpoints"]] == [None, None, True]
    assert [base[name] for name in ("kinds", "patched")] == [control[name] for name in ("kinds", "patched")]
    assert {one["control"]["value"] for one in figures["changes"]} == {0}
    assert {one["measure"] for one in figures["changes"]} == {"probability", "entropy", "margin"}
    assert any(abs(one["change"]["value"]) > 1e-6 for one in figures["changes"])
