"""Chains of thought word for word as Markdown: the same questions as each arm answered them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from dtbench.harness.store.claim_types import ChainExample
from dtbench.harness.store.training_stages import OUTCOME
from dtbench.training.claims.plan import Experiment
from dtbench.training.claims.processes import read_stages
from dtbench.training.claims.results import TrainedArm, answer_examples
from dtbench.training.claims.table import arm_stages, of_arm
from dtbench.training.claims.verdicts import Kept
from dtbench.training.stages import state


class _ArmAnswer(NamedTuple):
    arm: str
    example: ChainExample


def example_lines(experiment: Experiment, kept: Kept, count: int) -> Iterator[str]:
    """Yield questions with the answers of each arm's first seed, from its folder where it is here, else as was kept."""
    arms = arm_stages(experiment)
    here = {arm: list(_in_folder(experiment, arm, stages, count)) for arm, stages in arms.items()}
    yield from _lines({arm: here[arm] or _kept(experiment, kept, arm, count) for arm in arms}, arms)


def kept_example_lines(experiment: Experiment, kept: Kept, count: int) -> Iterator[str]:
    """Yield the same from what was kept alone: everywhere the same lines."""
    arms = arm_stages(experiment)
    yield from _lines({arm: _kept(experiment, kept, arm, count) for arm in arms}, arms)


def _lines(examples: Mapping[str, Sequence[ChainExample]], arms: Mapping[str, Sequence[str]]) -> Iterator[str]:
    answers: dict[str, list[_ArmAnswer]] = {}
    for arm, stages in arms.items():
        for example in examples[arm]:
            name = f"{arm}/{example['run']}" if len(stages) > 1 else arm
            answers.setdefault(example["id"], []).append(_ArmAnswer(name, example))
    for shown in answers.values():
        first = shown[0].example
        yield f"**{first['question']}** ({first['id']}; right: {first['answer']})"
        yield ""
        for arm, example in shown:
            text = " ".join(example["text"].split()).replace("`", "'")
            yield f"- {arm}, {'right' if example['right'] else 'wrong'}: `{text}`"
        yield ""


def _in_folder(experiment: Experiment, arm: str, stages: Sequence[str], count: int) -> Iterator[ChainExample]:
    """Yield the answers of the first seed of an arm whose folder is here, of all its stages."""
    for (name, _), one in experiment.trainings.items():
        if name == arm and is_finished(one):
            for stage in stages:
                yield from answer_examples(one, stage, count)
            return


def _kept(experiment: Experiment, kept: Kept, arm: str, count: int) -> Sequence[ChainExample]:
    results = of_arm(experiment, kept, arm)
    return results[0]["examples"][:count] if results else ()


def is_finished(one: TrainedArm) -> bool:
    """Return whether the folder of a training is here and at its end."""
    done = read_stages(one.layout)
    return (one.layout.root / OUTCOME).is_file() and all(
        done.get(stage.name) == state.DONE for stage in one.recipe.stage
    )
