"""The progress of a training, from its folder: the current stage or evaluation, and the time left."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.core.errors import DtbenchError, UserError
from dtbench.harness.run.live_line import LiveFigure, LiveState, duration
from dtbench.harness.run.progress import COST, FAILED, LEFT, RATE, RIGHT
from dtbench.harness.run.watch import (
    KILLED,
    RUNNING,
    RunWatch,
    WatchedFolder,
    WatchedTask,
    last_written,
    moment_of,
    process_lives,
)
from dtbench.harness.run.worker_pool import Progress
from dtbench.harness.store.locks import LOCK_NAME
from dtbench.harness.store.measure_types import RunMeasures
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.run_json import LOG_NAME
from dtbench.training.engines.contract import Metrics
from dtbench.training.engines.metrics import read_steps
from dtbench.training.recipe.recipe import stored_recipe
from dtbench.training.recipe.settings import Recipe, StageRecipe
from dtbench.training.stages import state
from dtbench.training.stages.evaluate import EvalRun, is_evaluated
from dtbench.training.stages.layout import BASE, Layout
from dtbench.training.stages.mined_data import mining_report, mining_run
from dtbench.training.stages.monitors import breaches, monitor_results
from dtbench.training.stages.outcome import (
    answered_records,
    base_evaluations,
    base_prompts,
    description_runs,
    measure_records,
)

PACED_STEPS = 20
"""The last steps, whose time tells how long the others will take."""
LOOK_SECONDS = 1.0
"""Between two looks into the folder of an evaluation."""
_HOLDER = re.compile(r"pid (\d+) on (.+)")
_END = re.compile(r" ended: (done|failed|interrupted)$")


class PlannedEvaluation(NamedTuple):
    """One of the evaluations of a training."""

    label: str
    run: EvalRun


def planned_evaluations(recipe: Recipe, layout: Layout) -> list[PlannedEvaluation]:
    """Return every evaluation of a training, in the order in which they are run."""
    names = [BASE, *(f"{BASE}, {name}" for name in base_prompts(recipe))]
    planned = [PlannedEvaluation(name, run) for name, run in zip(names, base_evaluations(recipe, layout), strict=True)]
    described = description_runs(recipe, layout) if recipe.evaluation.describe else {}
    if BASE in described:
        planned.append(PlannedEvaluation(f"{BASE}, descriptions", described.pop(BASE)))
    planned += [PlannedEvaluation(stage.name, stage_evaluation(recipe, layout, stage)) for stage in recipe.stage]
    if recipe.evaluation.audio_ablation:
        run = stage_evaluation(recipe, layout, recipe.stage[-1])._replace(audio="shuffle")
        planned.append(PlannedEvaluation(f"{recipe.stage[-1].name}, shuffled clips", run))
    return planned + [PlannedEvaluation(f"{name}, descriptions", run) for name, run in described.items()]


def stage_evaluation(recipe: Recipe, layout: Layout, stage: StageRecipe) -> EvalRun:
    """Return the evaluation of a stage's model."""
    own = layout.stage(stage.name)
    return EvalRun(str(own.model), own.eval, layout.clips, recipe.prompt, recipe.system)


