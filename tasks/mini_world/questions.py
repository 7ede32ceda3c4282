"""Questions of six kinds. Each knows its options before there is a clip, so that its words tell nothing of the answer.

A question is drawn first, then which of its options is right, evenly; sounds are then drawn until they say so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dtbench.tasks.mini_world.dice import SeededRandom
from dtbench.tasks.mini_world.events import BEEPS, KINDS, LENGTHS, LEVELS, ORDINALS, PITCHES, WAYS, SoundFacts

Sounds = Sequence[SoundFacts]


class Solution(NamedTuple):
    """What sounds answer to a question."""

    answer: str
    step: str
    """How the answer follows from the description of the clip."""
    deciding: tuple[int, ...]
    """The places of the sounds that it follows from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MiniQuestion:
    """A question, its options, and what clips it can be asked about."""

    text: str
    options: tuple[str, ...]
    tell: Callable[[Sounds], Solution | None]
    """The answer; None where the question cannot be asked about these sounds."""
    counts: tuple[int, ...] = (2, 3, 4)
    """How many sounds there may be."""
    kinds: tuple[str, ...] = KINDS
    """Which sounds there may be; one named twice is twice as likely."""
    focus: tuple[str, ...]
    """The qualities that are close to a boundary in a hard clip."""


def total_beeps(dice: SeededRandom) -> MiniQuestion:
    """How many beeps all trains have together."""
    lowest = dice.between(2, 7)
    wanted = dice.pick((1, 2, 2, 3))

    def tell(sounds: Sounds) -> Solution | None:
        trains = [(place, sound.beeps) for place, sound in enumerate(sounds) if sound.kind == "beeps"]
        if not trains:
            return None
        total = trains[0][1]
        step = f"beeps {total}"
        for _, more in trains[1:]:
            total += more
            step += f" plus {more} makes {total}"
        return Solution(str(total), step, tuple(place for place, _ in trains))

    return MiniQuestion(
        text="how many beeps are there in total ?",
        options=tuple(str(number) for number in range(lowest, lowest + 5)),
        tell=tell,
        kinds=("beeps",) * wanted + KINDS,
        focus=("rate", "faint", "sweep"),
    )


def beeps_of_one(dice: SeededRandom) -> MiniQuestion:
    """How many beeps one train has."""
    place, name = _place(dice)

    def tell(sounds: Sounds) -> Solution | None:
        if sounds[place].kind != "beeps":
            return None
        answer = str(sounds[place].beeps)
        return Solution(answer, f"{name} has {answer}", (place,))

    return MiniQuestion(
        text=f"how many beeps does the {name} sound have ?",
        options=tuple(map(str, BEEPS)),
        tell=tell,
        counts=_counts_from(place + 1),
        focus=("rate", "faint"),
    )


def kind_at_end(dice: SeededRandom) -> MiniQuestion:
    """Which sound is first, or last."""
    end = dice.pick(("first", "last"))

    def tell(sounds: Sounds) -> Solution:
        place = 0 if end == "first" else len(sounds) - 1
        kind = sounds[place].kind
        return Solution(kind, f"first is {kind}" if end == "first" else f"last is {ORDINALS[place]} {kind}", (place,))

    return MiniQuestion(text=f"which sound comes {end} ?", options=KINDS, tell=tell, focus=("sweep", "faint", "length"))


def kind_beside(dice: SeededRandom) -> MiniQuestion:
    """Which sound comes right after, or before, the only one of a kind."""
    known = dice.pick(KINDS)
    side, offset = dice.pick((("after", 1), ("before", -1)))

    def tell(sounds: Sounds) -> Solution | None:
        places = [place for place, sound in enumerate(sounds) if sound.kind == known]
        if len(places) != 1:
            return None
        place, other = places[0], places[0] + offset
        passed = _passed([sound.kind for sound in sounds[: max(place, other) + 1]])
        if not 0 <= other < len(sounds):
            return Solution("nothing", f"{passed} . {side} is nothing", (place,))
        return Solution(sounds[other].kind, f"{passed} . {side} is {sounds[other].kind}", (place, other))

    return MiniQuestion(
        text=f"which sound comes right {side} the {known} ?",
        options=(*(kind for kind in KINDS if kind != known), "nothing"),
        tell=tell,
        focus=("sweep", "faint", "length"),
    )


