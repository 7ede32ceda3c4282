"""The outcome of a training: base and stages with intervals, and paired tests of each stage against all before it."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from dtbench.harness.compare.paired import comparison, pair_runs
from dtbench.harness.core.task import load_questions
from dtbench.harness.extract.tidy import split_text
from dtbench.harness.score.measures import (
    ChainReading,
    ReadChain,
    checks_chains,
    group_measures,
    measured_answers,
    run_measures,
)
from dtbench.harness.stats.intervals import share
from dtbench.harness.store.measure_types import ModelMeasures, RunMeasures
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.types import Record
from dtbench.tasks import registry as task_registry
from dtbench.training.engines.metrics import read_steps
from dtbench.training.recipe.claims import AS_TRAINED
from dtbench.training.recipe.recipe import companion_tasks
from dtbench.training.recipe.settings import Recipe
from dtbench.training.rewards import Template
from dtbench.training.rewards.completion import split_completion
from dtbench.training.stages.describe_task import DescribeTask, sounds_described
from dtbench.training.stages.evaluate import EvalRun, is_evaluated
from dtbench.training.stages.layout import BASE, Layout
from dtbench.training.stages.mined_data import mining_report
from dtbench.training.stages.monitors import monitor_results
from dtbench.training.stages.validation import stage_measurements

SHUFFLED = ", shuffled clips"
"""The end of the name of a row whose model heard the clips of other questions."""

_PAIRED = ("n", "before", "after", "difference", "low", "high", "p", "better", "worse")


class OutcomeRow(NamedTuple):
    """A run in the table."""

    name: str
    folder: Path
    trained: bool


def base_prompts(recipe: Recipe) -> Mapping[str, str]:
    """Return the prompts that the base is evaluated under beside the task's own."""
    return {AS_TRAINED: recipe.prompt, **recipe.evaluation.base_prompts}


def base_evaluations(recipe: Recipe, layout: Layout) -> list[EvalRun]:
    """Return the evaluations of the base; the system prompt of the training goes with the prompt of the training."""
    systems = {AS_TRAINED: recipe.system}
    own = EvalRun(recipe.model, layout.base_eval, layout.clips, revision=recipe.revision)
    others = (
        own._replace(out=layout.base_eval_of(name), prompt=prompt, system=systems.get(name, ""))
        for name, prompt in base_prompts(recipe).items()
    )
    return [own, *others]


def description_runs(recipe: Recipe, layout: Layout) -> dict[str, EvalRun]:
    """Return the runs in which the base and the last model describe clips."""
    last = layout.stage(recipe.stage[-1].name)
    tasks = companion_tasks(recipe)
    return {
        BASE: EvalRun(recipe.model, layout.base_described, layout.clips, tasks=tasks, revision=recipe.revision),
        recipe.stage[-1].name: EvalRun(str(last.model), last.described, layout.clips, tasks=tasks),
    }


def finished_runs(recipe: Recipe, layout: Layout) -> list[OutcomeRow]:
    """Return the rows of the table, in order, whose runs are done."""
    stages = [OutcomeRow(stage.name, layout.stage(stage.name).eval, trained=True) for stage in recipe.stage]
    base = [OutcomeRow(BASE, layout.base_eval, trained=False)]
    base += [OutcomeRow(f"{BASE}, {name}", layout.base_eval_of(name), trained=False) for name in base_prompts(recipe)]
    ablation = layout.stage(recipe.stage[-1].name).eval / "audio-shuffle"
    last = [OutcomeRow(f"{recipe.stage[-1].name}{SHUFFLED}", ablation, trained=False)]
    return [row for row in [*base, *stages, *last] if is_evaluated(EvalRun("", row.folder, layout.clips))]


def outcome_table(recipe: Recipe, layout: Layout) -> dict[str, Any]:
    """Return the table as JSON: a row a run and task, the paired tests, and how well clips are described."""
    runs, template = finished_runs(recipe, layout), recipe.rewards.template
    described: list[dict[str, Any]] = []
    exact: dict[str, float | None] = {}
    for name, run in description_runs(recipe, layout).items() if recipe.evaluation.describe else ():
        if is_evaluated(run):
            described += [row for task in run.tasks for row in _descriptions(name, run.folder, task)]
            exact[name] = _described_exactly(run)
    return {
        "rows": [row for task in recipe.evaluation.tasks for row in _rows(runs, task, template, exact)],
        "paired": [pair for task in recipe.evaluation.tasks for pair in _paired(runs, task)],
        "mined": [report for stage in recipe.stage if (report := mining_report(layout, stage)) is not None],
        "described": described if recipe.evaluation.describe else None,
        "dev": list(_measured(recipe, layout)),
        "monitors": [
            {"stage": stage.name, **result}
            for stage in recipe.stage
            for result in monitor_results(recipe.monitor, read_steps(layout.stage(stage.name).metrics))
        ],
    }


class StageGain(NamedTuple):
    """The gain of a stage over the base."""

    stage: str
    base: str
    """The row of the base that it is compared with."""
    best: bool
    """Whether that is the base under its best prompt; else it is the base under the task's own."""
    all: Mapping[str, Any]
    """As `compare` has it: difference, low, high, p."""
    groups: Mapping[str, Mapping[str, Any]]
    """The same of each group, such as `boundary`."""


def stage_gains(table: Mapping[str, Any], task: str) -> list[StageGain]:
    """Return the gain of each stage over the base's direct answers, and over the base under its best prompt."""
    best = next((row["name"] for row in table["rows"] if row["task"] == task and row["best"]), None)
    return [
        StageGain(pair["to"], name, is_best, pair, {group["group"]: group for group in pair["groups"]})
        for pair in table["paired"]
        for name, is_best in ((BASE, False), (best, True))
        if pair["task"] == task and pair["from"] == name and not is_base_row(pair["to"])
    ]


