"""`dtbench train --dry-run`: every command of every role, the machines and disk it takes, and our own choices."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dtbench.models.checkpoints.checkpoint import resolve_checkpoint
from dtbench.training.engines.checkpoints import tensor_shapes
from dtbench.training.engines.contract import EngineCommand
from dtbench.training.engines.judge_server import judge_command, needs_judge
from dtbench.training.engines.launch import get_engine
from dtbench.training.recipe.placed_evaluation import evaluation_copies, placed_evaluation, uses_gpus
from dtbench.training.recipe.recipe import RECIPES
from dtbench.training.recipe.settings import Evaluation, Recipe, StageRecipe
from dtbench.training.stages.dev_split import check_dev_sources
from dtbench.training.stages.evaluate import EvalRun, run_arguments
from dtbench.training.stages.jobs import stage_job
from dtbench.training.stages.judge import judge_url
from dtbench.training.stages.layout import Layout
from dtbench.training.stages.mined_data import mining_evaluation, mining_run
from dtbench.training.stages.options import TrainOptions
from dtbench.training.stages.preflight import check_rewards
from dtbench.training.stages.watch import PlannedEvaluation, planned_evaluations

OPTIMIZER_BYTES = 12
"""For each weight: a copy in 32 bits and the two moments of Adam."""
_BILLIONS = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)B(?![a-z])")
_SETTING = re.compile(r"^([\w-]+) = .*#\s*(?:[^#]*;\s*)?chosen\b")


class PlannedCommand(NamedTuple):
    """A command, and where it runs."""

    where: str
    command: EngineCommand


def planned_commands(options: TrainOptions) -> Iterator[PlannedCommand]:
    """Yield the exact command of every role, in the order in which they start; nothing is run."""
    recipe = options.load()
    check_rewards(recipe)
    check_dev_sources(recipe)
    url, layout = judge_url(recipe, options.judge_url), Layout(options.out.resolve())
    judged = any(needs_judge(recipe, stage) for stage in recipe.stage)
    if judged and url is None and recipe.judge is not None:
        nodes = recipe.judge.nodes
        yield PlannedCommand(
            f"judge, on {'its node' if nodes == 1 else f'each of {nodes} nodes'}", judge_command(recipe)
        )
    evaluations = planned_evaluations(recipe, layout)
    stages = {str(layout.stage(stage.name).model): stage for stage in recipe.stage}
    for one in evaluations:
        if one.run.model not in stages:
            yield _evaluation(one, placed_evaluation(recipe))
    for stage in recipe.stage:
        yield from _stage_commands(recipe, stage, layout)
        for one in evaluations:
            if stages.get(one.run.model) is stage:
                yield _evaluation(one, placed_evaluation(recipe))


def _stage_commands(recipe: Recipe, stage: StageRecipe, layout: Layout) -> Iterator[PlannedCommand]:
    if stage.mine is not None:
        run, how = mining_run(recipe, stage, layout), mining_evaluation(recipe, stage)
        yield PlannedCommand(f"{stage.name}, mining, on trainer node 0", _run_command(run, how))
    job, engine, nodes = stage_job(recipe, stage, layout), get_engine(recipe.engine), recipe.machines.nodes
    if (server := engine.server(job)) is not None:
        yield PlannedCommand(f"{stage.name}, on the node that answers (rollout)", server)
    where = f"{stage.name}, on trainer nodes 0 to {nodes - 1}, NODE_RANK each" if nodes > 1 else stage.name
    yield PlannedCommand(where, engine.command(job))


def _evaluation(planned: PlannedEvaluation, evaluation: Evaluation) -> PlannedCommand:
    return PlannedCommand(f"evaluation of {planned.label}, on trainer node 0", _run_command(planned.run, evaluation))


def _run_command(run: EvalRun, evaluation: Evaluation) -> EngineCommand:
    return EngineCommand(["dtbench", *run_arguments(run, evaluation)], {})


def needs(options: TrainOptions) -> list[str]:
    """Return what a training takes, a line each: nodes, GPUs, disk, and what the recipe's authors chose themselves."""
    recipe, lines = options.load(), []
    machines, judge = recipe.machines, recipe.judge
    gpus = machines.device == "gpu"
    roles = {"trainer": (machines.nodes, machines.processes)}
    if machines.rollouts == "server":
        roles["rollout"] = (1, machines.processes)
    judged = any(needs_judge(recipe, stage) for stage in recipe.stage)
    if judged and judge is not None and options.judge_url is None:
        roles["judge"] = (judge.nodes, judge.gpus)
    listed = ", ".join(f"{nodes} {role}" for role, (nodes, _) in roles.items())
    total = sum(nodes for nodes, _ in roles.values())
    devices = sum(nodes * each for nodes, each in roles.values())
    lines.append(f"nodes: {total} ({listed}); {f'{devices} GPUs' if gpus else f'{devices} processes on CPUs'} in all")
    if judged and options.judge_url is not None:
        lines.append(f"judge: {options.judge_url}, whose GPUs are not counted")
    if uses_gpus(recipe):
        copies = evaluation_copies(recipe)
        lines.append(
            f"evaluation: {copies} copies of the model over {copies * recipe.evaluation.tensor} GPUs of node 0"
        )
    lines.append(f"disk: {_disk(recipe)}")
    if chosen := chosen_settings(options.recipe):
        lines.append(f"chosen here, as the paper does not say it: {', '.join(chosen)}")
    return lines


def _disk(recipe: Recipe) -> str:
    weights = _weights(recipe.model)
    if weights is None:
        return "unknown: the size of the model is neither here nor in its name"
    settings = recipe.training
    size = 2 if settings.dtype in {"bfloat16", "float16"} else 4
    copies = 2 if recipe.engine == "megatron" else 1  # its own form, and safetensors beside it
    optimizer = (OPTIMIZER_BYTES if size == 2 else 8) if settings.save_optimizer and recipe.adapter is None else 0
    each = weights * (size * copies + optimizer)
    kept = settings.keep + 1 + (recipe.validation is not None and recipe.validation.keep_best)
    most = (each * kept + weights * size) * len(recipe.stage)
    parts = "weights and optimizer" if optimizer else "weights"
    return (
        f"about {_bytes(most)} (estimate): {_bytes(each)} a checkpoint ({parts}), {settings.keep} kept and one being "
        f"written in each of {len(recipe.stage)} stages, and {_bytes(weights * size)} for each model that comes out"
    )


def _weights(model: str) -> float | None:
    """Return how many weights a model has: by its files, else by its name; None where neither says it."""
    checkpoint = resolve_checkpoint(model)
    folder = None if checkpoint is None or not checkpoint.is_local else Path(checkpoint.source)
    if folder is not None and (shapes := tensor_shapes(folder)):
        total = 0
        for shape in shapes.values():
            count = 1
            for length in shape:
                count *= length
            total += count
        return float(total)
    named = _BILLIONS.search(model.rpartition("/")[2].replace("-", " "))
    return None if named is None else float(named[1]) * 1e9


def _bytes(count: float) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} bytes"


def chosen_settings(spec: str) -> list[str]:
    """Return the settings that a recipe's comments call chosen, as `training.schedule`."""
    path = Path(spec) if spec.endswith(".toml") else RECIPES / f"{spec}.toml"
    table, found = "", []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            table = line.strip("[] ").partition("]")[0] + "."
        elif match := _SETTING.match(line):
            found.append(f"{table}{match[1]}")
    return list(dict.fromkeys(found))
