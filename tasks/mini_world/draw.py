"""Sounds drawn for what is to be said of them: clearly so, or close to the boundary of two words.

At the boundary the truth stays well defined: a pitch is at least half a semitone, a level one decibel, a length 25 ms
on its side, and the quietest sound stands 10 dB above the background. Who measures can always tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dtbench.tasks.mini_world.dice import SeededRandom
from dtbench.tasks.mini_world.events import BEEPS, LENGTHS, LEVELS, PITCHES, WAYS, Event, SoundFacts, Span
from dtbench.tasks.mini_world.scales import (
    LOW_TO_MID,
    MID_TO_HIGH,
    RATE,
    SHORT_TO_LONG,
    SOFT_TO_LOUD,
    STEPS_A_SEMITONE,
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
    """What is close to a boundary in a clip, and how close."""

    grade: int = 0
    what: frozenset[str] = frozenset()
    """Of `level`, `length`, `pitch`, `rate`, `sweep` and `faint`; the others are close once in three."""

    def near(self, what: str, dice: SeededRandom) -> int:
        """The grade for this quality of this sound; 0 where it is clear."""
        return self.grade if self.grade and (what in self.what or dice.chance(3)) else 0


def draw_sounds(dice: SeededRandom, kinds: Sequence[str], count: int) -> tuple[SoundFacts, ...]:
    """What is to be heard, all values equally likely."""
    return tuple(_sketch(dice, dice.pick(kinds)) for _ in range(count))


def _sketch(dice: SeededRandom, kind: str) -> SoundFacts:
    level = dice.pick(LEVELS)
    if kind == "beeps":
        return SoundFacts(kind, level, pitch=dice.pick(PITCHES), beeps=dice.pick(BEEPS))
    length = dice.pick(LENGTHS)
    pitch = dice.pick(PITCHES) if kind == "tone" else ""
    return SoundFacts(kind, level, length, pitch, dice.pick(WAYS) if kind == "chirp" else "")


def place_sounds(
    dice: SeededRandom, sounds: Sequence[SoundFacts], closeness: Closeness, *, residue: int
) -> tuple[Event, ...]:
    """The sounds one after the other in a clip; the first begins at a sample that leaves this residue by four."""
    while True:
        events = [_drawn(dice, sound, closeness) for sound in sounds]
        needed = sum(event.span.samples for event in events) + (len(events) - 1) * _GAP + 2 * _EDGE + 3
        if needed <= CLIP_SAMPLES:
            return _spread(dice, events, CLIP_SAMPLES - needed, residue)


def _spread(dice: SeededRandom, events: Sequence[Event], room: int, residue: int) -> tuple[Event, ...]:
    shares = [dice.between(1, 1000) for _ in range(len(events) + 1)]
    start = _EDGE + room * shares[0] // sum(shares)
    start += (residue - start) % 4
    spread = []
    for event, share in zip(events, shares[1:], strict=True):
        spread.append(replace(event, span=Span(start, event.span.samples)))
        start += event.span.samples + _GAP + room * share // sum(shares)
    return tuple(spread)


def _drawn(dice: SeededRandom, sound: SoundFacts, closeness: Closeness) -> Event:
    level = _level(dice, sound, closeness)
    if sound.kind == "beeps":
        near = closeness.near("rate", dice)
        period = (dice.between(105, 120) if near else dice.between(150, 180)) * MILLISECOND
        pitch = _pitch(dice, sound.pitch, closeness)
        samples = (sound.beeps - 1) * period + beep_samples(period)
        return Event(sound, Span(0, samples), level, (pitch, pitch), period)
    samples = _samples(dice, sound.length, closeness)
    if sound.kind == "chirp":
        return Event(sound, Span(0, samples), level, _sweep(dice, sound.way, closeness))
    pitch = _pitch(dice, sound.pitch, closeness) if sound.kind == "tone" else 0
    return Event(sound, Span(0, samples), level, (pitch, pitch))


def beep_samples(period: int) -> int:
    """How much of a period a beep sounds, in samples."""
    return period * 3 // 5


def _level(dice: SeededRandom, sound: SoundFacts, closeness: Closeness) -> int:
    if near := closeness.near("level", dice):
        away = _about(dice, _LEVEL_AWAY[near])
        return SOFT_TO_LOUD + (away if sound.level == "loud" else -away)
    if sound.level == "loud":
        return dice.between(-180, -100)
    if (near := closeness.near("faint", dice)) and dice.chance(2):
        return _FAINT[near]
    return dice.between(-400, -320)


def _about(dice: SeededRandom, away: int) -> int:
    """A distance from a boundary: this one, or up to a quarter more."""
    return dice.between(away, away * 5 // 4)


def _samples(dice: SeededRandom, length: str, closeness: Closeness) -> int:
    if near := closeness.near("length", dice):
        away = _about(dice, _LENGTH_AWAY[near])
        return SHORT_TO_LONG + (away if length == "long" else -away)
    return (dice.between(720, 950) if length == "long" else dice.between(180, 340)) * MILLISECOND


def _pitch(dice: SeededRandom, pitch: str, closeness: Closeness) -> int:
    if near := closeness.near("pitch", dice):
        away = _about(dice, _PITCH_AWAY[near])
        sides = {
            "low": (LOW_TO_MID - away,),
            "mid": (LOW_TO_MID + away, MID_TO_HIGH - away),
            "high": (MID_TO_HIGH + away,),
        }
        return dice.pick(sides[pitch])
    return dice.between(*_CLEAR_PITCH[pitch])


def _sweep(dice: SeededRandom, way: str, closeness: Closeness) -> tuple[int, int]:
    near = closeness.near("sweep", dice)
    whole = _SWEEP[near] if near else dice.between(12 * STEPS_A_SEMITONE, 24 * STEPS_A_SEMITONE)
    middle = dice.between(LOW_TO_MID, MID_TO_HIGH)
    ends = (middle - whole // 2, middle + whole - whole // 2)
    return ends if way == "up" else ends[::-1]
