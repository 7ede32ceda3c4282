"""What a training run came to: the base and each stage with intervals, and who is better than whom by a paired test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.compare.paired import compared, joined
from dtbench.harness.stats import share
from dtbench.harness.store import StoredRun
from dtbench.training.evaluate import Exam, is_done
from dtbench.training.layout import BASE, Layout
from dtbench.training.recipe import Recipe
from dtbench.training.rewards import Template, reward_settings
from dtbench.training.rewards.taken import parts

AS_TRAINED = "as-trained"
"""The name of the base under the prompt of the training."""


class Line(NamedTuple):
    """One run in the table."""

    name: str
    folder: Path
    trained: bool


def base_prompts(recipe: Recipe) -> Mapping[str, str]:
    """The prompts under which the base is asked beside the task's own."""
    return {AS_TRAINED: recipe.prompt, **recipe.evaluation.base_prompts}


def exams_of_base(recipe: Recipe, layout: Layout) -> list[Exam]:
    """Everything that the base is asked."""
    others = [
        Exam(recipe.model, layout.base_eval_of(name), layout.clips, prompt)
        for name, prompt in base_prompts(recipe).items()
    ]
    return [Exam(recipe.model, layout.base_eval, layout.clips), *others]


def lines(recipe: Recipe, layout: Layout) -> list[Line]:
    """The rows of the table, in order; of runs that are done."""
    stages = [Line(stage.name, layout.stage(stage.name).eval, trained=True) for stage in recipe.stage]
    base = [Line(BASE, layout.base_eval, trained=False)]
    base += [Line(f"{BASE}, {name}", layout.base_eval_of(name), trained=False) for name in base_prompts(recipe)]
    deaf = layout.stage(recipe.stage[-1].name).eval / "audio-shuffle"
    last = [Line(f"{recipe.stage[-1].name}, shuffled clips", deaf, trained=False)]
    return [one for one in [*base, *stages, *last] if is_done(Exam("", one.folder, layout.clips))]


def outcome(recipe: Recipe, layout: Layout) -> dict[str, Any]:
    """The table as JSON: a row a run and task, and the paired comparisons."""
    told, template = lines(recipe, layout), reward_settings(recipe.rewards).template
    return {
        "rows": [row for task in recipe.evaluation.tasks for one in told for row in [_row(one, task, template)]],
        "paired": [found for task in recipe.evaluation.tasks for found in _paired(told, task)],
    }


def _row(line: Line, task: str, template: Template) -> dict[str, Any]:
    records = [record for record in StoredRun.open(line.folder).records(task) if "error" not in record]
    right = [record["score"]["correct"] is True for record in records]
    formed = [parts(record["response"]["text"], template) is not None for record in records]
    groups: dict[str, list[bool]] = {}
    for record, is_right in zip(records, right, strict=True):
        for heading, value in record["groups"].items():
            groups.setdefault(f"{heading}: {value}", []).append(is_right)
    return {
        "name": line.name,
        "task": task,
        "run": str(line.folder),
        "strict": share(sum(right), len(right))._asdict(),
        "formed": sum(formed) / len(formed) if formed else None,
        "groups": {name: share(sum(marks), len(marks))._asdict() for name, marks in sorted(groups.items())},
    }


def _paired(told: Sequence[Line], task: str) -> list[dict[str, Any]]:
    """Each stage against everything before it."""
    found = []
    for place, after in enumerate(told):
        for before in told[:place] if after.trained else ():
            runs = (StoredRun.open(before.folder), StoredRun.open(after.folder))
            one = compared(joined(*runs, task, "strict"))
            kept = ("n", "before", "after", "difference", "low", "high", "p", "better", "worse")
            groups = [{"group": row["value"], **{k: row[k] for k in kept}} for row in one["groups"]]
            pair = {"task": task, "from": before.name, "to": after.name, **{k: one[k] for k in kept}}
            found.append({**pair, "groups": groups})
    return found
