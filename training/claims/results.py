"""The small results of finished trainings, a JSON file each: made of a training's folder, written and read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any, NamedTuple, cast

import dtbench
from dtbench.harness.core.errors import DataError
from dtbench.harness.faithful.options import FaithfulOptions
from dtbench.harness.faithful.session import read_changed_answers
from dtbench.harness.score.measures import MeasuredAnswer, checks_chains, measured_answers, run_measures
from dtbench.harness.store.atomic import replace_whole
from dtbench.harness.store.claim_types import ChainExample, EvaluatedRun, StageSteps, TrainedResult
from dtbench.harness.store.faithful_summaries import read_faithful
from dtbench.harness.store.provenance import checkout
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.types import Record
from dtbench.tasks import registry as task_registry
from dtbench.training.claims.columns import FOLLOWED, NOT_FOLLOWED, answer_columns, right_column
from dtbench.training.claims.digests import ResultDigests, task_groups
from dtbench.training.engines.contract import Metrics
from dtbench.training.engines.metrics import read_steps
from dtbench.training.recipe.settings import Recipe
from dtbench.training.stages.describe_task import SPEC, DescribeTask
from dtbench.training.stages.evaluate import DESCRIPTION, EvalRun, edited_folder, is_evaluated
from dtbench.training.stages.layout import BASE, Layout
from dtbench.training.stages.outcome import SHUFFLED, base_evaluations, base_prompts, formed_chain, task_items

SCHEMA = 1
MOST_STEPS, EXAMPLES = 30, 3
DESCRIBED = "described"
"""The end of the name of a run in which a model describes the clips."""
_ACCURACY = "reward/accuracy"
_NO_ANSWER = MeasuredAnswer(right=False, words=0, formed=False, cut=False, criteria=(), groups={})


class TrainedArm(NamedTuple):
    """A training of the experiment."""

    name: str
    """Of the recipe."""
    arm: str
    recipe: Recipe
    layout: Layout
    digests: ResultDigests

    @property
    def file_name(self) -> str:
        """Return the name of its result."""
        return f"{self.arm}.json" if self.arm == BASE else f"{self.arm}-{self.recipe.seed}.json"


def trained_result(one: TrainedArm, seconds: float, cores: int, *, with_base: bool = False) -> TrainedResult:
    """Make the result of a finished training, of its stages alone or with its base; of the base, of its prompts."""
    is_base = one.arm == BASE
    stages = [] if is_base else [stage.name for stage in one.recipe.stage]
    runs = [*(_base_runs(one) if is_base or with_base else ()), *(() if is_base else _stage_runs(one))]
    git = checkout(Path(__file__).resolve())
    return {
        "schema": SCHEMA,
        "recipe": one.name,
        "arm": one.arm,
        "seed": one.recipe.seed,
        "recipe_digest": one.digests.recipe,
        "base": one.digests.base,
        "data": one.digests.data,
        "runs": runs,
        "steps": [_course(one.layout, stage) for stage in stages],
        "examples": [] if is_base else list(answer_examples(one, stages[-1])),
        "made": {
            "dtbench": dtbench.__version__,
            "commit": None if git is None else git["commit"],
            "dirty": None if git is None else git["dirty"],
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(seconds, 1),
            "cores": cores,
        },
    }


def write_result(folder: Path, one: TrainedArm, result: TrainedResult) -> Path:
    """Write a result into the folder of its recipe."""
    path = folder / one.name / one.file_name
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_whole(path, json.dumps(result, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")
    return path


def read_result(folder: Path, one: TrainedArm) -> TrainedResult | None:
    """Return the result of a training; None where there is none, or one of other settings, weights or questions."""
    path = folder / one.name / one.file_name
    if not path.is_file():
        return None
    try:
        result = cast("TrainedResult", json.loads(path.read_bytes()))
        found = ResultDigests(result["recipe_digest"], result["base"], result["data"])
        fits = result["schema"] == SCHEMA and (result["arm"], result["seed"]) == (one.arm, one.recipe.seed)
        fits = fits and all(run["questions"] == _questions(run["task"], run["asked"]) for run in result["runs"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: not the result of a training ({error!r}). Delete it to train this arm again."
        ) from None
    return result if fits and found == one.digests else None


def task_spec(task: str) -> str:
    """Return what finds a task by the name that runs have it under: that of descriptions is not listed."""
    return SPEC if task == DescribeTask.name else task


def _questions(task: str, count: int) -> str:
    return task_groups(task_spec(task)).digest(count)


def _base_runs(one: TrainedArm) -> Iterator[EvaluatedRun]:
    names = [BASE, *(f"{BASE}, {prompt}" for prompt in base_prompts(one.recipe))]
    for name, run in zip(names, base_evaluations(one.recipe, one.layout), strict=True):
        for task in one.recipe.evaluation.tasks if is_evaluated(run) else ():
            yield _evaluated(one, name, task, run.folder)
    yield from _described_runs(one, BASE, one.layout.base_described)


def _stage_runs(one: TrainedArm) -> Iterator[EvaluatedRun]:
    for stage in one.recipe.stage:
        layout = one.layout.stage(stage.name)
        for task in one.recipe.evaluation.tasks:
            yield _evaluated(one, stage.name, task, layout.eval)
            shuffled = EvalRun("", layout.eval, one.layout.clips, audio="shuffle")
            if is_evaluated(shuffled):
                yield _right_only(f"{stage.name}{SHUFFLED}", task, shuffled.folder)
        yield from _described_runs(one, stage.name, layout.described)


def _described_runs(one: TrainedArm, name: str, folder: Path) -> Iterator[EvaluatedRun]:
    if is_evaluated(EvalRun("", folder, one.layout.clips)):
        for task in StoredRun.open(folder).info["tasks"]:
            yield _right_only(f"{name}, {DESCRIBED}", task, folder)


def _evaluated(one: TrainedArm, name: str, task: str, folder: Path) -> EvaluatedRun:
    """Measure each answer of a run, in the order of the questions."""
    records = _records(task, folder)
    found = task_registry.get_task(task)
    items = task_items(task) if checks_chains(found) else {}
    there = [record for record in records if "error" not in record]
    measured = measured_answers(there, found, items, formed_chain(one.recipe.rewards.template))
    by_id = {record["id"]: answer for record, answer in zip(there, measured, strict=True)}
    answers = [by_id.get(record["id"], _NO_ANSWER) for record in records]
    return {
        "name": name,
        "task": task,
        "asked": len(records),
        "failed": len(records) - len(there),
        "questions": _questions(task, len(records)),
        "columns": answer_columns(answers, _followed(EvalRun("", folder, one.layout.clips), task, records)),
        "measures": _rounded(run_measures(answers)),
    }


def _followed(run: EvalRun, task: str, records: Sequence[Record]) -> list[int] | None:
    """Return of each answer whether it followed edited reasoning; None where no reasoning was edited."""
    out = edited_folder(run, task)
    summary = read_faithful(out)
    if summary is None or summary["status"] != "done":
        return None
    limit = summary["questions"]
    follows = read_changed_answers(FaithfulOptions(run=run.folder, task=task, out=out, only=[DESCRIPTION], limit=limit))
    marks = {True: FOLLOWED, False: NOT_FOLLOWED, None: 0}
    return [marks[follows.get(record["id"])] for record in records]


def _right_only(name: str, task: str, folder: Path) -> EvaluatedRun:
    records = _records(task, folder)
    return {
        "name": name,
        "task": task,
        "asked": len(records),
        "failed": sum("error" in record for record in records),
        "questions": _questions(task, len(records)),
        "columns": right_column(["error" not in one and one["score"]["correct"] is True for one in records]),
        "measures": None,
    }


def _records(task: str, folder: Path) -> list[Record]:
    """Return the records of a run in the order of its task's questions, which it has from the first on."""
    by_id = {record["id"]: record for record in StoredRun.open(folder).records(task)}
    records = [by_id[name] for name in task_groups(task_spec(task)).ids[: len(by_id)] if name in by_id]
    if len(records) != len(by_id):
        raise DataError(f"{folder}: {len(by_id)} answers, which are not those to the first questions of {task}.")
    return records


