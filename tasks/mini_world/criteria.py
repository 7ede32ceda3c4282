"""Five yes/no criteria for a chain of thought, in the form of MMAR-Rubrics, and a check of them without a model.

The cue of a criterion is the words that a chain must contain; of the first, the kinds of sounds in their order.
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
        """Return the criterion in the form of MMAR's records."""
        return {"name": self.name, "scoring_point": self.scoring_point, "note": self.note, "choices": [0, 1]}


def make_criteria(sounds: Sequence[SoundFacts], solution: Solution) -> list[MiniCriterion]:
    """Make the criteria of a good chain about these sounds and the way to the answer."""
    kinds = [sound.kind for sound in sounds]
    described = [*dict.fromkeys((*solution.deciding, *range(len(sounds))))][:2]  # deciding ones before others
    return [
        MiniCriterion(
            "Sequence of Sounds",
            f"One point if the reasoning names these sounds in this order and no others: {', '.join(kinds)}.",
            "The sounds of the clip have to be told apart before anything can be said of them.",
            " ".join(kinds),
        ),
        *(_description_criterion(place, sounds[place]) for place in sorted(described)),
        MiniCriterion(
            "Step to the Answer",
            f"One point if the reasoning draws this conclusion from what it heard: '{solution.step}'.",
            "The answer has to follow from the sounds.",
            solution.step,
        ),
        MiniCriterion(
            "Right Answer",
            f"One point if the answer that the reasoning ends with is '{solution.answer}'.",
            "The chain has to end where it leads.",
            f"answer is {solution.answer}",
        ),
    ]


def _description_criterion(place: int, sound: SoundFacts) -> MiniCriterion:
    return MiniCriterion(
        f"Description of the {ORDINALS[place].title()} Sound",
        f"One point if the reasoning describes the {ORDINALS[place]} sound as '{sound.words()}', or says the same.",
        "Every quality of the sound counts: how loud, how long, how high, how many.",
        f"{ORDINALS[place]} {sound.words()}",
    )


def criteria_met(item: Mapping[str, Any], thinking: str) -> tuple[bool, ...]:
    """Return which criteria of an item a chain meets, by its words; stricter than a judge, who knows other words."""
    words = f" {' '.join(thinking.split())} "
    kinds, *cues = item["cue"]
    first_sentence = words.partition(" .")[0].split()
    return (" ".join(word for word in first_sentence if word in KINDS) == kinds, *(f" {cue} " in words for cue in cues))
