"""Run the stages of a training: prepare, train, export, evaluate, one after the other.

train.json records each step once its files are on disk. So the same command resumes at the next step, and within a
stage from its last complete checkpoint, whatever ended it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.core.errors import MachineryError
from dtbench.harness.core.model import Notify
from dtbench.harness.export.trackers import get_loggers
from dtbench.harness.run.live_line import LiveLine
from dtbench.harness.run.signals import sigterm_as_interrupt
from dtbench.harness.store.atomic import replace_whole
from dtbench.harness.store.leftovers import temporary_folder
from dtbench.harness.store.locks import RunLock
from dtbench.harness.store.run_json import LOG_NAME
from dtbench.harness.store.run_log import RunLog
from dtbench.models.vllm.diagnose import log_last_words
from dtbench.training.engines.adapters import base_of_adapter, check_adapter, check_targets, export_merged
from dtbench.training.engines.checkpoints import (
    checkpoint_step,
    export_model,
    is_final_checkpoint,
    refuse_other_shapes,
    remove_torn_checkpoints,
    whole_checkpoints,
)
from dtbench.training.engines.contract import LOG, Engine, EngineCommand, Job, Metrics
from dtbench.training.engines.inside.swift_bridge import read_stop_reason
from dtbench.training.engines.judge_server import JUDGE_URL
from dtbench.training.engines.launch import (
    failure_reason,
    fill_placeholders,
    find_environment,
    get_engine,
    in_environment,
    run_engine,
)
from dtbench.training.engines.metrics import MetricsFollower, read_steps
from dtbench.training.nodes.leader import AttemptLostError, Leader
from dtbench.training.nodes.place import NodePlace
from dtbench.training.recipe.placed_evaluation import placed_evaluation
from dtbench.training.recipe.recipe import editable_tasks
from dtbench.training.recipe.settings import Recipe, StageRecipe
from dtbench.training.stages import state
from dtbench.training.stages.base_cache import keep, take_kept
from dtbench.training.stages.dev_split import check_dev_sources
from dtbench.training.stages.evaluate import EvalRun, continue_edited, is_evaluated, run_evaluations
from dtbench.training.stages.jobs import stage_job, stage_model
from dtbench.training.stages.judge import check_evaluator, judge_url
from dtbench.training.stages.layout import BASE, Layout, StageLayout
from dtbench.training.stages.mined_data import (
    draw_candidates,
    keep_mined_rows,
    mining_evaluation,
    mining_run,
)
from dtbench.training.stages.observers import OnStep, StageEndedError, stage_observers
from dtbench.training.stages.options import TrainOptions
from dtbench.training.stages.outcome import base_evaluations, description_runs, outcome_table
from dtbench.training.stages.preflight import (
    check_environment,
    check_rewards,
    check_stage_rows,
    check_trust,
)
from dtbench.training.stages.reuse import reuse_run
from dtbench.training.stages.roles import leading
from dtbench.training.stages.stage_data import prepare_stage
from dtbench.training.stages.trackers import TrainingTrackers
from dtbench.training.stages.validation import best_checkpoint, describe_best, read_best, reason_to_end
from dtbench.training.stages.watch import TrainingView, stage_evaluation


def train(options: TrainOptions, live: LiveLine, on_step: OnStep, place: NodePlace | None = None) -> Mapping[str, Any]:
    """Train in stages and evaluate each; resume if the folder already has some. `on_step` is called at every step.

    `place` says what this node is where others follow it.
    """
    recipe, _ = options.load(), get_loggers(options.log)  # a wrong name of one is told before anything starts
    check_rewards(recipe)
    check_dev_sources(recipe)
    check_trust(recipe)
    url = judge_url(recipe, options.judge_url)
    check_evaluator(recipe, url, served=place is not None)
    check_targets(recipe)
    layout = Layout(options.out.resolve())
    program = get_engine(recipe.engine).command(stage_job(recipe, recipe.stage[0], layout)).arguments[0]
    environment = find_environment(options.engine, program)
    check_environment(recipe, environment)
    state.refuse_other_folder(layout.root, recipe)
    layout.root.mkdir(parents=True, exist_ok=True)
    lock = RunLock(layout.root)
    try:
        addresses = {} if url is None else {JUDGE_URL: url}
        with leading(options, place, live.notify) as leader:
            return _run(options, recipe, TrainingPlace(layout, environment, addresses, leader), live, on_step)
    finally:
        lock.close()


class TrainingPlace(NamedTuple):
    """Where a training runs: its folder, its engine, and the other nodes."""

    layout: Layout
    environment: Path
    """Where the engine is installed."""
    addresses: Mapping[str, str]
    """What placeholders of commands stand for, above the environment."""
    leader: Leader | None
    """What starts the other nodes; None where this one trains alone."""


def _run(
    options: TrainOptions, recipe: Recipe, place: TrainingPlace, live: LiveLine, on_step: OnStep
) -> Mapping[str, Any]:
    layout = place.layout
    progress = state.open_state(layout.state, recipe)
    unprepared = [stage for stage in recipe.stage if not progress.reached(stage.name, state.PREPARED)]
    check_stage_rows(recipe, unprepared, layout.clips)
    for line in reuse_run(recipe, layout, progress, options.reuse) if options.reuse is not None else ():
        live.notify(line)
    progress.write()
    with sigterm_as_interrupt(), RunLog(layout.root / LOG_NAME) as log:
        log.note_start(sys.argv)
        with TrainingTrackers(get_loggers(options.log), recipe, layout, live.notify) as trackers:
            return TrainingRun(
                recipe, layout, place.environment, progress, live, on_step, trackers, place.addresses, place.leader
            ).run()


@dataclass(slots=True)
class TrainingRun:
    """One start of a training."""

    recipe: Recipe
    layout: Layout
    environment: Path
    """Where the engine is installed."""
    state: state.TrainingState
    live: LiveLine
    on_step: OnStep
    trackers: TrainingTrackers
    addresses: Mapping[str, str] = field(default_factory=dict)
    """What placeholders of commands stand for, above the environment."""
    leader: Leader | None = None
    """What starts the other nodes; None where this one trains alone."""
    view: TrainingView = field(init=False)

    def __post_init__(self) -> None:
        """Prepare what the live line says."""
        self.view = TrainingView(self.recipe, self.layout)

    @property
    def notify(self) -> Notify:
        """Print a line, and log it."""
        return self.live.notify

    @property
    def engine(self) -> Engine:
        """The engine of the recipe."""
        return get_engine(self.recipe.engine)

    def run(self) -> dict[str, Any]:
        """Run what is not done yet; return the table of the outcome."""
        evaluation = self.recipe.evaluation
        if self.state.base != state.DONE:
            runs = base_evaluations(self.recipe, self.layout)
            if evaluation.describe:
                runs.append(description_runs(self.recipe, self.layout)[BASE])
            for run in take_kept(runs, evaluation):
                self.notify(f"{BASE}: {run.folder.name}: kept from an earlier training (DTBENCH_EVALUATIONS=off: anew)")
            self._run_evaluations(BASE, *runs)
            keep(runs, evaluation)
            self.state.set_base(state.DONE)
        for stage in self.recipe.stage:
            self._run_stage(stage)
        last = self.recipe.stage[-1]
        self._run_evaluations(last.name, *last_evaluations(self.recipe, self.layout))
        table = outcome_table(self.recipe, self.layout)
        replace_whole(self.layout.root / "outcome.json", json.dumps(table, indent=1).encode())
        return table

    def _run_stage(self, stage: StageRecipe) -> None:
        layout = self.layout.stage(stage.name)
        mining = [(state.MINED, self._mine)] if stage.mine is not None else []
        steps = (
            *mining,
            (state.PREPARED, self._prepare),
            (state.TRAINED, self._train),
            (state.EXPORTED, self._export),
            (state.DONE, self._evaluate),
        )
        for reached, step in steps:
            if not self.state.reached(stage.name, reached):
                step(stage, layout)
                self.state.set(stage.name, reached)

    def _mine(self, stage: StageRecipe, layout: StageLayout) -> None:
        run = mining_run(self.recipe, stage, self.layout)
        for line in draw_candidates(self.recipe, stage, self.layout):
            self.notify(f"{stage.name}: {line}")
        if not is_evaluated(run):
            self.notify(f"{stage.name}: asking them into {run.out}")
            with self._showing(self.view.mining_name(stage), run):
                run_evaluations([run], mining_evaluation(self.recipe, stage), self.layout.process_lock, self._say)
        for line in keep_mined_rows(self.recipe, stage, self.layout):
            self.notify(f"{stage.name}: {line}")

    def _prepare(self, stage: StageRecipe, layout: StageLayout) -> None:
        for line in prepare_stage(self.recipe, stage, layout, self.layout.clips):
            self.notify(f"{stage.name}: {line}")

    def _train(self, stage: StageRecipe, layout: StageLayout) -> None:
        if self.leader is None:
            self._train_once(stage, layout)
            return

        def last_step() -> int:
            return max(map(checkpoint_step, whole_checkpoints(layout.engine)), default=0)

        self.leader.repeat(lambda: self._train_once(stage, layout), last_step)

    def _train_once(self, stage: StageRecipe, layout: StageLayout) -> None:
        for name in remove_torn_checkpoints(layout.engine):
            self.notify(f"{stage.name}: {name} is incomplete and is deleted")
        complete = whole_checkpoints(layout.engine)
        done = checkpoint_step(complete[0]) if complete else 0
        # Also of an engine that came to its end after its caller was killed, steps are in its log alone.
        validation = self.recipe.validation
        follower = MetricsFollower(
            layout.engine / LOG,
            layout.metrics,
            self.engine,
            done=done,
            validation=validation,
            counts=layout.reward_counts,
        )
        if complete and is_final_checkpoint(complete[0], stage.steps):
            return
        if complete and (why := reason_to_end(read_steps(layout.metrics), validation)):
            self.notify(f"{stage.name}: {why}")
            return
        if complete:
            self.notify(f"{stage.name}: resuming from step {done}")
        layout.stop_file.unlink(missing_ok=True)
        layout.engine.mkdir(parents=True, exist_ok=True)
        job = stage_job(self.recipe, stage, self.layout, complete[0] if complete else None)
        self.notify(f"{stage.name}: training; the engine's log is {layout.log}")
        with self.live.showing(self.view.stage_name(stage), lambda seconds: self.view.stage_state(stage)):
            self._run_engine(stage, layout, job, follower)

    def _run_engine(self, stage: StageRecipe, layout: StageLayout, job: Job, follower: MetricsFollower) -> None:
        observers = stage_observers(self.recipe, stage, layout, self._see, self.notify)

        def look(*, ended: bool = False) -> None:
            for step in follower.new_steps(ended=ended):
                for observer in observers:
                    observer.see(step)

        def poll() -> None:
            look()
            if self.leader is not None:
                self.leader.check()

        check_trust(self.recipe)  # of a hub id, all is here by now
        start = layout.log.stat().st_size if layout.log.exists() else 0
        try:
            code, why = self._run_attempt(job, layout, poll)
            look(ended=True)
        except StageEndedError as ended:
            self.notify(f"{stage.name}: {ended}")
            return
        except AttemptLostError:
            _raise_stop_reason(stage, layout)
            raise
        finally:
            for observer in observers:
                observer.close()
        _raise_stop_reason(stage, layout)
        if code:
            self._look_at_failure(stage, layout, start, f"the engine ended with exit {code}: {{}}{why}")

    def _run_attempt(self, job: Job, layout: StageLayout, poll: Callable[[], None]) -> tuple[int, str]:
        """Run the engine, with those of other nodes if any; return its exit status, and why others failed."""
        alone = contextlib.nullcontext(self.engine.command(job))
        with (
            temporary_folder("dtbench-engine-") as folder,  # its launcher leaves folders where it is killed
            alone if self.leader is None else self.leader.attempt(job, self.addresses) as bare,
        ):
            command = in_environment(fill_placeholders(bare, {**os.environ, **self.addresses}), self.environment)
            own = EngineCommand(command.arguments, {**command.environment, "TMPDIR": str(folder)})
            code = run_engine(own, layout.log, self.layout.process_lock, poll)
            if self.leader is None:
                return code, ""
            if not code:
                self.leader.wait_for_trainers()
            return code, self.leader.reasons() if code else ""

    def _look_at_failure(self, stage: StageRecipe, layout: StageLayout, start: int, what: str) -> None:
        """Raise an error for an engine that failed before its last step."""
        log_last_words(layout.log, start)
        what = f"{stage.name}: {what.format(failure_reason(layout.log, start))} The whole log: {layout.log}."
        complete = whole_checkpoints(layout.engine)
        if not any(is_final_checkpoint(checkpoint, stage.steps) for checkpoint in complete):
            if self.leader is not None:
                raise AttemptLostError(what)
            raise MachineryError(f"{what} Once that is fixed, the same command continues from the last checkpoint.")
        self.notify(f"{what} Every step was done and is kept, so it goes on.")

    def _export(self, stage: StageRecipe, layout: StageLayout) -> None:
        complete = whole_checkpoints(layout.engine)
        if not complete:
            raise MachineryError(f"{stage.name}: the engine ended well and left no checkpoint in {layout.engine}.")
        checkpoint = best_checkpoint(layout, self.recipe.validation) or complete[0]
        if (measured := read_best(layout.best_step)) is not None and checkpoint.parent == layout.best:
            self.notify(f"{stage.name}: {describe_best(measured, checkpoint_step(complete[0]))}")
        before = stage_model(self.recipe, stage, self.layout)
        if self.recipe.adapter is None:
            export_model(checkpoint, layout.model)
        else:
            base = base_of_adapter(before, checkpoint)
            check_adapter(checkpoint, base, self.recipe.adapter.targets)
            self.notify(f"{stage.name}: merging its adapter into a copy of {base}")
            export_merged(self.environment, base, checkpoint, layout.model)
        refuse_other_shapes(before, layout.model)

    def _evaluate(self, stage: StageRecipe, layout: StageLayout) -> None:
        runs = [stage_evaluation(self.recipe, self.layout, stage)]
        if stage is self.recipe.stage[-1]:
            runs += last_evaluations(self.recipe, self.layout)
        self._run_evaluations(stage.name, *runs)
        if self.recipe.evaluation.faithful:
            self.notify(f"{stage.name}: editing the reasoning of its answers")
            tasks, evaluation = editable_tasks(self.recipe), placed_evaluation(self.recipe)
            continue_edited(runs[0], tasks, evaluation, self.layout.process_lock, self._say)

    def _run_evaluations(self, what: str, *runs: EvalRun) -> None:
        waiting = [run for run in runs if not is_evaluated(run)]
        for run in waiting:
            self.notify(f"{what}: {'describing the clips' if run.tasks else 'evaluating'} into {run.folder}")
        if not waiting:
            self.trackers.catch_up()
            return
        with self._showing(self.view.evaluation_name(*waiting), *waiting):
            run_evaluations(waiting, placed_evaluation(self.recipe), self.layout.process_lock, self._say)
        self.trackers.catch_up()

    @property
    def _say(self) -> Notify | None:
        """What gets the complaints of an evaluation, where our stderr would tear the live line."""
        return self.live.say if self.live.rewrites else None

    @contextlib.contextmanager
    def _showing(self, name: str, *runs: EvalRun) -> Iterator[None]:
        """Show how far runs are, to the end of the block."""
        self.view.forget()
        with self.live.showing(name, lambda seconds: self.view.evaluation_state(*runs)):
            yield
            self.view.forget()

    def _see(self, stage: StageRecipe, step: Metrics) -> None:
        self.on_step(stage, step)
        self.trackers.step(stage, step)


def last_evaluations(recipe: Recipe, layout: Layout) -> list[EvalRun]:
    """Return the further evaluations of the last stage: with shuffled clips, and of what it describes."""
    last, runs = recipe.stage[-1], list[EvalRun]()
    if recipe.evaluation.audio_ablation:
        runs.append(stage_evaluation(recipe, layout, last)._replace(audio="shuffle"))
    return [*runs, description_runs(recipe, layout)[last.name]] if recipe.evaluation.describe else runs


def _raise_stop_reason(stage: StageRecipe, layout: StageLayout) -> None:
    if why := read_stop_reason(layout.stop_file):
        raise MachineryError(f"{stage.name}: {why}")
