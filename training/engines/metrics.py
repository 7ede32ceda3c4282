"""metrics.jsonl: one line for each step of a stage, in order and once, however often the stage was killed.

`violated_guard` says which figures stop a stage.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

from dtbench.harness.store.atomic import replace_whole
from dtbench.training.engines.contract import Engine, Metrics
from dtbench.training.engines.dev_figures import DevFigures
from dtbench.training.engines.divergence import FirstStepLimits
from dtbench.training.engines.inside.swift_bridge import AUDIO_GRADIENT, learns_deaf
from dtbench.training.engines.reward_figures import RewardFigures
from dtbench.training.recipe.settings import StopGuards, Validation

LOGGED_SIGNAL = 1e-3
"""From this gradient on, a 0 for the clips' part of it means deaf: a log has eight decimals, and 0 is all below them.

Where all rewards are alike, only the pull of the reference is left, and the part of it that goes to the clips is tiny.
"""
_DIGITS = 7


class MetricsFollower:
    """Follows an engine's log as it grows, and stores its metrics under our names.

    Of an earlier start it keeps the steps up to the checkpoint: those that were stored, and those that only the engine
    had logged when everything was killed.
    """

    def __init__(
        self,
        log: Path,
        metrics: Path,
        engine: Engine,
        *,
        done: int,
        validation: Validation | None = None,
        counts: Path | None = None,
    ) -> None:
        self._log, self._metrics, self._engine = log, metrics, engine
        stored = read_steps(metrics)
        known = min(done, int(stored[-1]["step"])) if stored else 0
        self._counts = None if counts is None else RewardFigures(counts, after=known)
        self._offset, self._rest = 0, b""
        self._dev = DevFigures(validation)
        logged = [*self._new_steps(), *self._dev.release()]
        self._rest = b""  # half a line of an engine that is gone: the next one's begins behind it
        steps = {int(step["step"]): step for step in stored}
        of_log = {int(step["step"]): step for step in logged}
        steps |= {number: self._with_figures(of_log[number]) for number in sorted(of_log) if number not in steps}
        kept = [steps[number] for number in sorted(steps) if number <= done]
        self._dev.learn(kept)
        metrics.parent.mkdir(parents=True, exist_ok=True)
        replace_whole(metrics, "".join(map(_line, kept)).encode())

    def new_steps(self, *, ended: bool = False) -> list[Metrics]:
        """Store and return the steps since the last call; once the engine has `ended`, no step is waited with."""
        found = [*self._new_steps(), *(self._dev.release() if ended else ())]
        steps = [self._with_figures(step) for step in found]
        if steps:
            with self._metrics.open("a", encoding="utf-8") as file:
                file.writelines(_line(step) for step in steps)
        return steps

    def _with_figures(self, step: Metrics) -> Metrics:
        """Add what the rewards of all processes say of a step; a figure of the engine's own stands."""
        return step if self._counts is None else {**self._counts.of_step(int(step["step"])), **step}

    def _new_steps(self) -> list[Metrics]:
        if not self._log.exists():
            return []
        with self._log.open("rb") as file:
            file.seek(self._offset)
            grown = file.read()
        self._offset += len(grown)
        *lines, self._rest = (self._rest + grown).split(b"\n")
        return [step for line in lines for step in self._parse(line)]

    def _parse(self, line: bytes) -> list[Metrics]:
        try:
            entry = json.loads(line)
        except ValueError:
            return []  # an engine that was killed may have left half a line
        return self._dev.add(entry, self._engine.metrics(entry)) if isinstance(entry, dict) else []


def read_steps(metrics: Path) -> list[Metrics]:
    """Read the steps of a metrics file; none where it is not there."""
    if not metrics.exists():
        return []
    return [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines() if line.endswith("}")]


def _line(step: Metrics) -> str:
    return json.dumps({name: _json_number(name, value) for name, value in step.items()}) + "\n"


def _json_number(name: str, value: float) -> float | int | None:
    if name == "step":
        return int(value)
    if not math.isfinite(value):
        return None  # JSON has no such number
    return float(f"{value:.{_DIGITS}g}")


def violated_guard(
    step: Metrics, guards: StopGuards, *, first: bool, limits: FirstStepLimits | None = None
) -> str | None:
    """Return why the stage has to stop after this step; None where nothing is wrong."""
    number = int(step["step"])
    limit, kl_limit = limits or (guards.divergence, guards.divergence)
    for name in ("loss", "grad_norm"):
        if not math.isfinite(step.get(name, 0.0)):
            return f"step {number}: {name} is not finite: lower the learning rate or the temperature."
    divergence = step.get("divergence")
    if first and divergence is not None and divergence > limit:
        return (
            f"step {number}: the model that answers differs from the one being trained (divergence {divergence:.3g}, "
            f"at most {limit:g} is allowed): check weights, dtype and audio; see engine.log."
        )
    if number == 1 and step.get("kl", 0.0) > kl_limit:
        return (
            f"step 1: the model being trained differs from the start of the stage (kl {step['kl']:.3g}, at most "
            f"{kl_limit:g} is allowed): its forward pass is different in training; see engine.log."
        )
    if learns_deaf(step.get(AUDIO_GRADIENT), step.get("grad_norm", 0.0), above=LOGGED_SIGNAL):
        return f"step {number}: the policy is deaf: its loss does not depend on the clips."
    return None
