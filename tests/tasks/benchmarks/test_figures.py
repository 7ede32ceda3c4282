"""Figures that a benchmark's paper prints beside the accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from dtbench.tasks.benchmarks import sakura, star_bench


def record(id_: str, *, correct: bool, **groups: str) -> Mapping[str, Any]:
    return {"id": id_, "score": {"official": {"correct": correct, "counted": True}}, "groups": groups}


def hops(clip: str, *, single: bool, multi: bool, track: str = "Animal") -> list[Mapping[str, Any]]:
    return [record(f"{clip}-single", correct=single, Track=track), record(f"{clip}-multi", correct=multi, Track=track)]


def test_sakura_says_how_many_follow_of_those_that_were_heard() -> None:
    answers = [
        *hops("Animal/a.wav", single=True, multi=True),
        *hops("Animal/b.wav", single=True, multi=False),
        *hops("Animal/c.wav", single=False, multi=True),
        *hops("Gender/a.wav", single=False, multi=True, track="Gender"),
    ]
    found = sakura.figures(answers)["hops"]
    assert found["tracks"]["Animal"] == {
        "single": pytest.approx(2 / 3),
        "multi": pytest.approx(2 / 3),
        "multi_given_single": 0.5,
    }
    assert found["tracks"]["Gender"] == {"single": 0.0, "multi": 1.0, "multi_given_single": None}
    assert found["average"] == {
        "single": pytest.approx(1 / 3),
        "multi": pytest.approx(5 / 6),
        "multi_given_single": 0.5,
    }
    assert sakura.figures([]) == {}


def test_star_bench_averages_parts_of_perception_and_counts_what_is_right_every_time() -> None:
    heard, ordered = "Foundational Acoustic Perception", "Temporal Reasoning"
    answers = [
        record("a@0", correct=True, Dataset=heard, **{"Sub-category": "azimuth"}),
        record("a@1", correct=True, Dataset=heard, **{"Sub-category": "azimuth"}),
        record("b@0", correct=True, Dataset=heard, **{"Sub-category": "azimuth"}),
        record("b@1", correct=False, Dataset=heard, **{"Sub-category": "azimuth"}),
        record("c@0", correct=False, Dataset=heard, **{"Sub-category": "distance"}),
        record("d@0", correct=True, Dataset=ordered),
        record("d@1", correct=False, Dataset=ordered),
        {"id": "d@2", "error": {}, "groups": {"Dataset": ordered}},
    ]
    found = star_bench.figures(answers)["robust"]
    assert found["parts"]["azimuth"] == {"accuracy": 0.75, "always_right": 0.5}
    assert found["datasets"] == {
        heard: {"accuracy": 0.375, "always_right": 0.25},  # the mean of its parts, not of its answers
        ordered: {"accuracy": 0.5, "always_right": 0.0},
    }
    assert found["total"] == {"accuracy": 0.4375, "always_right": 0.125}


def test_a_record_whose_id_names_no_subset_is_told() -> None:
    item = {"id": "temporal_XYZ_1", "task": "Temporal Reasoning", "options": [], "audio_paths": []}
    with pytest.raises(ValueError, match="'temporal_XYZ_1' names none of OSM, ISSE, TAO, DSS, ETC and a number"):
        list(star_bench.asked_again(item))