class TrainingView:
    """What the live line shows of a training: its stages and evaluations."""

    def __init__(self, recipe: Recipe, layout: Layout) -> None:
        self._recipe = recipe
        self._layout = layout
        self._evaluations = planned_evaluations(recipe, layout)
        self._steps: dict[Path, tuple[int, list[Metrics]]] = {}
        self._watches: dict[Path, RunWatch] = {}
        self._measured: dict[tuple[Path, str], WatchedTask] = {}
        self._looked = 0.0
        self._last: LiveState | None = None

    def stage_name(self, stage: StageRecipe) -> str:
        """Return what stands before the figures of a stage."""
        return f"{stage.name} ({self._recipe.stage.index(stage) + 1} of {len(self._recipe.stage)})"

    def evaluation_name(self, *runs: EvalRun) -> str:
        """Return what stands before the figures of evaluations that are run side by side."""
        places = sorted(self._place(run) + 1 for run in runs)
        named = f"evaluation {places[0]}" if len(places) == 1 else f"evaluations {', '.join(map(str, places))}"
        return f"{named} of {len(self._evaluations)}"

    def mining_name(self, stage: StageRecipe) -> str:
        """Return what stands before the figures of the questions that an earlier model is asked for a stage."""
        return f"{self.stage_name(stage)}, mining"

    def stage_state(self, stage: StageRecipe) -> LiveState:
        """Return how many steps of a stage are done, and the time left for it and for all."""
        steps = self._steps_of(stage)
        done = int(steps[-1]["step"]) if steps else 0
        figures = []
        if pace := self._step_seconds():
            figures.append(LiveFigure(f"{pace:.1f} s/step", RATE))
            if stage.steps is not None and done < stage.steps:
                figures.append(LiveFigure(f"{duration((stage.steps - done) * pace)} left", LEFT))
        if (left := self._seconds_left()) is not None:
            figures.append(LiveFigure(f"{duration(left)} in all", COST))
        if steps and "reward" in steps[-1]:
            figures.append(LiveFigure(f"reward {steps[-1]['reward']:.3f}", RIGHT))
        if (mined := mining_report(self._layout, stage)) is not None:
            figures.append(LiveFigure(f"{mined['rows_kept']} of {mined['questions']} questions mined", COST))
        if (measured := self._last_measured(steps)) is not None:
            figures.append(LiveFigure(f"dev {measured:.3f}", RIGHT))
        if broken := breaches(monitor_results(self._recipe.monitor, steps)):
            figures.append(LiveFigure(f"! {broken[0]}{f' and {len(broken) - 1} more' if broken[1:] else ''}", FAILED))
        return LiveState(done, stage.steps, figures, "steps")

    def _last_measured(self, steps: Sequence[Metrics]) -> float | None:
        """Return the metric of [validation] as it was measured last."""
        validation = self._recipe.validation
        name = "" if validation is None else f"dev/{validation.metric}"
        return next((step[name] for step in reversed(steps) if name in step), None)

    def _left_of(self, stage: StageRecipe) -> int | None:
        """Return how many steps of a stage are to come; none of one that has ended, early or not."""
        if self._layout.stage(stage.name).model.exists():
            return 0
        return None if stage.steps is None else stage.steps - len(self._steps_of(stage))

    def evaluation_state(self, *runs: EvalRun) -> LiveState:
        """Return how far the first of them is that is not done; looked up once a second."""
        if self._last is None or time.monotonic() - self._looked >= LOOK_SECONDS:
            going = next((run for run in runs if not is_evaluated(run)), runs[-1])
            self._looked, self._last = time.monotonic(), self._evaluation_state(going)
        return self._last

    def forget(self) -> None:
        """Look anew, at something else."""
        self._last = None

    def measured(self) -> list[WatchedTask]:
        """Return what was measured of each stage whose evaluation is done."""
        evaluated = [stage for stage in self._recipe.stage if self._is_evaluated(stage)]
        return [self._measures_of(stage, task) for stage in evaluated for task in self._recipe.evaluation.tasks]

    def _is_evaluated(self, stage: StageRecipe) -> bool:
        return is_evaluated(stage_evaluation(self._recipe, self._layout, stage))

    def _measures_of(self, stage: StageRecipe, task: str) -> WatchedTask:
        folder = self._layout.stage(stage.name).eval
        if (folder, task) not in self._measured:
            measures = measure_records(answered_records(folder, task), task, self._recipe.rewards.template)
            several = f", {task}" if len(self._recipe.evaluation.tasks) > 1 else ""
            counts = Progress(measures["n"], done=measures["n"], correct=measures["right"])
            state_ = LiveState(measures["n"], measures["n"], _figures(measures), "answers")
            self._measured[folder, task] = WatchedTask(f"{stage.name}, evaluated{several}", state_, counts, measures)
        return self._measured[folder, task]

    def current(self, progress: state.TrainingState) -> WatchedTask | None:
        """Return what is going on, by train.json; None where all is done."""
        for stage in self._recipe.stage if progress.base == state.DONE else ():
            if stage.mine is not None and not progress.reached(stage.name, state.MINED):
                self.forget()
                run = mining_run(self._recipe, stage, self._layout)
                return WatchedTask(self.mining_name(stage), self.evaluation_state(run), Progress(0))
            if not progress.reached(stage.name, state.TRAINED):
                return WatchedTask(self.stage_name(stage), self.stage_state(stage), Progress(stage.steps or 0))
            if not progress.reached(stage.name, state.DONE):
                break
        for one in self._evaluations:
            if not is_evaluated(one.run):
                self.forget()
                return WatchedTask(self.evaluation_name(one.run), self.evaluation_state(one.run), Progress(0))
        return None

    def _evaluation_state(self, run: EvalRun) -> LiveState:
        label = [LiveFigure(one.label, RATE) for one in self._evaluations if one.run.folder == run.folder]
        try:
            if run.folder not in self._watches:
                self._watches[run.folder] = RunWatch(run.folder)
            tasks = self._watches[run.folder].update().tasks
        except (DtbenchError, OSError):  # it is about to be made
            return LiveState(0, None, label)
        task = next((one for one in tasks if one.state.done < (one.state.expected or 0)), tasks[-1])
        return LiveState(task.state.done, task.state.expected, [*label, *task.state.figures])

    def _place(self, run: EvalRun) -> int:
        return next(place for place, one in enumerate(self._evaluations) if one.run.folder == run.folder)

    def _steps_of(self, stage: StageRecipe) -> list[Metrics]:
        path = self._layout.stage(stage.name).metrics
        size = path.stat().st_size if path.exists() else 0
        if self._steps.get(path, (-1,))[0] != size:
            self._steps[path] = (size, read_steps(path))
        return self._steps[path][1]

    def _step_seconds(self) -> float | None:
        """Return how long a step takes, by the last ones of the last stage that has any."""
        for stage in reversed(self._recipe.stage):
            times = [step["seconds"] for step in self._steps_of(stage) if "seconds" in step][-PACED_STEPS:]
            if times:
                return sum(times) / len(times)
        return None

    def _seconds_left(self) -> float | None:
        """Return the seconds until the end of the training; None where something of it has no known length."""
        steps = [self._left_of(stage) for stage in self._recipe.stage]
        pace, ended = self._step_seconds(), [seconds for seconds in self._evaluation_seconds() if seconds is not None]
        waiting = len(self._evaluations) - len(ended)
        if pace is None or None in steps or (waiting and not ended):
            return None
        each = sum(ended) / len(ended) if ended else 0.0
        return pace * sum(max(0, count) for count in steps if count is not None) + waiting * each

    def _evaluation_seconds(self) -> Iterator[float | None]:
        """Yield how long each evaluation took; None for one that is not done."""
        for one in self._evaluations:
            if not is_evaluated(one.run):
                yield None
                continue
            starts = StoredRun.open(one.run.folder).info["starts"]
            yield sum(moment_of(start["end"]) - moment_of(start["start"]) for start in starts if start["end"])


