"""A training run from its recipe to its table: prepare, train, export, evaluate, stage after stage.

Every step is done once and can be repeated: what is finished is noted in train.json after it is on disk, so whoever
starts the same command again, after whatever ended it, goes on from there, within a stage from its last whole
checkpoint.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dtbench.harness.core.errors import MachineryError
from dtbench.harness.store.atomic import replace_whole
from dtbench.models.vllm.diagnose import read_tail
from dtbench.training.engines import checkpoints
from dtbench.training.engines.contract import Job, Metrics, TrainingEngine, engine
from dtbench.training.engines.inside.swift_bridge import read_stop_reason
from dtbench.training.engines.launch import fill_placeholders, in_environment, run_engine
from dtbench.training.engines.metrics import MetricsFollower, violated_guard
from dtbench.training.recipe.recipe import Recipe, StageRecipe
from dtbench.training.stages import state
from dtbench.training.stages.evaluate import EvalRun, evaluate, is_done
from dtbench.training.stages.layout import Layout, StageLayout
from dtbench.training.stages.outcome import exams_of_base, exams_of_describing, outcome
from dtbench.training.stages.prepare import prepare

LOG = "logging.jsonl"
Say = Callable[[str], None]
Show = Callable[[StageRecipe, Metrics], None]


class GuardError(MachineryError):
    """A figure of a step says that it must not go on like this."""


@dataclass(slots=True)
class TrainingRun:
    """One start of a training run."""

    recipe: Recipe
    layout: Layout
    place: Path
    """The engine's environment."""
    state: state.State
    say: Say
    show: Show

    @property
    def engine(self) -> TrainingEngine:
        """What trains."""
        return engine(self.recipe.engine)

    def run(self) -> dict[str, Any]:
        """Go on from wherever it stands to the end; the table."""
        self._evaluate_base()
        for stage in self.recipe.stage:
            self._pass(stage)
        self._evaluate_audio_ablation()
        self._describe()
        table = outcome(self.recipe, self.layout)
        replace_whole(self.layout.root / "outcome.json", json.dumps(table, indent=1).encode())
        return table

    def _evaluate_base(self) -> None:
        if self.state.base == state.DONE:
            return
        for exam in exams_of_base(self.recipe, self.layout):
            self.say(f"base: evaluating it into {exam.out}")
            evaluate(exam, self.recipe.evaluation)
        self.state.set_base(state.DONE)

    def _evaluate_audio_ablation(self) -> None:
        if not self.recipe.evaluation.audio_ablation:
            return
        last = self.layout.stage(self.recipe.stage[-1].name)
        exam = EvalRun(str(last.model), last.eval, self.layout.clips, self.recipe.prompt, "shuffle")
        self.say(f"{self.recipe.stage[-1].name}: the same questions with the clips shuffled")
        evaluate(exam, self.recipe.evaluation)

    def _describe(self) -> None:
        """What no reward asks for, before and after."""
        if not self.recipe.evaluation.describe:
            return
        for name, exam in exams_of_describing(self.recipe, self.layout).items():
            if not is_done(exam):
                self.say(f"{name}: describing the clips into {exam.out}")
            evaluate(exam, self.recipe.evaluation)

    def _pass(self, stage: StageRecipe) -> None:
        """Take a stage through what it has not passed yet."""
        layout = self.layout.stage(stage.name)
        steps = (
            (state.PREPARED, self._prepare),
            (state.TRAINED, self._train),
            (state.EXPORTED, self._export),
            (state.DONE, self._evaluate),
        )
        for reached, step in steps:
            if not self.state.reached(stage.name, reached):
                step(stage, layout)
                self.state.set(stage.name, reached)

    def _prepare(self, stage: StageRecipe, layout: StageLayout) -> None:
        for line in prepare(self.recipe, stage, layout, self.layout.clips):
            self.say(f"{stage.name}: {line}")

    def _train(self, stage: StageRecipe, layout: StageLayout) -> None:
        for name in checkpoints.drop_torn(layout.engine):
            self.say(f"{stage.name}: {name} was not written whole, and is dropped")
        whole = checkpoints.whole(layout.engine)
        done = checkpoints.step_of(whole[0]) if whole else 0
        if whole and checkpoints.is_last(whole[0], stage.steps):
            return
        if whole:
            self.say(f"{stage.name}: going on from step {done}")
        layout.stopped.unlink(missing_ok=True)
        layout.engine.mkdir(parents=True, exist_ok=True)
        job = job_of(self.recipe, stage, self.layout, whole[0] if whole else None)
        follower = MetricsFollower(layout.engine / LOG, layout.metrics, self.engine, done=done)
        self.say(f"{stage.name}: training; the engine's log is {layout.log}")
        self._watched(stage, layout, job, follower)

    def _watched(self, stage: StageRecipe, layout: StageLayout, job: Job, follower: MetricsFollower) -> None:
        """Run the engine, and end it where a figure says so."""
        first = True

        def look() -> None:
            nonlocal first
            for figures in follower.new_steps():
                self.show(stage, figures)
                if why := violated_guard(figures, self.recipe.guards, first=first):
                    raise GuardError(f"{stage.name}: {why}")
                first = False

        command = in_environment(self.engine.command(job), self.place)
        begun = layout.log.stat().st_size if layout.log.exists() else 0
        code = run_engine(fill_placeholders(command, os.environ), layout.log, self.layout.engine_lock, look)

        if why := read_stop_reason(layout.stopped):
            raise GuardError(f"{stage.name}: {why}")
        if not code:
            return
        why = last_words(layout.log, begun)
        what = f"{stage.name}: the engine ended with exit {code}: {why} The whole log: {layout.log}."
        if not any(checkpoints.is_last(one, stage.steps) for one in checkpoints.whole(layout.engine)):
            raise MachineryError(f"{what} Once that is mended, the same command goes on from the last checkpoint.")
        self.say(f"{what} Every step was done and is kept, so it goes on.")

    def _export(self, stage: StageRecipe, layout: StageLayout) -> None:
        whole = checkpoints.whole(layout.engine)
        if not whole:
            raise MachineryError(f"{stage.name}: the engine ended well and left no checkpoint in {layout.engine}.")
        checkpoints.export(whole[0], layout.model)
        _refuse_other_shape(model_of(self.recipe, stage, self.layout), layout.model)

    def _evaluate(self, stage: StageRecipe, layout: StageLayout) -> None:
        self.say(f"{stage.name}: evaluating it into {layout.eval}")
        exam = EvalRun(str(layout.model), layout.eval, self.layout.clips, self.recipe.prompt)
        evaluate(exam, self.recipe.evaluation)


