"""The options of `dtbench run` and `sweep`, and their checks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated

from dtbench.harness.audio.modes import AUDIO_EXAMPLES, AUDIO_MODES, IS_AUDIO_MODE, parse_audio_mode
from dtbench.harness.audio.prepare import LONG_CLIP_RULES
from dtbench.harness.core import options as opts
from dtbench.harness.core.conditions import IS_PERMUTATION, order_number
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.model import Model
from dtbench.harness.core.options import Argument, Option
from dtbench.harness.core.task import STYLES, Task
from dtbench.harness.core.typed_settings import at_least, at_most, one_of
from dtbench.harness.extract.evidence import DEFAULT_MIN_EVIDENCE, EVIDENCE_LEVELS
from dtbench.harness.store.shards import Shard, parse_shard
from dtbench.models.endpoint.address import complete_url, name_endpoint
from dtbench.models.registry import MODELS

MOST_EXAMPLES = 100
NO_MODELS = "MODEL is missing: name the checkpoints to run, such as `dtbench sweep ckpt-100 ckpt-200 --tasks mmar`."


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """One run of a model on benchmarks; a UserError where a value is not allowed."""

    model: opts.ModelName = ""
    """What answers; the endpoint where there is a base_url."""
    base_url: opts.BaseUrl = None
    """Becomes the model, and the model an option of its requests: a request is written in one way."""
    tasks: Annotated[
        Sequence[str],
        Option(
            "--tasks",
            "TASK,...",
            "Benchmarks, separated by commas: mmar, mmau-mini, mmau-test, mmsu, mini or your own.",
            parse=opts.parse_names,
            shown=opts.REQUIRED,
            values="task lists",
        ),
    ] = ()
    data_dir: opts.DataDir = None
    out: Annotated[
        Path | None,
        Option(
            "--out",
            "RUN",
            "Run folder; one that already holds this run is resumed.",
            panel=opts.OUTPUT,
            shown="results/runs/MODEL-TASK",
            values="runs",
        ),
    ] = None
    limit: Annotated[
        int | None,
        Option("--limit", "N", "Only the first N questions of each benchmark.", shown="all"),
        at_least(1),
        at_most(opts.MOST_QUESTIONS),
    ] = None
    num_fewshot: Annotated[
        int,
        Option(
            "--num-fewshot",
            "N",
            "Show the first N of the task's examples, with their clips and answers, before each question.",
            shown="0",
        ),
        at_least(0),
        at_most(MOST_EXAMPLES),
    ] = 0
    ids: Annotated[
        Path | Sequence[str] | None,
        Option(
            "--ids",
            "FILE",
            "Only the questions whose ids this file lists, one per line.",
            parse=Path,
            values="files",
        ),
    ] = None
    """A file of ids, or the ids themselves."""
    samples: opts.Samples = 1
    concurrency: opts.ModelConcurrency = None
    """None for as many as the model can use."""
    rpm: opts.Rpm = None
    max_cost: opts.MaxCost = None
    max_tokens_in_all: opts.MaxTokensInAll = None
    seed: opts.Seed = 0
    options: opts.ModelOptions = field(default_factory=dict[str, str])
    backend: opts.Backend = None
    """What runs a checkpoint; None for its family's own."""
    prompt: opts.PromptFile = None
    """A file, a name of an authors' prompt, or the words themselves: see is_prompt()."""
    think_budget: opts.ThinkBudget = ()
    """The most tokens of a chain of thought: several for a run with each of them."""
    system: opts.SystemPrompt = None
    """A file, or the words themselves; `-M system=` gives it too."""
    answer: Annotated[
        str,
        Option(
            "--answer",
            "STYLE",
            "direct, think (reason first, then answer) or forced (one letter, with its probability).",
            panel=opts.ANSWERS,
            values=STYLES,
        ),
        one_of(STYLES),
    ] = "direct"
    audio: Annotated[
        str,
        Option(
            "--audio",
            "MODE",
            "What the model hears: clip; to test whether it listens, silence, noise or shuffle (another question's "
            "clip), noise:10dB (the clip with noise), or mp3:16k, opus:16k (the clip through a codec).",
            panel=opts.TESTS,
            values=(*AUDIO_MODES, *AUDIO_EXAMPLES),
        ),
        IS_AUDIO_MODE,
    ] = "clip"
    permute: Annotated[
        int | str,
        Option(
            "--permute",
            "K",
            "Rotate the answer options by K places, to test for position bias; cyclic: one run per rotation, all: "
            "one per order (at most 24).",
            parse=opts.parse_permutation,
            panel=opts.TESTS,
            shown="0",
            values=("cyclic", "all"),
        ),
        IS_PERMUTATION,
    ] = 0
    """`all:K` for one of all orders, from 1 for the data set's own."""
    paraphrase: Annotated[
        Path | None,
        Option(
            "--paraphrase",
            "FILE",
            "Reword the questions: JSON lines with id and question, choices or both; several lines per id give several "
            "runs.",
            parse=Path,
            panel=opts.TESTS,
            values="files",
        ),
    ] = None
    wording: Annotated[
        int | None,
        Option(
            "--wording",
            "K",
            "Only the K-th of several paraphrases of each question.",
            panel=opts.TESTS,
            shown="all, one run each",
        ),
        at_least(1),
    ] = None
    long_clips: Annotated[opts.LongClips, one_of(LONG_CLIP_RULES)] = "cut"
    max_failed: opts.MaxFailed = 0.01
    min_evidence: Annotated[opts.MinEvidence, one_of(EVIDENCE_LEVELS)] = DEFAULT_MIN_EVIDENCE
    track: Annotated[
        str | None,
        Option(
            "--track",
            "TRACK",
            "single: refuse what the single-model track of the Audio Reasoning Challenge forbids.",
            panel=opts.TESTS,
            values=("single",),
        ),
    ] = None
    task_file: opts.TaskFile = None
    shard: Annotated[
        str | None,
        Option(
            "--shard",
            "I/N",
            "Ask only part I of N of the questions; other parts use the same --out.",
            panel=opts.RUNS,
            shown="1/1; in a SLURM array, the task's part",
        ),
    ] = None

    model_object: Model | None = None
    """What answers, where it is an object of Python; `model` is its name."""
    task_objects: Sequence[Task] = ()
    """The benchmarks among `tasks` that are objects of Python."""

    def __post_init__(self) -> None:
        """Refuse values that are not allowed."""
        if self.model_object is None:
            self._name_endpoint()
        else:
            self._refuse_settings()
        self._take_system()
        if not self.tasks and self.task_file is None:
            raise UserError("--tasks is missing: name one or more, such as --tasks mmar,mmsu, or give --task-file.")
        opts.check_options(self)
        object.__setattr__(self, "audio", str(parse_audio_mode(self.audio)))  # one spelling for one thing
        if self.wording is not None and self.paraphrase is None:
            raise UserError(f"--wording {self.wording}: of which file? Name the paraphrases with --paraphrase FILE.")
        if self.shard is not None:
            parse_shard(self.shard)
        if self.part is not None and (self.max_cost or self.max_tokens_in_all):
            flag = "--max-cost" if self.max_cost else "--max-tokens-in-all"
            raise UserError(
                f"{flag} with --shard {self.shard}: a shard does not see what the others spend: run without shards, or "
                "limit the questions with --limit."
            )
        if self.answer == "forced" and self.think_budget:
            raise UserError("--think-budget: a forced answer has no chain of thought: take --answer think or direct.")
        if self.answer == "forced" and self.samples > 1:
            raise UserError(
                f"--samples {self.samples}: a forced answer is the likeliest letter, the same at every repeat: "
                f"leave --samples out; for other orders of the options take --permute."
            )

    @property
    def turns(self) -> int:
        """Return by how many places the options are rotated."""
        return self.permute if isinstance(self.permute, int) else 0

    @property
    def order(self) -> int:
        """Return which of all orders the options have, from 1 for the data set's own."""
        return order_number(self.permute) or 1

    @property
    def may_be_several(self) -> bool:
        """Whether it may ask for several runs: in several orders or in several wordings."""
        return self.permute in {"all", "cyclic"} or (self.paraphrase is not None and self.wording is None)

    @property
    def budget(self) -> int | None:
        """Return the most tokens of a chain in this run; None for no limit."""
        return self.think_budget[0] if self.think_budget else None

    def by_budget(self) -> Sequence[RunRequest]:
        """Return a run for each budget; this one where there is none or one."""
        return [replace(self, think_budget=(budget,)) for budget in self.think_budget] or [self]

    @property
    def part(self) -> Shard | None:
        """Return the part of the questions that is asked; None for all of them."""
        shard = None if self.shard is None else parse_shard(self.shard)
        return None if shard is None or shard.of == 1 else shard

    def _take_system(self) -> None:
        """Take `-M system` for --system: it is among the words of a prompt, whatever the model."""
        if "system" not in self.options:
            return
        if self.system is not None:
            raise UserError("--system and -M system: both say the same: give one of them.")
        rest = {name: text for name, text in self.options.items() if name != "system"}
        object.__setattr__(self, "system", str(self.options["system"]))
        object.__setattr__(self, "options", rest)

    def _refuse_settings(self) -> None:
        """Refuse what is for a model that is opened by its name."""
        rest = next((name for name in self.options if name != "system"), None)
        given = {f"-M {rest}": rest, "--base-url": self.base_url, "--backend": self.backend}
        for flag, value in given.items():
            if value is not None:
                raise UserError(f"{flag}: {self.model} is an object of Python and has its own settings: leave it out.")

    def _name_endpoint(self) -> None:
        model, options = complete_url(self.model) if self.model not in MODELS else self.model, self.options
        if self.base_url is not None:
            model, options = name_endpoint(self.base_url, self.model, self.options)
        if not model:
            raise UserError("--model is missing: name one, such as --model first, or the URL of an endpoint.")
        for name, value in (("model", model), ("options", options), ("base_url", None)):
            object.__setattr__(self, name, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRequest(RunRequest):
    """Runs of several checkpoints that are alike otherwise; a UserError where a value is not allowed."""

    models: Annotated[
        Sequence[str],
        Argument("MODEL...", "Checkpoints, or anything else that `dtbench run --model` takes.", missing=NO_MODELS),
    ] = ()
    model: str = ""
    """Not given: `models` are."""
    out: Annotated[
        Path | None,
        Option(
            "--out",
            "DIR",
            "Folder with one run folder per checkpoint; the same command resumes.",
            panel=opts.OUTPUT,
            shown="results/runs",
            values="files",
        ),
    ] = None

    def __post_init__(self) -> None:
        """Refuse what any of the runs would refuse, before the first one begins."""
        self.requests()

    def requests(self) -> Mapping[str, RunRequest]:
        """Return the run of each checkpoint by its name."""
        if not self.models:
            raise UserError(NO_MODELS)
        shared = {one.name: getattr(self, one.name) for one in fields(RunRequest)}
        requests: dict[str, RunRequest] = {}
        places: dict[str, str] = {}
        for model in self.models:
            place = _folder_name(model)
            if place in places:
                raise UserError(f"{model}: {places[place]} has the same folder ({place}): name each checkpoint once.")
            places[place] = model
            out = None if self.out is None else self.out / place
            requests[model] = RunRequest(**{**shared, "model": model, "out": out})
        return requests


def _folder_name(model: str) -> str:
    """Return the name of a checkpoint's folder, the same in every sweep."""
    return re.sub(r"[^\w.+-]+", "-", model).strip("-.")[-120:] or "model"
