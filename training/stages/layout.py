"""The paths in the folder of a training run."""

from __future__ import annotations

from pathlib import Path

BASE = "base"
VERDICTS = "verdicts"
NODES = "nodes"


class Layout:
    """Paths in the folder that `--out` names."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state = root / "train.json"
        """The recipe, and how far each stage is."""
        self.clips = root / "data"
        """The clips that tasks write."""
        self.process_lock = root / ".engine.lock"
        """The lock that is held while any process of an engine or an evaluation lives."""
        self.base_eval = root / BASE / "eval"
        """The evaluation of the base, under the task's own prompt."""
        self.base_described = root / BASE / "described"
        """The run in which the base describes the clips."""

    def base_eval_of(self, prompt: str) -> Path:
        """Return the evaluation of the base under another prompt."""
        return self.root / BASE / f"eval-{prompt}"

    def stage(self, name: str) -> StageLayout:
        """Return the paths of a stage."""
        return StageLayout(self.root / name)


class StageLayout:
    """Paths in the folder of one stage."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.questions = root / "questions.jsonl"
        """The questions for the engine, without answers and chains."""
        self.reward_plan = root / "rewards.json"
        """The reward plan for the plug-in."""
        self.dev_questions = root / "dev.jsonl"
        """The questions of the dev split for the engine."""
        self.best = root / "best"
        """The best checkpoint by the dev split, in a folder of its step."""
        self.best_step = root / "best.json"
        """Which checkpoint that is, and its figure."""
        self.overlaps = root / "overlaps.jsonl"
        """The rows that overlap a benchmark, where the stage was refused for them."""
        self.mined = root / "mined"
        """What an earlier model was asked before the stage, and what was kept of it."""
        self.mined_questions = self.mined / "asked.jsonl"
        """The rows that it was asked."""
        self.mined_run = self.mined / "run"
        """The run in which it answered them."""
        self.mined_rows = self.mined / "rows.jsonl"
        """The rows that were kept."""
        self.mined_report = self.mined / "mined.json"
        """How many of them were right how often."""
        self.reward_counts = root / "rewards"
        """A file for each process, a line a batch: what its rewards took."""
        self.monitors = root / "monitors.json"
        """The worst figures by each rule of the monitors, and the steps at which it warned."""
        self.verdicts = root.parent / VERDICTS
        """The verdicts of models on chains, for all stages."""
        self.engine = root / "engine"
        """The engine's own folder: its log of metrics and its checkpoints."""
        self.log = root / "engine.log"
        """The output of the engine's processes."""
        self.stop_file = root / "stopped.json"
        """The reason why the plug-in stopped the engine."""
        self.metrics = root / "metrics.jsonl"
        """A line a step: its metrics."""
        self.model = root / "model"
        """The trained model: a plain folder for transformers and vLLM."""
        self.eval = root / "eval"
        """The evaluation of that model."""
        self.described = root / "described"
        """The run in which that model describes the clips."""
