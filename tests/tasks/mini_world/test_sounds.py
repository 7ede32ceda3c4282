"""The sounds of mini: the same everywhere, and as they are said to be."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from itertools import pairwise

import pytest
from perfect_ears import heard, samples

from dtbench.tasks.mini_world.items import Item, make_item
from dtbench.tasks.mini_world.scales import MID_TO_HIGH, millihertz, noise_peak, sine_peak, sine_table
from dtbench.tasks.mini_world.splits import slots


@pytest.fixture(scope="module")
def items() -> list[Item]:
    return [make_item(slot) for slot in slots("test")]


@pytest.fixture(scope="module")
def clips(items: list[Item]) -> list[bytes]:
    return [item.wav() for item in items]


def test_every_clip_of_the_test_split_is_the_same_to_the_bit(clips: list[bytes]) -> None:
    digest = hashlib.sha256(b"".join(clips)).hexdigest()
    assert digest == "e616b601941b78989b0e1cad592167216fd6046c0b9f2a84959767ad9802f145"


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ("train-1", "00ed74784e28a4e66c631fd8ae833688981bc98325b21d6f93324ee02afde2b2"),
        ("train-2", "1f879d65275317b400f4edf46e9c1cc1e1d0c9c613413c7aa136b8745a0fa0d2"),
    ],
)
def test_clips_for_training_are_the_same_to_the_bit(split: str, expected: str) -> None:
    digest = hashlib.sha256()
    for slot in slots(split)[::10]:
        digest.update(make_item(slot).wav())
    assert digest.hexdigest() == expected


def test_a_listener_who_measures_hears_every_sound_as_it_is(items: list[Item], clips: list[bytes]) -> None:
    wrong = [
        (item.slot.number, item.sounds, ears)
        for item, clip in zip(items, clips, strict=True)
        if (ears := tuple(heard(clip))) != item.sounds
    ]
    assert wrong == []


def test_clips_are_four_seconds_with_nothing_cut_off(clips: list[bytes]) -> None:
    for clip in clips:
        sound = samples(clip)
        assert len(sound) == 64_000
        assert abs(sound).max() < 0.99


def test_a_boundary_is_close_and_easy_is_far_from_it(items: list[Item]) -> None:
    """The nearest pitch, level and length to a boundary: semitones, decibels, milliseconds."""
    nearest: dict[int, list[float]] = {grade: [math.inf] * 3 for grade in range(4)}
    for item in items:
        found = nearest[item.grade]
        for event in item.events:
            if event.sound.pitch:
                found[0] = min(found[0], *(abs(event.steps[0] - edge) / 16 for edge in (0, MID_TO_HIGH)))
            found[1] = min(found[1], abs(event.level + 250) / 10)
            if event.sound.length:
                found[2] = min(found[2], abs(event.span.samples - 8000) / 16)
    assert [(semitones, decibels, round(length)) for semitones, decibels, length in nearest.values()] == [
        (4.0, 7.0, 160),
        (2.0, 3.0, 80),
        (1.0, 2.0, 50),
        (0.5, 1.0, 25),
    ]


def test_sounds_follow_each_other_with_gaps_that_no_train_of_beeps_has(items: list[Item]) -> None:
    for item in items:
        for event, following in pairwise(item.events):
            assert following.span.start - event.span.start - event.span.samples >= 0.14 * 16_000
            assert event.period * 2 // 5 <= 0.08 * 16_000


def test_closeness_is_graded_evenly(items: list[Item]) -> None:
    grades = Counter(item.grade for item in items)
    assert grades[0] == 300
    assert max(grades[grade] for grade in (1, 2, 3)) - min(grades[grade] for grade in (1, 2, 3)) <= 30


def test_scales_are_what_they_stand_for() -> None:
    assert [millihertz(step) for step in (0, 192, -192, MID_TO_HIGH)] == [400_000, 800_000, 200_000, 1_131_371]
    assert sine_peak(0) == round(32_768 * 256 * math.sqrt(2))
    assert noise_peak(-200) == round(32_768 * 256 * math.sqrt(3) / 10)
    table = sine_table()
    assert len(table) == 4096
    assert max(abs(value - 32_767 * math.sin(2 * math.pi * place / 4096)) for place, value in enumerate(table)) < 0.51