def is_base_row(name: str) -> bool:
    """Return whether a row is one of the base."""
    return name.partition(",")[0] == BASE


def measure_records(records: Iterable[Record], task: str, template: Template) -> RunMeasures:
    """Measure answers to a task whose form is that of a training."""
    found = task_registry.get_task(task)
    items = task_items(task) if checks_chains(found) else {}
    return run_measures(measured_answers(records, found, items, formed_chain(template)))


def formed_chain(template: Template) -> ReadChain:
    """Return what reads a completion: its chain in whatever form, and whether it fits the template to the letter."""

    def read(text: str) -> ChainReading:
        parts = split_completion(text, template)
        chain = split_text(text, template.chain).thinking if parts is None else parts.chain
        return ChainReading(chain, parts is not None)

    return read


@functools.cache
def task_items(task: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the questions of a task as published, by id."""
    return {sample.id: sample.item for sample in load_questions(task_registry.get_task(task), None).samples}


def _rows(
    runs: Sequence[OutcomeRow], task: str, template: Template, exact: Mapping[str, float | None]
) -> list[dict[str, Any]]:
    """Return a row for each run; mark the base under its best prompt, the first of equals."""
    rows = [_row(run, task, template) for run in runs]
    for row in rows:
        row["measures"] = _with_other_runs(row["name"], rows, exact)
    base = [row["strict"]["correct"] / max(1, row["strict"]["n"]) for row in rows if is_base_row(row["name"])]
    for index, row in enumerate(rows):
        row["best"] = bool(base) and index == base.index(max(base))
    return rows


def _with_other_runs(name: str, rows: Sequence[Mapping[str, Any]], exact: Mapping[str, float | None]) -> ModelMeasures:
    """Return the measures of a row, with those that other runs of its model add."""
    by_name: dict[str, RunMeasures] = {row["name"]: row["measures"] for row in rows}
    measures = cast("ModelMeasures", dict(by_name[name]))
    if (shuffled := by_name.get(f"{name}{SHUFFLED}")) is not None:
        measures["shuffled_accuracy"] = shuffled["accuracy"]
    if name in exact:
        measures["described"] = exact[name]
    return measures


def _row(run: OutcomeRow, task: str, template: Template) -> dict[str, Any]:
    records = answered_records(run.folder, task)
    right = [record["score"]["correct"] is True for record in records]
    measures = measure_records(records, task, template)
    groups: dict[str, list[bool]] = {}
    for record, is_right in zip(records, right, strict=True):
        for heading, value in record["groups"].items():
            groups.setdefault(f"{heading}: {value}", []).append(is_right)
    return {
        "name": run.name,
        "task": task,
        "run": str(run.folder),
        "strict": share(sum(right), len(right))._asdict(),
        "formed": measures["formed"],
        "words": measures["words"],
        "criteria": measures["criteria"],
        "measures": measures,
        "groups": {name: share(sum(marks), len(marks))._asdict() for name, marks in sorted(groups.items())},
    }


def answered_records(folder: Path, task: str) -> list[Record]:
    """Return the answers of a run to a task, without requests that failed."""
    return [record for record in StoredRun.open(folder).records(task) if "error" not in record]


def _described_exactly(run: EvalRun) -> float | None:
    """Return the accuracy of a run of companion tasks."""
    answers = []
    for spec in run.tasks:
        task = task_registry.get_task(spec)
        answers += measured_answers(answered_records(run.folder, task.name), task, {})
    return group_measures(answers)["accuracy"]


def _descriptions(name: str, folder: Path, spec: str) -> Iterator[dict[str, Any]]:
    """Yield a row for each difficulty: descriptions right to the word, and sounds described rightly."""
    task = task_registry.get_task(spec)
    if not isinstance(task, DescribeTask):
        return
    items = task_items(spec)
    parts: dict[str, list[tuple[bool, float]]] = {}
    for record in answered_records(folder, task.name):
        sounds = sounds_described(items[record["id"]], record["response"]["text"])
        parts.setdefault(record["groups"]["difficulty"], []).append((record["score"]["correct"] is True, sounds))
    for difficulty, marks in sorted(parts.items(), reverse=True):
        mean = sum(sounds for _, sounds in marks) / len(marks)
        whole = share(sum(right for right, _ in marks), len(marks))._asdict()
        yield {"name": name, "difficulty": difficulty, "run": str(folder), "exact": whole, "sounds": mean}


def _paired(runs: Sequence[OutcomeRow], task: str) -> Iterator[dict[str, Any]]:
    """Compare each stage with everything before it."""
    for index, after in enumerate(runs):
        for before in runs[:index] if after.trained else ():
            pair = pair_runs(StoredRun.open(before.folder), StoredRun.open(after.folder), task, "strict")
            test = comparison(pair)
            groups = [{"group": row["value"], **_kept(row)} for row in test["groups"]]
            yield {"task": task, "from": before.name, "to": after.name, **_kept(test), "groups": groups}


def _measured(recipe: Recipe, layout: Layout) -> Iterator[dict[str, Any]]:
    """Yield the best step of each stage by the dev split."""
    for stage in recipe.stage:
        if (figures := stage_measurements(layout.stage(stage.name))) is not None:
            yield {"stage": stage.name, **figures}


def _kept(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {name: figures[name] for name in _PAIRED}
