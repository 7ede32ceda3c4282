"""The sounds of the world, and every word that its questions and chains use."""

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
    """The qualities of a sound; empty or 0 where one does not apply."""

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
        """Describe the sound."""
        if self.kind == "beeps":
            return f"{self.beeps} {self.level} {self.pitch} beeps"
        if self.kind == "tone":
            return f"{self.level} {self.length} {self.pitch} tone"
        return " ".join(word for word in (self.level, self.length, self.kind, self.way) if word)


class Span(NamedTuple):
    """The place of a sound in the clip, in samples."""

    start: int
    samples: int


@dataclass(frozen=True, slots=True)
class Event:
    """A sound as it is rendered."""

    sound: SoundFacts
    span: Span
    level: int
    """Tenths of a decibel below full scale, RMS while the sound is on."""
    steps: tuple[int, int]
    """The pitch at its beginning and at its end; not of noise."""
    period: int = 0
    """Samples from one beep to the next."""

    def as_published(self) -> dict[str, Any]:
        """Return the sound in the form of an item's record."""
        sound = self.sound
        facts: dict[str, Any] = {}
        if sound.kind != "noise":
            facts["hertz"] = [millihertz(step) / 1000 for step in self.steps]
        if sound.kind == "beeps":
            facts["beeps"], facts["period"] = sound.beeps, self.period / RATE
        qualities = {"loudness": sound.level, "length": sound.length, "pitch": sound.pitch, "direction": sound.way}
        return {
            "kind": sound.kind,
            **{name: value for name, value in qualities.items() if value},
            "start": self.span.start / RATE,
            "seconds": self.span.samples / RATE,
            "decibels": self.level / 10,
            **facts,
        }


def describe_sounds(sounds: Sequence[SoundFacts]) -> str:
    """Describe the sounds of a clip, one after the other."""
    parts = (f"{place} {sound.words()}" for place, sound in zip(ORDINALS, sounds, strict=False))
    return f"i hear {' , '.join(parts)} ."


LETTERS = ("(A)", "(B)", "(C)", "(D)", "(E)")
"""As options are lettered."""
NUMBERS = tuple(str(number) for number in range(21))
_TEXT = (
    ". , : ? i hear describe the audio answer directly think and in tags with your words notes then say write how"
    " many beeps are there total does sound have which comes first last right after before nothing is only one loud"
    " long what pitch of way go highest lowest sounds kinds plus makes has none so goes a to this clip listen question"
    " from choose options step not yes no same it"
)
VOCABULARY = tuple(
    dict.fromkeys((*NUMBERS, *LETTERS, *KINDS, *LEVELS, *LENGTHS, *PITCHES, *WAYS, *ORDINALS, *_TEXT.split()))
)
"""Words of questions, options, descriptions and chains, and those that tasks for a model are put in."""