def _course(layout: Layout, stage: str) -> StageSteps:
    """Return some steps of a stage, its last one among them."""
    steps = read_steps(layout.stage(stage).metrics)
    every = max(1, -(-len(steps) // MOST_STEPS))
    chosen = steps[::-every][::-1]
    return {
        "stage": stage,
        "steps": [int(step["step"]) for step in chosen],
        "reward": [_short(step.get("reward")) for step in chosen],
        "completion_length": [_short(step.get("completion_length")) for step in chosen],
        "kl": [_short(step.get("kl")) for step in chosen],
        "accuracy": [_short(_mean(steps[max(0, end - every) : end])) for end in range(len(steps), 0, -every)][::-1],
    }


def _mean(steps: Sequence[Metrics]) -> float | None:
    """Return the mean share of right rollouts of some steps; None where no reward asks for it."""
    shares = [step[_ACCURACY] for step in steps if _ACCURACY in step]
    return sum(shares) / len(shares) if shares else None


def answer_examples(one: TrainedArm, stage: str, count: int = EXAMPLES) -> Iterator[ChainExample]:
    """Yield the answers of a stage to some questions, the same ones for all arms of a recipe.

    They are the first under each value of the first heading of the task, then the second of each, and so on.
    """
    task = one.recipe.evaluation.tasks[0]
    by_value: dict[str, list[Record]] = {}
    for record in _records(task, one.layout.stage(stage).eval):
        by_value.setdefault(next(iter(record["groups"].values()), ""), []).append(record)
    in_turn = (record for records in zip_longest(*by_value.values()) for record in records if record is not None)
    for record in islice((record for record in in_turn if "error" not in record), count):
        item = task_items(task)[record["id"]]
        yield {
            "run": stage,
            "id": record["id"],
            "question": str(item.get("question", "")),
            "answer": str(item.get("answer", "")),
            "text": record["response"]["text"],
            "right": record["score"]["correct"] is True,
        }


def _rounded(value: Any) -> Any:
    """Return the same with numbers of five digits: more say nothing of some thousand answers."""
    if isinstance(value, Mapping):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_rounded(each) for each in value]
    return _short(value) if isinstance(value, float) else value


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")
