"""What `dtbench plot` is asked for: which runs, and which kind of picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from dtbench.harness.compare.paired import ScoreName
from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.harness.core.options import OUTPUT, TESTS, Argument, Option, RunLabels, TaskFile, check_options

KINDS = {
    "groups": "accuracy by group with intervals and what guessing gives",
    "length": "accuracy over the length of the reasoning",
    "budget": "accuracy over --think-budget",
    "calibration": "how far the confidence of forced answers can be believed",
    "training": "the curves of a training",
    "history": "the runs of many nights by date, with the gate's verdicts",
    "weights": "what a training changed in the weights, by layer, kind and expert",
    "states": "how far states drifted by layer, and what weights of B do in A",
    "lens": "what each layer says of words and answers, and where hearing ends",
}
PROBES = ("weights", "states", "lens")
"""The kinds that draw what `dtbench probe` wrote into a folder."""
FORMATS = ("svg", "png", "pdf")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlotOptions:
    """Which runs are drawn, and how; a UserError where a value is not allowed."""

    runs: Annotated[
        Sequence[Path],
        Argument(
            "RUN...",
            "Run folders; the folder of a training for --kind training, of a probe for weights, states and lens; for "
            "budget and history, a folder of runs works too.",
            values="runs",
        ),
    ] = ()
    kind: Annotated[
        str,
        Option("--kind", "KIND", f"What to draw: {', '.join(KINDS)}.", panel=OUTPUT, values=tuple(KINDS)),
    ] = "groups"
    by: Annotated[
        str | None,
        Option(
            "--by",
            "HEADING",
            "With --kind groups, one row per value of this heading.",
            shown="the columns of the benchmark's own table",
        ),
    ] = None
    task: Annotated[
        str | None, Option("--task", "TASK", "Only this benchmark of the runs.", shown="all", values="tasks")
    ] = None
    score: ScoreName = "official"
    labels: RunLabels = ()
    metrics: Annotated[
        Sequence[str],
        Option(
            "--metric",
            "NAME",
            "With --kind training, a curve to draw (repeatable).",
            panel=OUTPUT,
            shown="reward, KL, lengths and the like",
        ),
    ] = ()
    baseline: Annotated[
        Path | None,
        Option(
            "--baseline",
            "RUN",
            "With --kind history, the baseline of the gate.",
            panel=TESTS,
            values="runs",
            is_run=True,
        ),
    ] = None
    task_file: TaskFile = None

    def __post_init__(self) -> None:
        """Refuse values that are not allowed."""
        check_options(self)
        if not self.runs:
            raise UserError("plot: one run folder or more is expected.")
        if self.kind not in KINDS:
            raise UserError(f"--kind {self.kind}: unknown. {did_you_mean(self.kind, KINDS)}")
        if self.score not in {"official", "strict"}:
            raise UserError(f"--score {self.score}: unknown. {did_you_mean(self.score, ('official', 'strict'))}")
        if self.kind in PROBES and len(self.runs) > 1:
            raise UserError(f"{self.runs[1]}: --kind {self.kind} draws one folder of a probe: leave the other out.")
        for flag, given, kind in (
            ("--by", self.by, "groups"),
            ("--metric", self.metrics, "training"),
            ("--baseline", self.baseline, "history"),
        ):
            if given and self.kind != kind:
                raise UserError(f"{flag}: only --kind {kind} takes it, and this is --kind {self.kind}.")