class TrainingWatch:
    """Follows the folder of a training."""

    def __init__(self, path: Path) -> None:
        self._layout = Layout(path.resolve())
        self._path = path
        self._view = TrainingView(stored_recipe(state.read_state(self._layout.state).recipe), self._layout)

    def update(self) -> WatchedFolder:
        """Read what is new, and return what is going on."""
        progress = state.read_state(self._layout.state)
        task = self._view.current(progress)
        status, liveness = self._standing(progress, ended=task is None)
        tasks = [*self._view.measured(), *([] if task is None else [task])]
        return WatchedFolder(self._path, "train", status, liveness, tasks)

    def _standing(self, progress: state.TrainingState, *, ended: bool) -> tuple[str, str]:
        root = self._layout.root
        silent = time.time() - max(last_written(folder) for folder in (root, *_folders_in(root)))
        last = f"last written {duration(max(0.0, silent))} ago"
        if ended and (root / "outcome.json").exists():
            return "done", last
        if (end := _END.search(_text(root / LOG_NAME).rstrip())) is not None and end[1] != "done":
            return end[1], last
        holder = _HOLDER.search(_text(root / LOCK_NAME))
        since = moment_of(progress.starts[-1]["start"])
        if holder is not None and _is_here(holder[2]) and not process_lives(int(holder[1]), since, root):
            return KILLED, f"nobody writes any more ({holder[0]}), {last}"
        return RUNNING, last


def _figures(measures: RunMeasures) -> list[LiveFigure]:
    """Return the measures that a line has room for."""
    shares = {"right": measures["accuracy"], "lucky": measures["lucky_rate"], "in form": measures["formed"]}
    figures = [LiveFigure(f"{100 * share:.1f}% {name}", RIGHT) for name, share in shares.items() if share is not None]
    counts = {"criteria met": measures["criteria"], "words": measures["words"]}
    return figures + [LiveFigure(f"{count:.1f} {name}", COST) for name, count in counts.items() if count is not None]


def is_training_folder(path: Path) -> bool:
    """Whether a folder is that of a training; a UserError where it is no folder."""
    if not path.is_dir():
        what = "this is a file" if path.exists() else "there is no such folder"
        raise UserError(f"{path}: {what}. Name the --out of a run, a judge, `cot` or a training.")
    return Layout(path).state.is_file()


def _folders_in(root: Path) -> list[Path]:
    return [path for path in root.glob("*/") if path.is_dir()]


def _is_here(host: str) -> bool:
    return host.strip() == os.uname().nodename


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
