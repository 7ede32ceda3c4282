"""Five yes/no criteria for a chain of thought, in the form of MMAR-Rubrics, and a judge of them that needs no model.

The cue of a criterion is what the words of a chain must hold; of the first, it is the kinds of sounds in their order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dtbench.tasks.mini_world.events import KINDS, ORDINALS, SoundFacts
from dtbench.tasks.mini_world.questions import Solution

COUNT = 5


class MiniCriterion(NamedTuple):
    """Something that a chain of thought does or does not do."""

    name: str
    scoring_point: str
    note: str
    cue: str

    def as_published(self) -> dict[str, Any]:
        """As a record of MMAR holds it."""
        return {"name": self.name, "scoring_point": self.scoring_point, "note": self.note, "choices": [0, 1]}


def make_criteria(sounds: Sequence[SoundFacts], told: Solution) -> list[MiniCriterion]:
    """What a good chain says of these sounds and of the way to the answer."""
    kinds = [sound.kind for sound in sounds]
    return [
        MiniCriterion(
            "Sequence of Sounds",
            f"One point if the reasoning names these sounds in this order and no others: {', '.join(kinds)}.",
            "The sounds of the clip have to be told apart before anything can be said of them.",
            " ".join(kinds),
        ),
        *(_described(place, sounds[place]) for place in _two_that_matter(len(sounds), told.deciding)),
        MiniCriterion(
            "Step to the Answer",
            f"One point if the reasoning draws this conclusion from what it heard: '{told.step}'.",
            "The answer has to follow from the sounds.",
            told.step,
        ),
        MiniCriterion(
            "Right Answer",
            f"One point if the answer that the reasoning ends with is '{told.answer}'.",
            "The chain has to end where it leads.",
            f"answer is {told.answer}",
        ),
    ]


def _described(place: int, sound: SoundFacts) -> MiniCriterion:
    return MiniCriterion(
        f"Description of the {ORDINALS[place].title()} Sound",
        f"One point if the reasoning describes the {ORDINALS[place]} sound as '{sound.words()}', or says the same.",
        "Every quality of the sound counts: how loud, how long, how high, how many.",
        f"{ORDINALS[place]} {sound.words()}",
    )


def _two_that_matter(count: int, deciding: Sequence[int]) -> Sequence[int]:
    """Two places, those that decide before the others."""
    return sorted([*dict.fromkeys((*deciding, *range(count)))][:2])


def criteria_met(item: Mapping[str, Any], thinking: str) -> tuple[bool, ...]:
    """Which of an item's criteria a chain meets, by its words; stricter than a judge, who knows other words too."""
    words = f" {' '.join(thinking.split())} "
    kinds, *cues = item["cue"]
    described = words.partition(" .")[0].split()
    return (" ".join(word for word in described if word in KINDS) == kinds, *(f" {cue} " in words for cue in cues))
