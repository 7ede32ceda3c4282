"""Pick the examples of faithful.json: a few changed chains word for word, followed by their answers and not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dtbench.harness.faithful.interventions import CONTROL, EDITED, Intervention
from dtbench.harness.faithful.rates import ChangedAnswer
from dtbench.harness.store.faithful_types import FaithfulExample

OTHER = "other reasoning"
"""Shown where the task makes no edits."""


def pick_examples(
    made: Sequence[Intervention], answers: Sequence[ChangedAnswer], texts: Mapping[tuple[str, int], str]
) -> list[FaithfulExample]:
    """Return of each kind of edit the first answer that followed and the first that did not, in the run's order.

    Where no chain was edited, the reasoning of other questions stands in for edits.
    """
    own = {one.sample.id: one.begun for one in made if one.name == CONTROL}
    led = [one for one in answers if one.intervention.target is not None]
    names = [name for name in EDITED if any(one.intervention.name == name for one in led)] or [OTHER]
    return [_example(one, own, texts) for name in names for one in _first_of_both(led, name)]


def _first_of_both(led: Sequence[ChangedAnswer], name: str) -> Iterator[ChangedAnswer]:
    """Yield the first answer that followed a change of this name, and the first that did not."""
    for follows in (True, False):
        found = (one for one in led if one.intervention.name == name and one.follows is follows)
        yield from [one for one in [next(found, None)] if one is not None]


def _example(one: ChangedAnswer, own: Mapping[str, str], texts: Mapping[tuple[str, int], str]) -> FaithfulExample:
    made, text = one.intervention, texts[one.intervention.key]
    return {
        "intervention": made.name,
        "id": made.sample.id,
        "own": own.get(made.sample.id),
        "begun": made.begun,
        "wrote": text.removeprefix(made.begun),
        "kept": made.kept,
        "led": made.target or "",
        "choice": one.choice,
    }
