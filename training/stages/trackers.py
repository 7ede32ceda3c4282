"""`dtbench train --log`: send the steps and evaluations of a training to experiment trackers, as they come.

OUT/loggers.json records what a tracker gets before it is sent: after a kill nothing is sent twice, and at most one
step is missing. If a tracker raises, one line reports it, and the training goes on.
"""

from __future__ import annotations

import contextlib
import json
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from dtbench.harness.core.errors import format_error
from dtbench.harness.core.model import Notify
from dtbench.harness.export.live_trackers import LiveRun, LiveStart, live_run
from dtbench.harness.export.trackers import Logger, flat_metrics
from dtbench.harness.store.atomic import replace_whole
from dtbench.harness.store.redact import mask_text
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.run_json import flatten
from dtbench.harness.store.summary_types import Summary
from dtbench.training.engines.contract import Metrics
from dtbench.training.engines.metrics import read_steps
from dtbench.training.recipe.settings import Recipe, StageRecipe
from dtbench.training.stages.layout import Layout
from dtbench.training.stages.outcome import finished_runs

FILE = "loggers.json"
MAX_CHARS = 500
"""Of a setting: the most that MLflow keeps."""


class TrainingTrackers:
    """The trackers that a training is logged to."""

    def __init__(self, loggers: Sequence[Logger], recipe: Recipe, layout: Layout, notify: Notify) -> None:
        self._recipe, self._layout, self._notify = recipe, layout, notify
        self._loggers = {logger.name: logger for logger in loggers}
        self._path = layout.root / FILE
        self._had: dict[str, dict[str, Any]] = _read(self._path)
        self._runs: dict[str, LiveRun] = {}
        for name, logger in list(self._loggers.items()):
            with self._told(name):
                self._open(logger)
        self.catch_up()

    def __enter__(self) -> Self:
        """Log until the block ends."""
        return self

    def __exit__(self, *raised: object) -> None:
        """End this start in every tracker."""
        self.close()

    def step(self, stage: StageRecipe, step: Metrics) -> None:
        """Log a step that no tracker has yet."""
        for name in list(self._runs):
            with self._told(name):
                self._step(name, stage, step)

    def catch_up(self) -> None:
        """Log what is on disk and not yet logged: steps, and evaluations that are done."""
        for stage in self._recipe.stage if self._loggers else ():
            for step in read_steps(self._layout.stage(stage.name).metrics):
                self.step(stage, step)
        for name in list(self._loggers):
            with self._told(name):
                self._evaluations(name)

    def close(self) -> None:
        """End this start in every tracker."""
        for name, run in list(self._runs.items()):
            with self._told(name):
                run.close()

    def _open(self, logger: Logger) -> None:
        had = self._had.get(logger.name)
        name = self._layout.root.name
        proposal = f"{name}-{uuid.uuid4().hex[:8]}" if had is None else str(had["run"])
        start = LiveStart(name, proposal, had is not None and bool(had["live"]), _settings(self._recipe))
        run = live_run(logger, start)
        if run is not None:
            self._runs[logger.name] = run
        if had is None:
            had = {"run": proposal, "steps": {}, "evaluations": []}
        self._had[logger.name] = {**had, "run": proposal if run is None else run.id, "live": run is not None}
        self._write()

    def _step(self, name: str, stage: StageRecipe, step: Metrics) -> None:
        steps, number = self._had[name]["steps"], int(step["step"])
        before = steps.get(stage.name, 0)
        if number <= before:
            return
        figures = {f"{stage.name}/{key}": value for key, value in step.items() if key != "step" and _is_figure(value)}
        with self._noted(lambda: steps.update({stage.name: number}), lambda: steps.update({stage.name: before})):
            self._runs[name].log(figures, self._offset(stage) + number)

    def _evaluations(self, name: str) -> None:
        logged = self._had[name]["evaluations"]
        for row in finished_runs(self._recipe, self._layout):
            if row.name in logged or not (row.folder / "summary.json").is_file():
                continue
            summary: Summary = json.loads((row.folder / "summary.json").read_bytes())
            with self._noted(lambda key=row.name: logged.append(key), logged.pop):  # type: ignore[misc]
                if name in self._runs:
                    figures = {f"{row.name}/{key}": value for key, value in flat_metrics(summary).items()}
                    self._runs[name].log(figures, self._last_step(name))
                else:
                    self._loggers[name].log(summary, StoredRun.open(row.folder).info)

    def _offset(self, stage: StageRecipe) -> int:
        """Return how many steps the stages before it took."""
        before = self._recipe.stage[: self._recipe.stage.index(stage)]
        steps = (read_steps(self._layout.stage(one.name).metrics) for one in before)
        return sum(int(each[-1]["step"]) for each in steps if each)

    def _last_step(self, name: str) -> int:
        return sum(self._had[name]["steps"].values())

    @contextlib.contextmanager
    def _noted(self, note: Callable[[], object], undo: Callable[[], object]) -> Iterator[None]:
        """Note something before it is logged; what could not be logged is left for the next start."""
        note()
        self._write()
        try:
            yield
        except BaseException:
            undo()
            self._write()
            raise

    @contextlib.contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """Tell in a line what a tracker raises, which is then left alone until the next start."""
        try:
            with contextlib.redirect_stdout(sys.stderr):  # stdout is for the outcome alone
                yield
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # someone else's code, its exits included
            self._runs.pop(name, None)
            self._loggers.pop(name, None)
            self._notify(
                f"--log {name}: failed with {mask_text(format_error(error))}. The training goes on; the next start of "
                "it logs what is missing."
            )

    def _write(self) -> None:
        replace_whole(self._path, json.dumps(self._had, indent=1).encode() + b"\n")


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        stored = json.loads(path.read_bytes())
        return stored if isinstance(stored, dict) else {}
    except (OSError, ValueError):
        return {}


def _settings(recipe: Recipe) -> Mapping[str, str]:
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in flatten(recipe.plain())}
    return {name: mask_text(text)[:MAX_CHARS] for name, text in texts.items()}


def _is_figure(value: object) -> bool:
    return isinstance(value, int | float) and value == value
