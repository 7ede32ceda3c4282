"""Draw sounds with given qualities: clearly so, or close to the boundary of two words.

At the boundary the truth stays well defined: a pitch is at least half a semitone, a level one decibel, a length 25 ms
on its side, and the quietest sound stands 10 dB above the background. Measuring always tells.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dtbench.tasks.mini_world.events import BEEPS, LENGTHS, LEVELS, PITCHES, WAYS, Event, SoundFacts, Span
from dtbench.tasks.mini_world.scales import (
    LOW_TO_MID,
    MID_TO_HIGH,
    RATE,
    SHORT_TO_LONG,
    SOFT_TO_LOUD,
    STEPS_A_SEMITONE,
    SeededRandom,
)

CLIP_SAMPLES = 4 * RATE
GRADES = (1, 2, 3)
"""How close to the boundary, 3 the closest; 0 is easy."""
MILLISECOND = RATE // 1000
_EDGE, _GAP = 100 * MILLISECOND, 140 * MILLISECOND
_PITCH_AWAY = {1: 2 * STEPS_A_SEMITONE, 2: STEPS_A_SEMITONE, 3: STEPS_A_SEMITONE // 2}
_LEVEL_AWAY = {1: 30, 2: 20, 3: 10}
_LENGTH_AWAY = {1: 80 * MILLISECOND, 2: 50 * MILLISECOND, 3: 25 * MILLISECOND}
_SWEEP = {1: 3 * STEPS_A_SEMITONE, 2: 2 * STEPS_A_SEMITONE, 3: 5 * STEPS_A_SEMITONE // 4}
_FAINT = {1: -480, 2: -520, 3: -560}
_CLEAR_PITCH = {
    "low": (LOW_TO_MID - 14 * STEPS_A_SEMITONE, LOW_TO_MID - 4 * STEPS_A_SEMITONE),
    "mid": (LOW_TO_MID + 4 * STEPS_A_SEMITONE, MID_TO_HIGH - 4 * STEPS_A_SEMITONE),
    "high": (MID_TO_HIGH + 4 * STEPS_A_SEMITONE, MID_TO_HIGH + 16 * STEPS_A_SEMITONE),
}


@dataclass(frozen=True, slots=True)
class Closeness:
    """Which qualities of a clip are close to a boundary, and how close."""

    grade: int = 0
    qualities: frozenset[str] = frozenset()
    """Of `level`, `length`, `pitch`, `rate`, `sweep` and `faint`; the others are close once in three."""

    def near(self, quality: str, rng: SeededRandom) -> int:
        """Return the grade of a quality of a sound; 0 where it is clear."""
        return self.grade if self.grade and (quality in self.qualities or rng.chance(3)) else 0


def draw_sounds(rng: SeededRandom, kinds: Sequence[str], count: int) -> tuple[SoundFacts, ...]:
    """Draw the qualities of sounds, all values equally likely."""
    return tuple(_sketch(rng, rng.pick(kinds)) for _ in range(count))


def _sketch(rng: SeededRandom, kind: str) -> SoundFacts:
    level = rng.pick(LEVELS)
    if kind == "beeps":
        return _facts(kind, level, "", rng.pick(PITCHES), "", rng.pick(BEEPS))
    length = rng.pick(LENGTHS)
    pitch = rng.pick(PITCHES) if kind == "tone" else ""
    return _facts(kind, level, length, pitch, rng.pick(WAYS) if kind == "chirp" else "")


_facts = functools.cache(SoundFacts)
"""Of sounds there are few dozen kinds, and hundreds of thousands are drawn."""


def place_sounds(
    rng: SeededRandom, sounds: Sequence[SoundFacts], closeness: Closeness, *, residue: int
) -> tuple[Event, ...]:
    """Place the sounds one after the other; the first begins at a sample that leaves this residue by four."""
    while True:
        events = [_event(rng, sound, closeness) for sound in sounds]
        needed = sum(event.span.samples for event in events) + (len(events) - 1) * _GAP + 2 * _EDGE + 3
        if needed <= CLIP_SAMPLES:
            return _spread(rng, events, CLIP_SAMPLES - needed, residue)


def _spread(rng: SeededRandom, events: Sequence[Event], room: int, residue: int) -> tuple[Event, ...]:
    shares = [rng.between(1, 1000) for _ in range(len(events) + 1)]
    start = _EDGE + room * shares[0] // sum(shares)
    start += (residue - start) % 4
    spread = []
    for event, share in zip(events, shares[1:], strict=True):
        spread.append(replace(event, span=Span(start, event.span.samples)))
        start += event.span.samples + _GAP + room * share // sum(shares)
    return tuple(spread)


def _event(rng: SeededRandom, sound: SoundFacts, closeness: Closeness) -> Event:
    level = _level(rng, sound, closeness)
    if sound.kind == "beeps":
        near = closeness.near("rate", rng)
        period = (rng.between(105, 120) if near else rng.between(150, 180)) * MILLISECOND
        pitch = _pitch(rng, sound.pitch, closeness)
        samples = (sound.beeps - 1) * period + beep_samples(period)
        return Event(sound, Span(0, samples), level, (pitch, pitch), period)
    samples = _samples(rng, sound.length, closeness)
    if sound.kind == "chirp":
        return Event(sound, Span(0, samples), level, _sweep(rng, sound.way, closeness))
    pitch = _pitch(rng, sound.pitch, closeness) if sound.kind == "tone" else 0
    return Event(sound, Span(0, samples), level, (pitch, pitch))


def beep_samples(period: int) -> int:
    """Return how many samples of a period a beep sounds."""
    return period * 3 // 5


def _level(rng: SeededRandom, sound: SoundFacts, closeness: Closeness) -> int:
    if near := closeness.near("level", rng):
        away = _about(rng, _LEVEL_AWAY[near])
        return SOFT_TO_LOUD + (away if sound.level == "loud" else -away)
    if sound.level == "loud":
        return rng.between(-180, -100)
    if (near := closeness.near("faint", rng)) and rng.chance(2):
        return _FAINT[near]
    return rng.between(-400, -320)


def _about(rng: SeededRandom, away: int) -> int:
    """Draw a distance from a boundary: this one, or up to a quarter more."""
    return rng.between(away, away * 5 // 4)


def _samples(rng: SeededRandom, length: str, closeness: Closeness) -> int:
    if near := closeness.near("length", rng):
        away = _about(rng, _LENGTH_AWAY[near])
        return SHORT_TO_LONG + (away if length == "long" else -away)
    return (rng.between(720, 950) if length == "long" else rng.between(180, 340)) * MILLISECOND


def _pitch(rng: SeededRandom, pitch: str, closeness: Closeness) -> int:
    if near := closeness.near("pitch", rng):
        away = _about(rng, _PITCH_AWAY[near])
        sides = {
            "low": (LOW_TO_MID - away,),
            "mid": (LOW_TO_MID + away, MID_TO_HIGH - away),
            "high": (MID_TO_HIGH + away,),
        }
        return rng.pick(sides[pitch])
    return rng.between(*_CLEAR_PITCH[pitch])


def _sweep(rng: SeededRandom, way: str, closeness: Closeness) -> tuple[int, int]:
    near = closeness.near("sweep", rng)
    whole = _SWEEP[near] if near else rng.between(12 * STEPS_A_SEMITONE, 24 * STEPS_A_SEMITONE)
    middle = rng.between(LOW_TO_MID, MID_TO_HIGH)
    ends = (middle - whole // 2, middle + whole - whole // 2)
    return ends if way == "up" else ends[::-1]
