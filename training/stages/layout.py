"""Where things lie in the folder of a training run; everything that is derived can be made again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

BASE = "base"


@dataclass(frozen=True, slots=True)
class Layout:
    """The folder that `--out` names."""

    root: Path

    @property
    def state(self) -> Path:
        """The recipe and how far each stage is."""
        return self.root / "train.json"

    @property
    def clips(self) -> Path:
        """Where tasks write their clips."""
        return self.root / "data"

    @property
    def engine_lock(self) -> Path:
        """Held for as long as any process of an engine lives."""
        return self.root / ".engine.lock"

    @property
    def base_eval(self) -> Path:
        """The run of the model that training starts from, under the task's own prompt."""
        return self.root / BASE / "eval"

    def base_eval_of(self, prompt: str) -> Path:
        """The run of the same model under another prompt."""
        return self.root / BASE / f"eval-{prompt}"

    @property
    def base_described(self) -> Path:
        """The run of that model in which it describes the clips."""
        return self.root / BASE / "described"

    def stage(self, name: str) -> StageLayout:
        """The folder of a stage."""
        return StageLayout(self.root / name)


@dataclass(frozen=True, slots=True)
class StageLayout:
    """The folder of one stage."""

    root: Path

    @property
    def questions(self) -> Path:
        """What the engine reads; neither an answer nor a chain is in it."""
        return self.root / "questions.jsonl"

    @property
    def rewards(self) -> Path:
        """What the rewards read."""
        return self.root / "rewards.json"

    @property
    def overlaps(self) -> Path:
        """Rows that overlap a benchmark; there only where there were some, and the stage was refused."""
        return self.root / "overlaps.jsonl"

    @property
    def counts(self) -> Path:
        """What each batch of rewards took."""
        return self.root / "rewards.jsonl"

    @property
    def engine(self) -> Path:
        """The engine's own folder: its log of figures and its checkpoints."""
        return self.root / "engine"

    @property
    def log(self) -> Path:
        """Everything that the engine's processes said."""
        return self.root / "engine.log"

    @property
    def stopped(self) -> Path:
        """Why what runs within the engine stopped it."""
        return self.root / "stopped.json"

    @property
    def metrics(self) -> Path:
        """A line a step."""
        return self.root / "metrics.jsonl"

    @property
    def model(self) -> Path:
        """What came out: a plain folder, as transformers and vLLM read it."""
        return self.root / "model"

    @property
    def eval(self) -> Path:
        """The run of what came out."""
        return self.root / "eval"

    @property
    def described(self) -> Path:
        """The run in which it describes the clips."""
        return self.root / "described"
