"""Where a token settles, and where hearing ends: by hand on small traces."""

from __future__ import annotations

import math

import pytest

from dtbench.harness.probe.lens_summary import reduce_traces, summarise_changes, summarise_kinds, summarise_patches
from dtbench.harness.probe.settling import NEVER, TokenTrace, hearing_ends, settles, settles_surely, settling_layer
from dtbench.harness.store.lens_probe_types import LensReading


def trace(ranks: list[int], probabilities: list[float] | None = None) -> TokenTrace:
    given = probabilities or [0.9 if rank == 1 else 0.01 for rank in ranks]
    return TokenTrace([1.0] * len(ranks), [math.log(one) for one in given], ranks)


@pytest.mark.parametrize(
    ("ranks", "layer"),
    [
        ([9, 4, 1, 1, 1], 2),
        ([1, 1, 1, 1, 1], 0),
        ([9, 1, 3, 1, 1], 3),  # the likeliest at layer 1 by chance, and lost again
        ([9, 4, 2, 2, 1], 4),
        ([1, 1, 1, 1, 2], NEVER),
    ],
)
def test_a_token_settles_where_it_is_the_likeliest_up_to_the_top(ranks: list[int], layer: int) -> None:
    assert settles(trace(ranks)) == layer


def test_a_token_that_leads_with_less_than_half_is_settled_and_not_sure() -> None:
    one = trace([5, 1, 1, 1], [0.1, 0.3, 0.5, 0.6])
    assert (settles(one), settles_surely(one)) == (1, 3)
    assert settles_surely(trace([1, 1], [0.9, 0.5])) == NEVER


def test_nothing_holds_at_the_top_of_an_empty_trace() -> None:
    assert settling_layer([]) == NEVER


@pytest.mark.parametrize(
    ("falls", "hears", "layer"),
    [
        ([2.0, 1.5, 0.09, 0.0, 0.0], True, 2),
        ([2.0, 0.05, 0.5, 0.0], True, 3),  # small at layer 1 alone does not end it
        ([2.0, -0.5, 0.0], True, 2),  # a gain is a change
        ([2.0, 1.9, 1.8, 0.0], True, 3),
        ([0.001, 0.0, 0.0], False, None),
        ([0.0, 0.0], True, None),
    ],
)
def test_hearing_ends_where_another_clip_no_longer_matters(falls: list[float], hears: bool, layer: int | None) -> None:
    assert hearing_ends(falls, hears=hears) == layer


def reading(number: int, traces: list[TokenTrace], fall: list[float] | None = None) -> LensReading:
    patched = {} if fall is None else {"answer": {"changed": [float(one > 1) for one in fall], "fall": fall}}
    return LensReading(
        checkpoint=0,
        id=str(number),
        text="",
        kinds={"answer": reduce_traces(traces)},
        patched=patched,  # type: ignore[typeddict-item]
    )


def test_means_are_over_questions_and_their_intervals_hold_them() -> None:
    # 30 questions with the layers 1, 2, 3 in turn; a question of two tokens counts as one.
    ranks = ([3, 1, 1, 1], [3, 2, 1, 1], [3, 2, 4, 1])
    readings = [reading(number, [trace(ranks[number % 3])] * (1 + number % 2)) for number in range(30)]
    (kind,) = summarise_kinds(readings)
    assert (kind["questions"], kind["tokens"]) == (30, 45)
    assert [layer["first"]["value"] for layer in kind["layers"]] == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert [layer["rank"]["value"] for layer in kind["layers"]] == pytest.approx([3, 2 ** (2 / 3), 4 ** (1 / 3), 1])
    settling = kind["settling"]
    assert settling["share"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert settling["layer"]["value"] == pytest.approx(2.0)
    assert settling["layer"]["low"] is not None
    assert settling["layer"]["high"] is not None
    # The standard error of the mean of 1, 2, 3 over 30 questions is 0.15; the interval is about four of them wide.
    assert 0.4 < settling["layer"]["high"] - settling["layer"]["low"] < 0.8
    assert kind["layers"][0]["margin"] is None


def test_tokens_that_never_settle_count_in_the_share_and_not_in_the_layer() -> None:
    readings = [reading(number, [trace([2, 2, 1] if number % 4 else [1, 1, 2])]) for number in range(8)]
    (kind,) = summarise_kinds(readings)
    assert kind["settling"]["share"]["value"] == 0.75
    assert kind["settling"]["layer"]["value"] == 2.0
    never = summarise_kinds([reading(number, [trace([1, 1, 2])]) for number in range(4)])
    assert never[0]["settling"]["share"]["value"] == 0.0
    assert never[0]["settling"]["layer"] == {"value": None, "low": None, "high": None}


def test_what_changed_is_told_question_by_question_beside_a_control() -> None:
    """Questions differ far more than the change of each, so that only pairs of the same question show it."""
    levels = [0.1, 0.3, 0.5, 0.7]
    base, last, control = (
        [reading(number, [trace([2, 1], [0.01, level + more])]) for number, level in enumerate(levels)]
        for more in (0.0, 0.125, 0.0)
    )
    found = {(one["measure"], one["layer"]): one for one in summarise_changes([base, last, last, control], 2)}
    assert set(found) == {(measure, layer) for measure in ("probability", "entropy") for layer in (0, 1)}
    top = found["probability", 1]
    assert [top["change"][name] for name in ("value", "low", "high")] == [pytest.approx(0.125)] * 3
    assert top["control"] == {"value": 0, "low": 0, "high": 0}
    assert found["probability", 0]["change"]["value"] == 0
    assert all("control" not in one for one in summarise_changes([base, last], 1))
    assert summarise_changes([base], 0) == []


def test_one_question_has_no_interval() -> None:
    (kind,) = summarise_kinds([reading(0, [trace([2, 1])])])
    assert kind["layers"][1]["probability"] == {"value": pytest.approx(0.9), "low": None, "high": None}


def test_a_model_that_hears_is_told_from_one_that_does_not() -> None:
    one = [trace([1, 1])]
    (heard,) = summarise_patches([reading(n, one, [2.0 + n % 2, 1.0, 0.01, 0.0]) for n in range(12)])
    assert (heard["hears"], heard["ends"]) == (True, 2)
    assert heard["layers"][0]["fall"]["value"] == 2.5
    assert heard["layers"][0]["changed"]["value"] == 1.0
    (deaf,) = summarise_patches([reading(n, one, [(-1.0) ** n, 0.0, 0.0, 0.0]) for n in range(12)])
    assert (deaf["hears"], deaf["ends"]) == (False, None)
    assert deaf["layers"][0]["fall"]["value"] == 0.0
    assert [one["hears"] for one in summarise_patches([reading(0, one, [3.0, 0.0])])] == [None]
    tiny = summarise_patches([reading(n, one, [0.002 + n * 1e-4, 0.001]) for n in range(12)])
    assert [(kind["hears"], kind["ends"]) for kind in tiny] == [(False, None)]
