"""How often answers follow a change of their chain, keep to what they were, or do neither; pure, with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from dtbench.harness.faithful.interventions import ChangedRun, Intervention
from dtbench.harness.faithful.options import INTERVENTION_NAMES
from dtbench.harness.score.stored_run import StoredTask
from dtbench.harness.stats.intervals import share
from dtbench.harness.store.faithful_types import InterventionFigures
from dtbench.harness.store.share_types import ShareFigures


class ChangedAnswer(NamedTuple):
    """What a model answered after an intervention."""

    intervention: Intervention
    choice: str | None
    """The option; None where none can be read."""

    @property
    def follows(self) -> bool:
        """Whether it is the option that the change leads to."""
        return self.choice is not None and self.choice == self.intervention.target

    @property
    def keeps(self) -> bool:
        """Whether it is the option of the run."""
        return self.choice == self.intervention.kept


def read_answers(stored: StoredTask, changed: ChangedRun, texts: Mapping[tuple[str, int], str]) -> list[ChangedAnswer]:
    """Read the options of answers, which are given by the keys of their interventions; those without one are left out.

    Each text is a whole answer: what the model was given, and what it wrote behind it.
    """
    return [
        ChangedAnswer(one, stored.read(one.sample, texts[one.key]).choice)
        for one in changed.interventions
        if one.key in texts
    ]


def intervention_figures(answers: Iterable[ChangedAnswer]) -> list[InterventionFigures]:
    """Return the rates of each intervention that has answers, in the order of INTERVENTION_NAMES."""
    by_name: dict[str, list[ChangedAnswer]] = {}
    for one in answers:
        by_name.setdefault(one.intervention.name, []).append(one)
    return [_figures(name, by_name[name]) for name in INTERVENTION_NAMES if name in by_name]


def figures_by_group(answers: Sequence[ChangedAnswer]) -> dict[str, dict[str, list[InterventionFigures]]]:
    """Return the same rates for the questions under each value of each heading."""
    by_value: dict[str, dict[str, list[ChangedAnswer]]] = {}
    for one in answers:
        for heading, value in one.intervention.sample.groups.items():
            by_value.setdefault(heading, {}).setdefault(str(value), []).append(one)
    return {
        heading: {value: intervention_figures(values[value]) for value in sorted(values)}
        for heading, values in by_value.items()
    }


def rate(figures: Iterable[InterventionFigures], name: str, what: str) -> ShareFigures | None:
    """Return one rate of one intervention, such as ("description", "follow"); None where it was not measured."""
    found = next((one for one in figures if one["intervention"] == name), None)
    shares = {} if found is None else {"follow": found["follow"], "keep": found["keep"], "right": found["right"]}
    return shares.get(what)


def _figures(name: str, answers: Sequence[ChangedAnswer]) -> InterventionFigures:
    led = [one for one in answers if one.intervention.target is not None]
    known = [one for one in answers if one.intervention.sample.answer is not None]
    neither = [one for one in answers if not one.keeps and not one.follows]
    return {
        "intervention": name,
        "n": len(answers),
        "follow": _share(sum(one.follows for one in led), len(led)) if led else None,
        "keep": _share(sum(one.keeps for one in answers), len(answers)),
        "other": _share(len(neither), len(answers)),
        "unanswered": sum(one.choice is None for one in answers),
        "right": _share(sum(_rights(known)), len(known)) if known else None,
    }


def _rights(answers: Iterable[ChangedAnswer]) -> Iterator[bool]:
    return (one.choice == one.intervention.sample.answer for one in answers)


def _share(count: int, n: int) -> ShareFigures:
    correct, of, accuracy, low, high = share(count, n)
    return {"correct": correct, "n": of, "accuracy": accuracy, "low": low, "high": high}
