"""Questions of one, two and three steps: find a sound, or the sound beside it, then say how it is.

A pair of a last step to a sound and a quality is a composition. Training asks twelve of the sixteen; what carries over
to the four others is no memory of a form.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from dtbench.tasks.mini_world.events import BEEPS, KINDS, LENGTHS, LEVELS, ORDINALS, PITCHES, SoundFacts
from dtbench.tasks.mini_world.questions import (
    MiniQuestion,
    Solution,
    Sounds,
    beeps_of_one,
    length_of_one,
    level_of_one,
    name_each,
    pitch_of_one,
)
from dtbench.tasks.mini_world.scales import SeededRandom

HopForm = Callable[[SeededRandom], MiniQuestion]
BESIDE: Mapping[str, int] = {"after": 1, "before": -1}
"""The step from a sound to the one beside it."""
STEPS = ("after", "before", "only", "end")
"""The ways to a sound: the one right after or before another, the only one of a kind, the first or last of a kind."""
HELD_OUT = frozenset({("after", "pitch"), ("before", "beeps"), ("only", "length"), ("end", "level")})
"""Compositions that no training asks."""
REASONED = (
    ("after", "level"),
    ("before", "length"),
    ("before", "pitch"),
    ("only", "beeps"),
    ("end", "pitch"),
    ("end", "beeps"),
)
"""Compositions that the model of this world was taught to reason about, over written notes."""


class _Quality(NamedTuple):
    text: str
    options: tuple[str, ...]
    read: Callable[[SoundFacts], str]
    """The quality of a sound; empty where it has none."""
    verb: str
    kinds: tuple[str, ...]
    """The sounds that have it."""
    focus: tuple[str, ...]


QUALITIES: Mapping[str, _Quality] = {
    "level": _Quality("how loud is the {} ?", LEVELS, lambda sound: sound.level, "is", KINDS, ("level", "faint")),
    "length": _Quality(
        "how long is the {} ?",
        LENGTHS,
        lambda sound: sound.length,
        "is",
        ("tone", "noise", "chirp"),
        ("length", "faint"),
    ),
    "pitch": _Quality(
        "what is the pitch of the {} ?",
        PITCHES,
        lambda sound: sound.pitch,
        "is",
        ("tone", "beeps"),
        ("pitch", "faint"),
    ),
    "beeps": _Quality(
        "how many beeps does the {} have ?",
        tuple(map(str, BEEPS)),
        lambda sound: str(sound.beeps) if sound.beeps else "",
        "has",
        ("beeps",),
        ("rate", "faint"),
    ),
}


class _FoundSound(NamedTuple):
    """A sound that a step led to."""

    place: int
    last: int
    """The place up to which the sounds have to be gone through."""


def _only_of(kinds: Sequence[str], kind: str) -> _FoundSound | None:
    return _FoundSound(kinds.index(kind), kinds.index(kind)) if kinds.count(kind) == 1 else None


def _end_of(kinds: Sequence[str], kind: str, end: str) -> _FoundSound | None:
    if kinds.count(kind) < 2:
        return None
    if end == "first":
        return _FoundSound(kinds.index(kind), kinds.index(kind))
    return _FoundSound(len(kinds) - 1 - list(reversed(kinds)).index(kind), len(kinds) - 1)


def hop_question(rng: SeededRandom, *, steps: tuple[str, ...], quality: str) -> MiniQuestion:
    """Ask for a quality of the sound that one or two of STEPS lead to; the first of two finds a sound by its kind."""
    beside = steps[-1] if steps[-1] in BESIDE else ""
    finder = steps[0] if steps[0] not in BESIDE else "only"
    asked = QUALITIES[quality]
    others = tuple(kind for kind in KINDS if asked.kinds != (kind,))  # beside the only or last of them is no other
    kind = rng.pick(others if beside else asked.kinds)
    end = rng.pick(("first", "last")) if finder == "end" else "only"

    def solve(sounds: Sounds) -> Solution | None:
        kinds = [sound.kind for sound in sounds]
        found = _only_of(kinds, kind) if finder == "only" else _end_of(kinds, kind, end)
        if found is None:
            return None
        place = found.place + BESIDE.get(beside, 0)
        if not 0 <= place < len(sounds) or not asked.read(sounds[place]):
            return None
        words = [name_each(kinds[: max(found.last, place) + 1])]
        if finder == "end" or not beside:
            words.append(f"{end} is {ORDINALS[found.place]}")
        if beside:
            words.append(f"{beside} is {ORDINALS[place]}")
        answer = asked.read(sounds[place])
        words.append(f"{ORDINALS[place]} {asked.verb} {answer}")
        return Solution(answer, " . ".join(words), tuple(dict.fromkeys((place, found.place))))

    name = f"{end} {kind}"
    if beside:
        name = f"sound right {beside} the {kind if finder == 'only' else name}"
    return MiniQuestion(
        text=asked.text.format(name),
        options=asked.options,
        solve=solve,
        counts=(3, 4) if finder == "end" else (2, 3, 4),
        kinds=(*KINDS, *asked.kinds, kind),
        focus=asked.focus,
        depth=1 + len(steps),
        pair=(steps[-1], quality),
    )


def _form(steps: tuple[str, ...], quality: str) -> HopForm:
    return functools.partial(hop_question, steps=steps, quality=quality)


ONE_STEP: Sequence[HopForm] = (level_of_one, length_of_one, pitch_of_one, beeps_of_one)
TWO_STEPS: Mapping[tuple[str, str], HopForm] = {
    (step, quality): _form((step,), quality) for step in STEPS for quality in QUALITIES
}
THREE_STEPS: Mapping[tuple[str, str], HopForm] = {
    (step, quality): _form(("end", step), quality) for step in BESIDE for quality in QUALITIES
}


def _trained(forms: Mapping[tuple[str, str], HopForm]) -> tuple[HopForm, ...]:
    return tuple(form for pair, form in forms.items() if pair not in HELD_OUT)


TRAINED_ONE_AND_TWO: Mapping[str, Sequence[HopForm]] = {"one step": ONE_STEP, "two steps": _trained(TWO_STEPS)}
TRAINED_TWO_AND_THREE: Mapping[str, Sequence[HopForm]] = {
    "two steps": _trained(TWO_STEPS),
    "three steps": _trained(THREE_STEPS),
}
ALL_DEPTHS: Mapping[str, Sequence[HopForm]] = {
    "one step": ONE_STEP,
    "two steps": tuple(TWO_STEPS.values()),
    "three steps": tuple(THREE_STEPS.values()),
}
ONE_AND_TWO: Mapping[str, Sequence[HopForm]] = {"one step": ONE_STEP, "two steps": tuple(TWO_STEPS.values())}