def only_level(dice: SeededRandom) -> MiniQuestion:
    """Which sound is the only loud, or soft, one."""
    return _only(dice, dice.pick(LEVELS), lambda sound: sound.level, KINDS, ("level",))


def only_length(dice: SeededRandom) -> MiniQuestion:
    """Which sound is the only long, or short, one; beeps have no length, so there are none."""
    return _only(dice, dice.pick(LENGTHS), lambda sound: sound.length, ("tone", "noise", "chirp"), ("length",))


def _only(
    dice: SeededRandom, word: str, quality: Callable[[SoundFacts], str], kinds: tuple[str, ...], focus: tuple[str, ...]
) -> MiniQuestion:
    count = dice.pick((2, 3, 3, 4, 4))

    def tell(sounds: Sounds) -> Solution | None:
        places = [place for place, sound in enumerate(sounds) if quality(sound) == word]
        if len(places) != 1:
            return None
        passed = _passed([quality(sound) for sound in sounds[: places[0] + 1]])
        return Solution(ORDINALS[places[0]], passed, (places[0],))

    return MiniQuestion(
        text=f"which sound is the only {word} one ?",
        options=ORDINALS[:count],
        tell=tell,
        counts=(count,),
        kinds=kinds,
        focus=focus,
    )


def level_of_one(dice: SeededRandom) -> MiniQuestion:
    """Whether one sound is loud or soft."""
    return _quality(dice, "how loud is the {} sound ?", LEVELS, lambda sound: sound.level, "level")


def length_of_one(dice: SeededRandom) -> MiniQuestion:
    """Whether one sound is short or long."""
    return _quality(dice, "how long is the {} sound ?", LENGTHS, lambda sound: sound.length, "length")


def pitch_of_one(dice: SeededRandom) -> MiniQuestion:
    """Whether one sound is low, mid or high."""
    return _quality(dice, "what is the pitch of the {} sound ?", PITCHES, lambda sound: sound.pitch, "pitch")


def way_of_one(dice: SeededRandom) -> MiniQuestion:
    """Whether a chirp goes up or down."""
    return _quality(dice, "which way does the {} sound go ?", WAYS, lambda sound: sound.way, "sweep")


def _quality(
    dice: SeededRandom, text: str, options: tuple[str, ...], quality: Callable[[SoundFacts], str], focus: str
) -> MiniQuestion:
    place, name = _place(dice)

    def tell(sounds: Sounds) -> Solution | None:
        answer = quality(sounds[place])
        return Solution(answer, f"{name} is {answer}", (place,)) if answer else None

    return MiniQuestion(
        text=text.format(name), options=options, tell=tell, counts=_counts_from(place + 1), focus=(focus, "faint")
    )


def pitch_extreme(dice: SeededRandom) -> MiniQuestion:
    """Which sound has the highest, or lowest, pitch; noise has none, and there are no chirps."""
    end = dice.pick(("highest", "lowest"))
    count = dice.pick((2, 3, 3, 4, 4))

    def tell(sounds: Sounds) -> Solution | None:
        pitched = [(place, sound.pitch) for place, sound in enumerate(sounds) if sound.pitch]
        ranks = sorted({PITCHES.index(pitch) for _, pitch in pitched}, reverse=end == "highest")
        if len(ranks) < 2:
            return None
        places = [place for place, pitch in pitched if pitch == PITCHES[ranks[0]]]
        if len(places) != 1:
            return None
        passed = _passed([sound.pitch or "none" for sound in sounds])
        answer = ORDINALS[places[0]]
        rest = tuple(place for place, _ in pitched if place != places[0])
        return Solution(answer, f"{passed} . {end} is {PITCHES[ranks[0]]} {answer}", (places[0], *rest))

    return MiniQuestion(
        text=f"which sound has the {end} pitch ?",
        options=ORDINALS[:count],
        tell=tell,
        counts=(count,),
        kinds=("tone", "beeps", "tone", "beeps", "noise"),
        focus=("pitch",),
    )