def model_of(recipe: Recipe, stage: StageRecipe, layout: Layout) -> str:
    """What a stage begins with: the recipe's model, or what the stage before it made."""
    place = recipe.stage.index(stage)
    return str(layout.stage(recipe.stage[place - 1].name).model) if place else recipe.model


def job_of(recipe: Recipe, stage: StageRecipe, layout: Layout, resume: Path | None = None) -> Job:
    """A stage as the engine gets it."""
    own = layout.stage(stage.name)
    model = model_of(recipe, stage, layout)
    return Job(recipe, stage, model, own.questions, own.rewards, own.engine, own.stopped, resume)


def last_words(log: Path, since: int = 0) -> str:
    """The last line of the log that says why; the last of all where none does; nothing of an earlier start's."""
    text = read_tail(log, since)
    ended_from_outside = re.findall(r"\bSignal \d+ \(.*", text.rpartition("Root Cause")[2])  # torchrun's table
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"(?<!ChildFailed)Error: |^terminate called", line)]
    return (ended_from_outside or errors or lines or ["it said nothing."])[-1][-300:]


def _refuse_other_shape(before: str, after: Path) -> None:
    """What came out has the tensors of what went in, as far as that lies here and both are whole models."""
    if not Path(before).is_dir():
        return
    one, other = checkpoints.shapes(Path(before)), checkpoints.shapes(after)
    differing = [name for name in one.keys() & other.keys() if one[name] != other[name]]
    lost = [name for name in one if name not in other and name.split(".")[0] not in {"talker", "code2wav"}]
    if differing or lost:
        names = ", ".join(sorted([*differing, *lost])[:3])
        raise MachineryError(f"{after}: {len(differing) + len(lost)} tensors are not those of {before}: {names}, ...")
