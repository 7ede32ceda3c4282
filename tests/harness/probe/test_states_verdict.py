"""What decides between gates and experts, and what is said where nothing can."""

from __future__ import annotations

import pytest

from dtbench.harness.core.errors import UserError
from dtbench.harness.probe.states import StatesRequest, parse_parts
from dtbench.harness.probe.states_report import verdict_of
from dtbench.harness.store.share_types import EstimateFigures
from dtbench.harness.store.states_probe_types import SwapFigures, SwapPart

NONE: EstimateFigures = {"value": None, "low": None, "high": None}


def swap(part: SwapPart, value: float | None, width: float = 0.05, last: int = 3) -> SwapFigures:
    known: EstimateFigures = {"value": value, "low": (value or 0) - width, "high": (value or 0) + width}
    return {
        "part": part,
        "first": 0,
        "last": last,
        "weights": 10,
        "text_logprob": -1.0,
        "answer_logprob": None,
        "accuracy": None,
        "text_share": NONE if value is None else known,
        "answer_share": NONE,
        "accuracy_share": NONE,
    }


def test_the_part_whose_interval_lies_above_all_others_is_named() -> None:
    found = verdict_of([swap("router", 0.03), swap("experts", 0.7), swap("attention", 0.3), swap("layer", 0.9)], 4)
    assert found["part"] == "experts"
    assert found["text"].startswith("Gates or experts? Experts: ")
    assert "experts 70 % [65, 75], attention 30 % [25, 35], routers 3 % [-2, 8]" in found["text"]


def test_intervals_that_overlap_decide_nothing() -> None:
    assert verdict_of([swap("router", 0.5, 0.2), swap("experts", 0.6, 0.2)], 4)["part"] == "undecided"
    assert verdict_of([swap("router", -0.9), swap("experts", -0.2)], 4)["part"] == "undecided"


def test_a_part_has_to_do_more_than_that_of_the_control() -> None:
    def beside(value: float) -> list[SwapFigures]:
        rows = [swap("router", 0.03), swap("experts", 0.7), swap("attention", 0.3)]
        same = swap("experts", value)["text_share"]
        for row in rows:
            row["control"] = {
                "text_logprob": -1.0,
                "answer_logprob": None,
                "accuracy": None,
                "text_share": same,
                "answer_share": NONE,
                "accuracy_share": NONE,
            }
        return rows

    above, below = verdict_of(beside(0.6), 4), verdict_of(beside(0.59), 4)
    assert above["part"] == "as the control"
    assert "experts of B do no more than those of the control" in above["text"]
    assert below["part"] == "experts"
    assert "parts of the control do: experts 59 % [54, 64], attention 59 % [54, 64], routers" in below["text"]


def test_single_layers_do_not_decide() -> None:
    rows = [swap("router", 0.9, last=0), swap("router", 0.1), swap("experts", 0.5)]
    assert verdict_of(rows, 4)["part"] == "experts"


def test_where_nothing_changed_no_part_is_named() -> None:
    assert verdict_of([swap("router", None), swap("experts", None)], 4)["part"] == "nothing"


def test_of_a_dense_model_gates_are_not_asked() -> None:
    found = verdict_of([swap("mlp", 0.6), swap("attention", 0.2)], 0)
    assert (found["part"], found["text"][:18]) == ("mlp", "Which part? MLPs: ")


def test_one_part_alone_cannot_be_compared() -> None:
    assert verdict_of([swap("router", 0.6), swap("layer", 1)], 4)["part"] == "not measured"
    assert verdict_of([], 4)["part"] == "not measured"


@pytest.mark.parametrize(
    ("text", "parts"), [("experts,router", ["router", "experts"]), ("none", []), ("layer", ["layer"])]
)
def test_parts_are_named_in_any_order(text: str, parts: list[str]) -> None:
    assert parse_parts(text) == parts


@pytest.mark.parametrize("text", ["gates", "none,router", ","])
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="--parts"):
        parse_parts(text)


def test_quantised_weights_are_refused() -> None:
    with pytest.raises(UserError, match="load_in_4bit"):
        StatesRequest(before="mini", after="mini", tasks=["mini"], options={"load_in_4bit": "true"})
