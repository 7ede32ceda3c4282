"""Figures of the dev split: the flags that make ms-swift measure it, its log lines, and the steps that get them.

The engine logs a step first and its measurement afterwards, so such a step waits until both are there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dtbench.training.engines.contract import Job, Metrics
from dtbench.training.recipe.settings import Validation
from dtbench.training.recipe.validation import WEIGHTED

DEV = "dev/"
GAP = "dev/gap"
"""By how much the metric is higher in training than on the dev split."""
_NAMES: Mapping[str, str] = {
    "eval_reward": "dev/reward",
    "eval_completions/mean_length": "dev/completion_length",
    "eval_completions/clipped_ratio": "dev/completions_cut",
    "eval_runtime": "dev/seconds",
}
_PROGRESS = "global_step/max_steps"


DEV_FLAGS = (
    *("val_dataset", "eval_strategy", "eval_steps", "per_device_eval_batch_size", "num_generations_eval"),
    *("metric_for_best_model", "greater_is_better"),
)
"""The flags that a dev split makes."""


def dev_flags(job: Job) -> dict[str, object]:
    """Return the flags that make the engine answer each dev question once every so many steps, as it does in training.

    They also make it spare the best checkpoint when it deletes old ones.
    """
    validation = job.recipe.validation
    if validation is None:
        return {}
    best = WEIGHTED if validation.metric == WEIGHTED else f"rewards/{validation.metric}/mean"
    return {
        "val_dataset": str(job.dev),
        "eval_strategy": "steps",
        "eval_steps": validation.every,
        "per_device_eval_batch_size": job.dev_batch,
        "num_generations_eval": 1,
        "metric_for_best_model": best,
        "greater_is_better": True,
    }


def dev_metrics(line: Mapping[str, object]) -> Metrics | None:
    """Parse what the engine measured on the dev split; None for another line."""
    progress = line.get(_PROGRESS)
    if not isinstance(progress, str) or "eval_reward" not in line:
        return None
    values = {name: float(value) for name, value in line.items() if isinstance(value, int | float)}
    metrics: Metrics = {"step": float(progress.partition("/")[0])}
    for name, value in values.items():
        if name.startswith("eval_rewards/") and name.endswith("/mean"):
            metrics[f"{DEV}{name.split('/')[1]}"] = value
    return metrics | {ours: values[theirs] for theirs, ours in _NAMES.items() if theirs in values}


class DevFigures:
    """Joins a measurement on the dev split to the step that it follows."""

    def __init__(self, validation: Validation | None) -> None:
        self._validation = validation
        self._held: Metrics | None = None
        self._train: dict[int, float] = {}

    def learn(self, steps: Iterable[Metrics]) -> None:
        """Take note of stored steps, which the gap is also computed from."""
        for step in steps:
            self._note(step)

    def add(self, line: Mapping[str, object], step: Metrics | None) -> list[Metrics]:
        """Return the steps that are whole with this line of the log; `step` is what it tells of one."""
        if self._validation is None:
            return [] if step is None else [step]
        if step is not None:
            whole = self.release()
            self._note(step)
            if self._is_measured(str(line.get(_PROGRESS))):
                self._held = step
                return whole
            return [*whole, step]
        measured = dev_metrics(line)
        if measured is None or self._held is None or measured["step"] != self._held["step"]:
            return []
        self._held |= measured | self._gap(measured)
        return self.release()

    def release(self) -> list[Metrics]:
        """Return the step that is held, as nothing more will be told of it."""
        held, self._held = self._held, None
        return [] if held is None else [held]

    def _is_measured(self, progress: str) -> bool:
        done, _, last = progress.partition("/")
        assert self._validation is not None
        return done == last or int(done) % self._validation.every == 0

    @property
    def _metric(self) -> str:
        assert self._validation is not None
        return self._validation.metric

    def _note(self, step: Metrics) -> None:
        if self._validation is None:
            return
        name = WEIGHTED if self._metric == WEIGHTED else f"reward/{self._metric}"
        if name in step:
            self._train[int(step["step"])] = step[name]

    def _gap(self, measured: Metrics) -> Metrics:
        """Compare the measurement with the mean over the steps since the last one."""
        assert self._validation is not None
        last, name = int(measured["step"]), f"{DEV}{self._metric}"
        first = (last - 1) // self._validation.every * self._validation.every
        values = [self._train[step] for step in range(first + 1, last + 1) if step in self._train]
        return {GAP: sum(values) / len(values) - measured[name]} if values and name in measured else {}
