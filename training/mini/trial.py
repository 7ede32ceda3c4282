"""Test a model on clips that it has not learnt from, word by word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dtbench.tasks.mini_world.hops import HELD_OUT, REASONED
from dtbench.tasks.mini_world.items import Item
from dtbench.training.mini.audio import clip_features
from dtbench.training.mini.examples import (
    DESCRIBE,
    DIRECT,
    HOW,
    ExampleQuestion,
    TrainingExample,
    make_example,
    reasoning,
)
from dtbench.training.mini.forward import ExampleBatch, hidden_states, make_batch
from dtbench.training.mini.language import THINK

TRIAL_SIZE = 400
_AT_ONCE = 50
_KINDS = ("describe", "direct", "notes")


class Trial(NamedTuple):
    """Items, and the features of their clips."""

    items: Sequence[Item]
    features: Any

    def marks(self, thinker: Any) -> Mapping[str, float]:
        """Return the shares of descriptions, answers and steps from notes that are right, by difficulty.

        A greedy answer is right exactly where each word of the target is the likeliest after those before it.
        """
        marks: dict[str, list[bool]] = {}
        for start in range(0, len(self.items), _AT_ONCE):
            part = self.items[start : start + _AT_ONCE]
            examples = make_batch([_examples(item) for item in part])
            right = _right(thinker, self.features[start : start + len(part)], examples)
            for item, row in zip(part, right, strict=True):
                for name, mark in zip(_KINDS, row, strict=True):
                    marks.setdefault(f"{name} {item.slot.difficulty}", []).append(mark)
                    if item.pair is not None:
                        marks.setdefault(f"{name} {pair_kind(item.pair)}", []).append(mark)
                marks.setdefault(f"direct {item.slot.category}", []).append(row[1])
        return {name: round(sum(values) / len(values), 3) for name, values in sorted(marks.items())}


def pair_kind(pair: tuple[str, str]) -> str:
    """Return how a pair of a step and a quality was taught: reasoned about, answered at once, or not at all."""
    return "reasoned pair" if pair in REASONED else "held-out pair" if pair in HELD_OUT else "other pair"


def make_trial(items: Sequence[Item]) -> Trial:
    """Make a trial of these items."""
    import torch

    return Trial(items, torch.from_numpy(clip_features(items)).float())


def _right(thinker: Any, features: Any, examples: ExampleBatch) -> list[list[bool]]:
    import torch

    with torch.inference_mode():
        answers = thinker.lm_head(hidden_states(thinker, features, examples)).argmax(-1)
    rows = []
    for answer, targets in zip(answers, examples.targets, strict=True):
        parts = targets.ge(0).int().diff(prepend=torch.zeros(1, dtype=torch.int)).eq(1).cumsum(0)
        same = answer.eq(targets)
        rows.append([bool(same[(parts == number) & (targets >= 0)].all()) for number in range(1, len(_KINDS) + 1)])
    return rows


def _examples(item: Item) -> list[TrainingExample]:
    question = ExampleQuestion(item.question, item.choices, item.solution)
    notes = f"{question.words()} notes : {item.description} {HOW}"
    return [
        make_example(f"{DESCRIBE} .", item.description, has_clip=True),
        make_example(f"{question.words()} {DIRECT}", item.solution.answer, has_clip=True),
        make_example(notes, f"{THINK} {reasoning(question)}", has_clip=False),
    ]
