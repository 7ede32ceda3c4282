"""The options of `dtbench run`, and their checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from dtbench.harness.audio.prepare import LONG_CLIP_RULES
from dtbench.harness.core import options as opts
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.options import Option
from dtbench.harness.core.task import STYLES
from dtbench.harness.core.typed_settings import at_least, one_of
from dtbench.harness.extract.evidence import DEFAULT_MIN_EVIDENCE, EVIDENCE_LEVELS
from dtbench.harness.run.plan import AUDIO_MODES


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """One run of a model on benchmarks; a UserError where a value is not allowed."""

    model: opts.ModelName
    tasks: Annotated[
        Sequence[str], Option("--tasks", "T,T", "mmar, mmau-mini, mmau-test, mmsu, or yours.", parse=opts.parse_names)
    ] = ()
    data_dir: opts.DataDir = None
    out: Annotated[Path | None, Option("--out", "DIR", "The run's folder; the same one resumes.")] = None
    limit: Annotated[int | None, Option("--limit", "N", "Only the first N questions of each task."), at_least(1)] = None
    ids: Annotated[
        Path | Sequence[str] | None,
        Option("--ids", "FILE", "Only the questions with these ids, one a line.", parse=Path),
    ] = None
    """A file of ids, or the ids themselves."""
    samples: opts.Samples = 1
    concurrency: opts.Concurrency = 16
    seed: opts.Seed = 0
    options: opts.ModelOptions = field(default_factory=dict[str, str])
    backend: opts.Backend = None
    """What runs a checkpoint; None for its family's own."""
    prompt: opts.PromptFile = None
    """A file, or the words themselves: see is_prompt()."""
    answer: Annotated[
        str,
        Option("--answer", "STYLE", "direct, think (a chain first), or forced (one letter, with its probability)."),
        one_of(STYLES),
    ] = "direct"
    audio: Annotated[
        str,
        Option("--audio", "MODE", "clip; or silence, noise, shuffle, to see whether the model listens."),
        one_of(AUDIO_MODES),
    ] = "clip"
    permute: Annotated[int, Option("--permute", "K", "Rotate the options by K places."), at_least(0)] = 0
    long_clips: Annotated[opts.LongClips, one_of(LONG_CLIP_RULES)] = "cut"
    max_failed: opts.MaxFailed = 0.01
    min_evidence: Annotated[opts.MinEvidence, one_of(EVIDENCE_LEVELS)] = DEFAULT_MIN_EVIDENCE
    track: Annotated[
        str | None, Option("--track", "T", "single: refuse what the challenge's track for one model forbids.")
    ] = None
    task_file: opts.TaskFile = None

    def __post_init__(self) -> None:
        """Refuse values that are not allowed."""
        if not self.tasks and self.task_file is None:
            raise UserError("--tasks is missing: name one or more, such as --tasks mmar,mmsu, or give --task-file.")
        opts.check_options(self)
        if self.answer == "forced" and self.samples > 1:
            raise UserError(
                f"--samples {self.samples}: a forced answer is the likeliest letter, the same at every repeat: "
                f"leave --samples out; for other orders of the options take --permute."
            )
