"""The paths in the folder of a training run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

BASE = "base"


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths in the folder that `--out` names."""

    root: Path

    @property
    def state(self) -> Path:
        """The recipe, and how far each stage is."""
        return self.root / "train.json"

    @property
    def clips(self) -> Path:
        """The clips that tasks write."""
        return self.root / "data"

    @property
    def engine_lock(self) -> Path:
        """The lock that is held while any process of an engine lives."""
        return self.root / ".engine.lock"

    @property
    def base_eval(self) -> Path:
        """The evaluation of the base, under the task's own prompt."""
        return self.root / BASE / "eval"

    def base_eval_of(self, prompt: str) -> Path:
        """The evaluation of the base under another prompt."""
        return self.root / BASE / f"eval-{prompt}"

    @property
    def base_described(self) -> Path:
        """The run in which the base describes the clips."""
        return self.root / BASE / "described"

    def stage(self, name: str) -> StageLayout:
        """Return the paths of a stage."""
        return StageLayout(self.root / name)


@dataclass(frozen=True, slots=True)
class StageLayout:
    """Paths in the folder of one stage."""

    root: Path

    @property
    def questions(self) -> Path:
        """The questions for the engine, without answers and chains."""
        return self.root / "questions.jsonl"

    @property
    def reward_plan(self) -> Path:
        """The reward plan for the plug-in."""
        return self.root / "rewards.json"

    @property
    def overlaps(self) -> Path:
        """The rows that overlap a benchmark, where the stage was refused for them."""
        return self.root / "overlaps.jsonl"

    @property
    def reward_counts(self) -> Path:
        """A line a batch: what its rewards took."""
        return self.root / "rewards.jsonl"

    @property
    def engine(self) -> Path:
        """The engine's own folder: its log of metrics and its checkpoints."""
        return self.root / "engine"

    @property
    def log(self) -> Path:
        """The output of the engine's processes."""
        return self.root / "engine.log"

    @property
    def stop_file(self) -> Path:
        """The reason why the plug-in stopped the engine."""
        return self.root / "stopped.json"

    @property
    def metrics(self) -> Path:
        """A line a step: its metrics."""
        return self.root / "metrics.jsonl"

    @property
    def model(self) -> Path:
        """The trained model: a plain folder for transformers and vLLM."""
        return self.root / "model"

    @property
    def eval(self) -> Path:
        """The evaluation of that model."""
        return self.root / "eval"

    @property
    def described(self) -> Path:
        """The run in which that model describes the clips."""
        return self.root / "described"
