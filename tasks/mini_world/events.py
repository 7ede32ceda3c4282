"""What can be heard: sounds with a kind, and what is to be said of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from dtbench.tasks.mini_world.scales import RATE, millihertz

KINDS = ("tone", "beeps", "noise", "chirp")
LEVELS = ("loud", "soft")
LENGTHS = ("short", "long")
PITCHES = ("low", "mid", "high")
WAYS = ("up", "down")
ORDINALS = ("first", "second", "third", "fourth")
BEEPS = (2, 3, 4, 5)


@dataclass(frozen=True, slots=True)
class SoundFacts:
    """What a listener says of a sound; empty or 0 where it does not apply."""

    kind: str
    level: str
    length: str = ""
    """Of everything but beeps."""
    pitch: str = ""
    """Of tones and beeps."""
    way: str = ""
    """Of chirps."""
    beeps: int = 0

    def words(self) -> str:
        """The sound in words."""
        if self.kind == "beeps":
            return f"{self.beeps} {self.level} {self.pitch} beeps"
        if self.kind == "tone":
            return f"{self.level} {self.length} {self.pitch} tone"
        return " ".join(word for word in (self.level, self.length, self.kind, self.way) if word)


class Span(NamedTuple):
    """Where a sound lies in the clip, in samples."""

    start: int
    samples: int


@dataclass(frozen=True, slots=True)
class Event:
    """A sound as it is rendered."""

    heard: SoundFacts
    span: Span
    level: int
    """Tenths of a decibel below full scale, RMS while the sound is on."""
    steps: tuple[int, int]
    """The pitch at its beginning and at its end; not of noise."""
    period: int = 0
    """Samples from one beep to the next."""

    def as_published(self) -> dict[str, Any]:
        """The sound as an item's record tells it."""
        heard = self.heard
        facts: dict[str, Any] = {}
        if heard.kind != "noise":
            facts["hertz"] = [millihertz(step) / 1000 for step in self.steps]
        if heard.kind == "beeps":
            facts["beeps"], facts["period"] = heard.beeps, self.period / RATE
        named = {"loudness": heard.level, "length": heard.length, "pitch": heard.pitch, "direction": heard.way}
        return {
            "kind": heard.kind,
            **{name: value for name, value in named.items() if value},
            "start": self.span.start / RATE,
            "seconds": self.span.samples / RATE,
            "decibels": self.level / 10,
            **facts,
        }


def describe_sounds(sounds: Sequence[SoundFacts]) -> str:
    """A clip in words."""
    told = (f"{place} {sound.words()}" for place, sound in zip(ORDINALS, sounds, strict=False))
    return f"i hear {' , '.join(told)} ."
