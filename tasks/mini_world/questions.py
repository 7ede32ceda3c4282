"""Questions of six kinds, whose options are fixed before there is a clip, so that the words give no answer away.

A question is drawn first, then which of its options is right, evenly; sounds are then drawn until they say so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dtbench.tasks.mini_world.events import BEEPS, KINDS, LENGTHS, LEVELS, ORDINALS, PITCHES, WAYS, SoundFacts
from dtbench.tasks.mini_world.scales import SeededRandom

Sounds = Sequence[SoundFacts]


class Solution(NamedTuple):
    """The answer that follows from the sounds, and how."""

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
    solve: Callable[[Sounds], Solution | None]
    """The answer; None where the question cannot be asked about these sounds."""
    counts: tuple[int, ...] = (2, 3, 4)
    """How many sounds there may be."""
    kinds: tuple[str, ...] = KINDS
    """Which sounds there may be; one named twice is twice as likely."""
    focus: tuple[str, ...]
    """The qualities that are close to a boundary in a hard clip."""
    depth: int = 1
    """How many steps lead to the answer."""
    pair: tuple[str, str] | None = None
    """The last step to a sound, and the quality that is asked; None for questions of one step."""


def total_beeps(rng: SeededRandom) -> MiniQuestion:
    """Ask how many beeps all trains have together."""
    lowest = rng.between(2, 7)
    trains = rng.pick((1, 2, 2, 3))

    def solve(sounds: Sounds) -> Solution | None:
        counts = [(place, sound.beeps) for place, sound in enumerate(sounds) if sound.kind == "beeps"]
        if not counts:
            return None
        total = counts[0][1]
        step = f"beeps {total}"
        for _, more in counts[1:]:
            total += more
            step += f" plus {more} makes {total}"
        return Solution(str(total), step, tuple(place for place, _ in counts))

    return MiniQuestion(
        text="how many beeps are there in total ?",
        options=tuple(str(number) for number in range(lowest, lowest + 5)),
        solve=solve,
        kinds=("beeps",) * trains + KINDS,
        focus=("rate", "faint", "sweep"),
    )


def beeps_of_one(rng: SeededRandom) -> MiniQuestion:
    """Ask how many beeps one train has."""
    place, name = _place(rng)

    def solve(sounds: Sounds) -> Solution | None:
        if sounds[place].kind != "beeps":
            return None
        answer = str(sounds[place].beeps)
        return Solution(answer, f"{name} has {answer}", (place,))

    return MiniQuestion(
        text=f"how many beeps does the {name} sound have ?",
        options=tuple(map(str, BEEPS)),
        solve=solve,
        counts=_counts_from(place + 1),
        focus=("rate", "faint"),
    )


def kind_at_end(rng: SeededRandom) -> MiniQuestion:
    """Ask which sound is first, or last."""
    end = rng.pick(("first", "last"))

    def solve(sounds: Sounds) -> Solution:
        place = 0 if end == "first" else len(sounds) - 1
        kind = sounds[place].kind
        return Solution(kind, f"first is {kind}" if end == "first" else f"last is {ORDINALS[place]} {kind}", (place,))

    return MiniQuestion(
        text=f"which sound comes {end} ?", options=KINDS, solve=solve, focus=("sweep", "faint", "length")
    )


def kind_beside(rng: SeededRandom) -> MiniQuestion:
    """Ask which sound comes right after, or before, the only one of a kind."""
    known = rng.pick(KINDS)
    side, offset = rng.pick((("after", 1), ("before", -1)))

    def solve(sounds: Sounds) -> Solution | None:
        places = [place for place, sound in enumerate(sounds) if sound.kind == known]
        if len(places) != 1:
            return None
        place, beside = places[0], places[0] + offset
        steps = name_each([sound.kind for sound in sounds[: max(place, beside) + 1]])
        if not 0 <= beside < len(sounds):
            return Solution("nothing", f"{steps} . {side} is nothing", (place,))
        return Solution(sounds[beside].kind, f"{steps} . {side} is {sounds[beside].kind}", (place, beside))

    return MiniQuestion(
        text=f"which sound comes right {side} the {known} ?",
        options=(*(kind for kind in KINDS if kind != known), "nothing"),
        solve=solve,
        focus=("sweep", "faint", "length"),
    )


def only_level(rng: SeededRandom) -> MiniQuestion:
    """Ask which sound is the only loud, or soft, one."""
    return _only(rng, rng.pick(LEVELS), lambda sound: sound.level, KINDS, ("level",))


def only_length(rng: SeededRandom) -> MiniQuestion:
    """Ask which sound is the only long, or short, one; beeps have no length, so there are none."""
    return _only(rng, rng.pick(LENGTHS), lambda sound: sound.length, ("tone", "noise", "chirp"), ("length",))


def _only(
    rng: SeededRandom, word: str, quality: Callable[[SoundFacts], str], kinds: tuple[str, ...], focus: tuple[str, ...]
) -> MiniQuestion:
    count = rng.pick((2, 3, 3, 4, 4))

    def solve(sounds: Sounds) -> Solution | None:
        places = [place for place, sound in enumerate(sounds) if quality(sound) == word]
        if len(places) != 1:
            return None
        steps = name_each([quality(sound) for sound in sounds[: places[0] + 1]])
        return Solution(ORDINALS[places[0]], steps, (places[0],))

    return MiniQuestion(
        text=f"which sound is the only {word} one ?",
        options=ORDINALS[:count],
        solve=solve,
        counts=(count,),
        kinds=kinds,
        focus=focus,
    )


def level_of_one(rng: SeededRandom) -> MiniQuestion:
    """Ask whether one sound is loud or soft."""
    return _quality(rng, "how loud is the {} sound ?", LEVELS, lambda sound: sound.level, "level")


def length_of_one(rng: SeededRandom) -> MiniQuestion:
    """Ask whether one sound is short or long."""
    return _quality(rng, "how long is the {} sound ?", LENGTHS, lambda sound: sound.length, "length")


def pitch_of_one(rng: SeededRandom) -> MiniQuestion:
    """Ask whether one sound is low, mid or high."""
    return _quality(rng, "what is the pitch of the {} sound ?", PITCHES, lambda sound: sound.pitch, "pitch")


def way_of_one(rng: SeededRandom) -> MiniQuestion:
    """Ask whether a chirp goes up or down."""
    return _quality(rng, "which way does the {} sound go ?", WAYS, lambda sound: sound.way, "sweep")


def _quality(
    rng: SeededRandom, text: str, options: tuple[str, ...], quality: Callable[[SoundFacts], str], focus: str
) -> MiniQuestion:
    place, name = _place(rng)

    def solve(sounds: Sounds) -> Solution | None:
        answer = quality(sounds[place])
        return Solution(answer, f"{name} is {answer}", (place,)) if answer else None

    return MiniQuestion(
        text=text.format(name), options=options, solve=solve, counts=_counts_from(place + 1), focus=(focus, "faint")
    )


def pitch_extreme(rng: SeededRandom) -> MiniQuestion:
    """Ask which sound has the highest, or lowest, pitch; noise has none, and there are no chirps."""
    end = rng.pick(("highest", "lowest"))
    count = rng.pick((2, 3, 3, 4, 4))

    def solve(sounds: Sounds) -> Solution | None:
        pitched = [(place, sound.pitch) for place, sound in enumerate(sounds) if sound.pitch]
        ranks = sorted({PITCHES.index(pitch) for _, pitch in pitched}, reverse=end == "highest")
        if len(ranks) < 2:
            return None
        places = [place for place, pitch in pitched if pitch == PITCHES[ranks[0]]]
        if len(places) != 1:
            return None
        steps = name_each([sound.pitch or "none" for sound in sounds])
        answer = ORDINALS[places[0]]
        rest = tuple(place for place, _ in pitched if place != places[0])
        return Solution(answer, f"{steps} . {end} is {PITCHES[ranks[0]]} {answer}", (places[0], *rest))

    return MiniQuestion(
        text=f"which sound has the {end} pitch ?",
        options=ORDINALS[:count],
        solve=solve,
        counts=(count,),
        kinds=("tone", "beeps", "tone", "beeps", "noise"),
        focus=("pitch",),
    )


def how_many_sounds(rng: SeededRandom) -> MiniQuestion:
    """Ask how many sounds there are."""

    def solve(sounds: Sounds) -> Solution:
        last = len(sounds) - 1
        return Solution(str(len(sounds)), f"last is {ORDINALS[last]} makes {len(sounds)}", (last,))

    return MiniQuestion(
        text="how many sounds are there ?", options=("2", "3", "4"), solve=solve, focus=("faint", "rate")
    )


def how_many_kinds(rng: SeededRandom) -> MiniQuestion:
    """Ask how many different kinds of sound there are."""

    def solve(sounds: Sounds) -> Solution:
        kinds = [sound.kind for sound in sounds]
        known = [len(set(kinds[: place + 1])) for place in range(len(kinds))]
        steps = name_each([f"{kind} {number}" for kind, number in zip(kinds, known, strict=True)])
        return Solution(str(known[-1]), steps, tuple(kinds.index(kind) for kind in dict.fromkeys(kinds)))

    return MiniQuestion(
        text="how many kinds of sounds are there ?",
        options=("1", "2", "3", "4"),
        solve=solve,
        focus=("sweep", "faint", "rate", "length"),
    )


def how_many_level(rng: SeededRandom) -> MiniQuestion:
    """Ask how many sounds are loud, or soft."""
    return _how_many(rng.pick(LEVELS), lambda sound: sound.level, KINDS, ("level",))


def how_many_length(rng: SeededRandom) -> MiniQuestion:
    """Ask how many sounds are long, or short; beeps have no length, so there are none."""
    return _how_many(rng.pick(LENGTHS), lambda sound: sound.length, ("tone", "noise", "chirp"), ("length",))


def _how_many(
    word: str, quality: Callable[[SoundFacts], str], kinds: tuple[str, ...], focus: tuple[str, ...]
) -> MiniQuestion:
    def solve(sounds: Sounds) -> Solution:
        matches = [quality(sound) == word for sound in sounds]
        steps = name_each([f"{quality(sound)} {sum(matches[: place + 1])}" for place, sound in enumerate(sounds)])
        return Solution(str(sum(matches)), steps, tuple(place for place, match in enumerate(matches) if match))

    return MiniQuestion(
        text=f"how many sounds are {word} ?", options=("0", "1", "2", "3"), solve=solve, kinds=kinds, focus=focus
    )


def name_each(words: Sequence[str]) -> str:
    """Name every sound with its words, in order: steps so small that a small model can take them."""
    return " , ".join(f"{name} {word}" for name, word in zip(ORDINALS, words, strict=False))


def _place(rng: SeededRandom) -> tuple[int, str]:
    place = rng.below(3)
    return place, ORDINALS[place]


def _counts_from(lowest: int) -> tuple[int, ...]:
    return tuple(range(max(2, lowest), 5))


Forms = Mapping[str, Sequence[Callable[[SeededRandom], MiniQuestion]]]
"""Category -> its forms of questions, each as often as it is asked."""
CATEGORIES: Forms = {
    "count": (total_beeps, total_beeps, total_beeps, beeps_of_one, beeps_of_one),
    "order": (kind_at_end, kind_at_end, kind_beside, kind_beside, kind_beside),
    "loudness": (only_level, only_level, only_level, only_level, level_of_one),
    "pitch": (pitch_extreme, pitch_extreme, pitch_extreme, pitch_of_one, way_of_one),
    "duration": (only_length, only_length, only_length, only_length, length_of_one),
    "how many": (how_many_sounds, how_many_kinds, how_many_level, how_many_level, how_many_length),
}
"""Those of mini."""
