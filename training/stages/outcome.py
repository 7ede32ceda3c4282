"""What a training run came to: the base and each stage with intervals, and who is better than whom by a paired test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.compare.paired import compared, joined
from dtbench.harness.stats.intervals import share
from dtbench.harness.store.run_folder import StoredRun
from dtbench.training.recipe.recipe import Recipe
from dtbench.training.rewards import Template, reward_settings
from dtbench.training.stages.chain_marks import chain_marks, items_of
from dtbench.training.stages.describe_task import SPEC, DescribeTask, sounds_told
from dtbench.training.stages.evaluate import EvalRun, is_done
from dtbench.training.stages.layout import BASE, Layout

AS_TRAINED = "as-trained"
"""The name of the base under the prompt of the training."""


class OutcomeRow(NamedTuple):
    """One run in the table."""

    name: str
    folder: Path
    trained: bool


def base_prompts(recipe: Recipe) -> Mapping[str, str]:
    """The prompts under which the base is asked beside the task's own."""
    return {AS_TRAINED: recipe.prompt, **recipe.evaluation.base_prompts}


def exams_of_base(recipe: Recipe, layout: Layout) -> list[EvalRun]:
    """Everything that the base is asked."""
    others = [
        EvalRun(recipe.model, layout.base_eval_of(name), layout.clips, prompt)
        for name, prompt in base_prompts(recipe).items()
    ]
    return [EvalRun(recipe.model, layout.base_eval, layout.clips), *others]


def exams_of_describing(recipe: Recipe, layout: Layout) -> Mapping[str, EvalRun]:
    """Descriptions by the base and by what the last stage made."""
    last = layout.stage(recipe.stage[-1].name)
    return {
        BASE: EvalRun(recipe.model, layout.base_described, layout.clips, tasks=(SPEC,)),
        recipe.stage[-1].name: EvalRun(str(last.model), last.described, layout.clips, tasks=(SPEC,)),
    }


def lines(recipe: Recipe, layout: Layout) -> list[OutcomeRow]:
    """The rows of the table, in order; of runs that are done."""
    stages = [OutcomeRow(stage.name, layout.stage(stage.name).eval, trained=True) for stage in recipe.stage]
    base = [OutcomeRow(BASE, layout.base_eval, trained=False)]
    base += [OutcomeRow(f"{BASE}, {name}", layout.base_eval_of(name), trained=False) for name in base_prompts(recipe)]
    deaf = layout.stage(recipe.stage[-1].name).eval / "audio-shuffle"
    last = [OutcomeRow(f"{recipe.stage[-1].name}, shuffled clips", deaf, trained=False)]
    return [one for one in [*base, *stages, *last] if is_done(EvalRun("", one.folder, layout.clips))]


def outcome(recipe: Recipe, layout: Layout) -> dict[str, Any]:
    """The table as JSON: a row a run and task, the paired comparisons, and how well clips are described."""
    told, template = lines(recipe, layout), reward_settings(recipe.rewards).template
    rows = [row for task in recipe.evaluation.tasks for row in _rows(told, task, template)]
    return {
        "rows": rows,
        "paired": [found for task in recipe.evaluation.tasks for found in _paired(told, task)],
        "described": _described(recipe, layout) if recipe.evaluation.describe else None,
    }


class StageGain(NamedTuple):
    """How a stage stands to the untrained model."""

    stage: str
    base: str
    """The row of the base that it is held against."""
    best: bool
    """Whether that is the base under the prompt that serves it best; else it is the base under the task's own."""
    all: Mapping[str, Any]
    """As `compare` has it: difference, low, high, p."""
    groups: Mapping[str, Mapping[str, Any]]
    """The same of each group, such as `boundary`."""


def gains(table: Mapping[str, Any], task: str) -> list[StageGain]:
    """Each stage against the base's direct answers, and against the base under its best prompt."""
    best = next((row["name"] for row in table["rows"] if row["task"] == task and row["best"]), None)
    return [
        StageGain(pair["to"], name, is_best, pair, {group["group"]: group for group in pair["groups"]})
        for pair in table["paired"]
        for name, is_best in ((BASE, False), (best, True))
        if pair["task"] == task and pair["from"] == name and not is_base(pair["to"])
    ]


def is_base(name: str) -> bool:
    """Whether a row is one of the untrained model."""
    return name.partition(",")[0] == BASE


def _rows(told: Sequence[OutcomeRow], task: str, template: Template) -> list[dict[str, Any]]:
    """A row a run; the base under its best prompt is marked, the first of equals."""
    rows = [_row(line, task, template) for line in told]
    base = [row["strict"]["correct"] / max(1, row["strict"]["n"]) for row in rows if is_base(row["name"])]
    for place, row in enumerate(rows):
        row["best"] = bool(base) and place == base.index(max(base))
    return rows


def _row(line: OutcomeRow, task: str, template: Template) -> dict[str, Any]:
    records = _answered(line.folder, task)
    right = [record["score"]["correct"] is True for record in records]
    groups: dict[str, list[bool]] = {}
    for record, is_right in zip(records, right, strict=True):
        for heading, value in record["groups"].items():
            groups.setdefault(f"{heading}: {value}", []).append(is_right)
    return {
        "name": line.name,
        "task": task,
        "run": str(line.folder),
        "strict": share(sum(right), len(right))._asdict(),
        **chain_marks(records, task, template)._asdict(),
        "groups": {name: share(sum(marks), len(marks))._asdict() for name, marks in sorted(groups.items())},
    }


def _answered(folder: Path, task: str) -> list[Mapping[str, Any]]:
    return [record for record in StoredRun.open(folder).records(task) if "error" not in record]


def _described(recipe: Recipe, layout: Layout) -> list[dict[str, Any]]:
    """Of the base and of what came out: descriptions right to the word, and sounds described rightly."""
    exams = exams_of_describing(recipe, layout)
    return [row for name, exam in exams.items() if is_done(exam) for row in _descriptions(name, exam.folder)]


def _descriptions(name: str, folder: Path) -> Iterator[dict[str, Any]]:
    """A row for each difficulty."""
    items = items_of("mini") or {}
    parts: dict[str, list[tuple[bool, float]]] = {}
    for record in _answered(folder, DescribeTask.name):
        told = (record["score"]["correct"] is True, sounds_told(items[record["id"]], record["response"]["text"]))
        parts.setdefault(record["groups"]["difficulty"], []).append(told)
    for difficulty, marks in sorted(parts.items(), reverse=True):
        sounds = sum(share_ for _, share_ in marks) / len(marks)
        whole = share(sum(right for right, _ in marks), len(marks))._asdict()
        yield {"name": name, "difficulty": difficulty, "run": str(folder), "exact": whole, "sounds": sounds}


def _paired(told: Sequence[OutcomeRow], task: str) -> list[dict[str, Any]]:
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
