"""Edit a chain of thought so that the rule of its question leads to another option.

The description of the clip, as the chain has it, is read back to sounds. One quality of one sound is changed, and the
question is solved anew; where no single change leads to another option, two sounds exchange one. In a chain that
contradicts itself nothing is edited: nobody could say where it leads.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from dtbench.harness.core.task import ChainEdit
from dtbench.tasks.mini_world.events import (
    BEEPS,
    KINDS,
    LENGTHS,
    LEVELS,
    ORDINALS,
    PITCHES,
    WAYS,
    SoundFacts,
    describe_sounds,
)
from dtbench.tasks.mini_world.questions import Solution
from dtbench.tasks.mini_world.resolve import solve_described
from dtbench.tasks.mini_world.scales import SeededRandom

DESCRIPTION, STEP = "description", "step"
_BEGINNING, _END, _CONCLUSION = "i hear ", " .", "answer is "
_VALUES: Mapping[str, Sequence[Any]] = {
    "level": LEVELS,
    "length": LENGTHS,
    "pitch": PITCHES,
    "way": WAYS,
    "beeps": BEEPS,
}


class _Described(NamedTuple):
    """What a chain says of the clip, and how."""

    words: str
    """The chain up to the end of its description."""
    opening: str
    """Its first words, which a trained model may leave out."""
    sounds: tuple[SoundFacts, ...]

    def as_written(self, sounds: Sequence[SoundFacts]) -> str:
        """Describe other sounds in the same form."""
        return f"{self.opening}{describe_sounds(sounds).removeprefix(_BEGINNING)}"


def edit_chain(item: Mapping[str, Any], chain: str) -> Sequence[ChainEdit]:
    """Return the chain with another description and with another step; none where the chain is not coherent."""
    described = _read_description(chain)
    solution = None if described is None else solve_described(item, described.sounds)
    if described is None or solution is None or solution.answer != read_conclusion(chain):
        return ()
    rng = SeededRandom(f"{item['id']} edits")
    options = {*item["choices"]} - {solution.answer}
    ways = _ways(item, _changed(described.sounds), options) or _ways(item, _exchanged(described.sounds), options)
    if not ways:
        return ()
    sounds, other = rng.pick(ways)
    edits = [ChainEdit(DESCRIPTION, described.as_written(sounds), other.answer, described.words)]
    unchanged = f"{described.words} {solution.step}"
    steps = [way for _, way in ways if way.step != solution.step]
    if steps and " ".join(chain.split()).startswith(unchanged):
        step = rng.pick(steps)
        edits.append(ChainEdit(STEP, f"{described.words} {step.step}", step.answer, unchanged))
    return edits


def _ways(
    item: Mapping[str, Any], every: Iterator[tuple[SoundFacts, ...]], options: Collection[str]
) -> list[tuple[tuple[SoundFacts, ...], Solution]]:
    """Return the sounds that lead to one of these options, and how."""
    return [(sounds, other) for sounds in every if (other := solve_described(item, sounds)) and other.answer in options]


def read_sounds(description: str) -> tuple[SoundFacts, ...] | None:
    """Return the sounds that a description names; None where it is not in the words of this world."""
    clauses = " ".join(description.split()).removeprefix(_BEGINNING).removesuffix(_END).split(" , ")
    sounds = tuple(_read_sound(clause.split()[1:]) for clause in clauses)
    whole = [sound for sound in sounds if sound is not None]
    exact = len(whole) == len(sounds) <= len(ORDINALS) and describe_sounds(whole) == " ".join(description.split())
    return tuple(whole) if exact else None


def read_conclusion(chain: str) -> str:
    """Return the answer that a chain ends with; empty where it has none."""
    _, found, rest = f" {' '.join(chain.split())} ".rpartition(f" {_CONCLUSION}")
    return rest.strip() if found else ""


def _read_description(chain: str) -> _Described | None:
    words = " ".join(chain.split())
    before, found, _ = words.partition(_END)
    opening = _BEGINNING if before.startswith(_BEGINNING) else ""
    sounds = read_sounds(f"{_BEGINNING}{before.removeprefix(opening)}{_END}") if found else None
    return None if sounds is None else _Described(f"{before}{_END}", opening, sounds)


def _read_sound(words: Sequence[str]) -> SoundFacts | None:
    kind = next((word for word in words if word in KINDS), None)
    if kind is None:
        return None
    named = ((name, next((one for one in values if str(one) in words), None)) for name, values in _VALUES.items())
    found = {name: value for name, value in named if value is not None}
    return SoundFacts(kind, **found) if "level" in found else None


def _changed(sounds: Sequence[SoundFacts]) -> Iterator[tuple[SoundFacts, ...]]:
    """Yield the sounds with one quality of one sound changed, its kind, or with one sound fewer or more."""
    for place, sound in enumerate(sounds):
        for other in (*_other_qualities(sound), *_other_kinds(sound)):
            yield (*sounds[:place], other, *sounds[place + 1 :])
    yield tuple(sounds[:-1])
    yield (*sounds, sounds[-1])


def _exchanged(sounds: Sequence[SoundFacts]) -> Iterator[tuple[SoundFacts, ...]]:
    """Yield the sounds with a quality of two of them exchanged: so the only loud one becomes another."""
    for one, two in itertools.combinations(range(len(sounds)), 2):
        for name in _VALUES:
            first, second = getattr(sounds[one], name), getattr(sounds[two], name)
            if first and second and first != second:
                changed = list(sounds)
                changed[one] = replace(sounds[one], **{name: second})
                changed[two] = replace(sounds[two], **{name: first})
                yield tuple(changed)


def _other_qualities(sound: SoundFacts) -> Iterator[SoundFacts]:
    for name, values in _VALUES.items():
        now = getattr(sound, name)
        yield from (replace(sound, **{name: value}) for value in values if now and value != now)


def _other_kinds(sound: SoundFacts) -> Iterator[SoundFacts]:
    """Yield sounds of the other kinds, as alike as they can be."""
    length, pitch = sound.length or LENGTHS[0], sound.pitch or PITCHES[1]
    every = (
        SoundFacts("tone", sound.level, length, pitch),
        SoundFacts("beeps", sound.level, pitch=pitch, beeps=BEEPS[1]),
        SoundFacts("noise", sound.level, length),
        SoundFacts("chirp", sound.level, length, way=WAYS[0]),
    )
    yield from (other for other in every if other.kind != sound.kind)