def how_many_sounds(dice: SeededRandom) -> MiniQuestion:
    """How many sounds there are."""

    def tell(sounds: Sounds) -> Solution:
        last = len(sounds) - 1
        return Solution(str(len(sounds)), f"last is {ORDINALS[last]} makes {len(sounds)}", (last,))

    return MiniQuestion(text="how many sounds are there ?", options=("2", "3", "4"), tell=tell, focus=("faint", "rate"))


def how_many_kinds(dice: SeededRandom) -> MiniQuestion:
    """How many different kinds of sound there are."""

    def tell(sounds: Sounds) -> Solution:
        kinds = [sound.kind for sound in sounds]
        known = [len(set(kinds[: place + 1])) for place in range(len(kinds))]
        passed = _passed([f"{kind} {number}" for kind, number in zip(kinds, known, strict=True)])
        return Solution(str(known[-1]), passed, tuple(kinds.index(kind) for kind in dict.fromkeys(kinds)))

    return MiniQuestion(
        text="how many kinds of sounds are there ?",
        options=("1", "2", "3", "4"),
        tell=tell,
        focus=("sweep", "faint", "rate", "length"),
    )


def how_many_level(dice: SeededRandom) -> MiniQuestion:
    """How many sounds are loud, or soft."""
    return _how_many(dice.pick(LEVELS), lambda sound: sound.level, KINDS, ("level",))


def how_many_length(dice: SeededRandom) -> MiniQuestion:
    """How many sounds are long, or short; beeps have no length, so there are none."""
    return _how_many(dice.pick(LENGTHS), lambda sound: sound.length, ("tone", "noise", "chirp"), ("length",))


def _how_many(
    word: str, quality: Callable[[SoundFacts], str], kinds: tuple[str, ...], focus: tuple[str, ...]
) -> MiniQuestion:
    def tell(sounds: Sounds) -> Solution:
        found = [quality(sound) == word for sound in sounds]
        passed = _passed([f"{quality(sound)} {sum(found[: place + 1])}" for place, sound in enumerate(sounds)])
        return Solution(str(sum(found)), passed, tuple(place for place, is_it in enumerate(found) if is_it))

    return MiniQuestion(
        text=f"how many sounds are {word} ?", options=("0", "1", "2", "3"), tell=tell, kinds=kinds, focus=focus
    )


def _passed(told: Sequence[str]) -> str:
    """What is told of each sound, one after the other: a step so small each that a small model can make it."""
    return " , ".join(f"{name} {words}" for name, words in zip(ORDINALS, told, strict=False))


def _place(dice: SeededRandom) -> tuple[int, str]:
    place = dice.below(3)
    return place, ORDINALS[place]


def _counts_from(lowest: int) -> tuple[int, ...]:
    return tuple(range(max(2, lowest), 5))


CATEGORIES: Mapping[str, Sequence[Callable[[SeededRandom], MiniQuestion]]] = {
    "count": (total_beeps, total_beeps, total_beeps, beeps_of_one, beeps_of_one),
    "order": (kind_at_end, kind_at_end, kind_beside, kind_beside, kind_beside),
    "loudness": (only_level, only_level, only_level, only_level, level_of_one),
    "pitch": (pitch_extreme, pitch_extreme, pitch_extreme, pitch_of_one, way_of_one),
    "duration": (only_length, only_length, only_length, only_length, length_of_one),
    "how many": (how_many_sounds, how_many_kinds, how_many_level, how_many_level, how_many_length),
}
"""The kinds of questions, and how often each form of them is asked."""
