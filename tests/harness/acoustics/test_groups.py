from __future__ import annotations

import random

import pytest

from dtbench.harness.acoustics.columns import MEASURES, Values, no_values
from dtbench.harness.acoustics.groups import (
    ScoreOfClip,
    SoundAnswer,
    adjust,
    group_edges,
    group_of,
    measure_figures,
    trends_of,
)
from dtbench.harness.stats.paired_tests import holm


def columns_of(noise: dict[str, float | None]) -> dict[str, Values]:
    return {clip: {**no_values(), "snr_db": value} for clip, value in noise.items()}


@pytest.mark.parametrize(
    ("values", "edges"),
    [
        ([], []),
        ([3.0] * 9, []),
        ([1, 2, 3, 4], [1.75, 2.5, 3.25]),
        ([10.0] * 6 + [11.0, 12.0], [10.2]),
        ([0.0] * 6 + [1.0, 1.0], [0.25]),
        ([-28.8571, -23.8123, -19.5912, -5.0], [-25.1, -21.7, -15.9]),
        ([8000.0, 22050.0, 22051.0, 22049.0], [18500.0]),
    ],
)
def test_edges_are_round_and_no_group_is_empty(values: list[float], edges: list[float]) -> None:
    found = group_edges(values)
    assert len({group_of(value, found) for value in values}) == (len(found) + 1 if values else 0)
    assert found == edges


def test_the_words_of_a_group_say_exactly_what_is_in_it() -> None:
    edges = [-1.5, 12.0, 8000.0]
    words = [group_of(value, edges) for value in (-2, -1.5, 11.99, 12, 7999, 8000, 9000)]
    assert words == [
        "below -1.5",
        *["-1.5 to below 12"] * 2,
        *["12 to below 8000"] * 2,
        *["8000 and above"] * 2,
    ]
    dice = random.Random(1)
    for _ in range(50):
        values = [dice.gauss(0, 10 ** dice.randint(-4, 5)) for _ in range(40)]
        edges = group_edges(values)
        assert edges == sorted(set(edges))
        for value in values:
            name = group_of(value, edges)
            assert not name.startswith("below") or value < float(name.split()[1])
            assert not name.endswith("above") or value >= float(name.split()[0])


def test_verdicts_are_counted_as_they_are_given() -> None:
    noise: dict[str, float | None] = {f"clip {place}": float(place) for place in range(8)} | {"silent": None}
    answers = [SoundAnswer(clip, None if clip == "clip 0" else True, clip != "clip 1") for clip in noise] * 2
    figures = measure_figures(answers, columns_of(noise))
    assert list(figures) == list(MEASURES)
    measure = figures["snr_db"]
    assert measure["unmeasured"] == 2
    assert [(part["strict"]["correct"], part["strict"]["n"]) for part in measure["groups"].values()] == [
        (2, 4),
        (4, 4),
        (4, 4),
        (4, 4),
    ]
    lowest = next(iter(measure["groups"].values()))
    assert lowest["official"] is not None
    assert (lowest["official"]["correct"], lowest["official"]["n"]) == (2, 2)
    assert lowest["strict"]["high"] > 0.99  # two clips say no more, however many questions are about them
    assert figures["f0_hz"]["groups"] == {}
    assert figures["f0_hz"]["unmeasured"] == len(answers)


def test_the_trends_that_are_looked_at_together_are_adjusted_together() -> None:
    dice = random.Random(2)
    noise: dict[str, float | None] = {f"{place}": dice.random() for place in range(60)}
    columns = {clip: {**values, "tempo_bpm": dice.random()} for clip, values in columns_of(noise).items()}
    scores = [ScoreOfClip(clip, float(dice.random() < (value or 0))) for clip, value in noise.items()]
    trends = [one for one in trends_of(scores, columns).values() if one is not None]
    assert len(trends) == 2
    adjust(trends)
    assert [one["p_adjusted"] for one in trends] == holm([one["p"] for one in trends])
