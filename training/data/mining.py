"""Mine boundary cases: keep the questions that a checkpoint sometimes gets right.

Those that it always or never gets right teach reinforcement learning nothing.
Which pass rates the paper kept is not published; from one right answer to all but one is our choice.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.options import (
    Against,
    Argument,
    Backend,
    Concurrency,
    DataDir,
    Limit,
    LongClips,
    MaxFailed,
    ModelName,
    ModelOptions,
    Option,
    PromptFile,
    Samples,
    Seed,
)
from dtbench.harness.run.request import RunRequest
from dtbench.harness.run.session import run as run_benchmark
from dtbench.harness.store.atomic import replace_whole
from dtbench.harness.store.jsonl import json_bytes
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.types import Status
from dtbench.training.data.check_overlap import check_overlap
from dtbench.training.data.rows import TrainingRow, write_rows
from dtbench.training.data.rows_task import SPEC, RowsTask, sample_of
from dtbench.training.data.sources import rows_of, split_of

_BAND = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?")
KEPT, NEVER, TOO_HARD, TOO_EASY, ALWAYS, UNFINISHED = (
    *("kept", "never right", "too hard", "too easy", "always right", "unfinished"),
)
OUTCOMES = (KEPT, NEVER, TOO_HARD, TOO_EASY, ALWAYS, UNFINISHED)
Record = Mapping[str, Any]


class Band(NamedTuple):
    """How many of the answers to a question may be right for it to be kept."""

    low: int
    high: int

    def __str__(self) -> str:
        return f"{self.low}-{self.high}"


def band_of(text: str | None, answers: int) -> Band:
    """The band that a user names, such as 1-7 or 4; without one, all but never and always."""
    if answers < 2:
        raise UserError(f"--samples {answers}: 2 answers or more are expected: a pass rate is told from several.")
    if text is None:
        return Band(1, answers - 1)
    found = _BAND.fullmatch(text.strip())
    band = Band(int(found[1]), int(found[2] or found[1])) if found else None
    if band is None or not 0 <= band.low <= band.high <= answers:
        raise UserError(f"--band {text}: two numbers from 0 to {answers} are expected, the lower first, such as 1-7.")
    return band


@dataclass(slots=True)
class Mined:
    """What was kept, and what became of the others."""

    band: Band
    answers: int
    rows: list[TrainingRow] = field(default_factory=list)
    rates: Counter[int] = field(default_factory=Counter)
    """How many questions had so many right answers."""
    groups: dict[str, dict[str, Counter[str]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(Counter))
    )
    """Heading -> value -> outcome -> how many questions."""
    outcomes: Counter[str] = field(default_factory=Counter)

    def notes(self) -> Iterator[str]:
        """What whoever reads the figures should know."""
        if self.outcomes[UNFINISHED]:
            yield f"{self.outcomes[UNFINISHED]} questions have fewer than {self.answers} answers and are left out"
        if self.rates and not set(self.rates) - {0, self.answers}:
            yield "every question was always right or never: does the model sample (-M temperature=1.0)?"

    def as_json(self) -> dict[str, Any]:
        """The report as an object."""
        return {
            "band": list(self.band),
            "answers": self.answers,
            "questions": sum(self.outcomes.values()),
            "outcomes": {name: self.outcomes[name] for name in OUTCOMES},
            "right_answers": {str(right): self.rates[right] for right in range(self.answers + 1)},
            "groups": {
                heading: {value: {name: counts[name] for name in OUTCOMES} for value, counts in sorted(table.items())}
                for heading, table in self.groups.items()
            },
            "notes": list(self.notes()),
        }


def select(rows: Iterable[TrainingRow], records: Iterable[Record], answers: int, band: Band) -> Mined:
    """The rows whose pass rate lies in the band, each with its rate; the rest is counted by why it is left out."""
    right: dict[str, list[bool]] = defaultdict(list)
    for record in records:
        if "error" not in record and record["sample"] < answers:
            right[record["id"]].append(record["score"]["official"]["correct"])
    mined = Mined(band, answers)
    for row in rows:
        outcome = _outcome(right.get(row.id, ()), answers, band)
        mined.outcomes[outcome] += 1
        for heading, value in sample_of(row).groups.items():
            mined.groups[heading][value][outcome] += 1
        if outcome != UNFINISHED:
            mined.rates[sum(right[row.id])] += 1
        if outcome == KEPT:
            told = {"right": sum(right[row.id]), "answers": answers}
            mined.rows.append(dataclasses.replace(row, extra={**row.extra, "mined": told}))
    return mined


def _outcome(answers: Sequence[bool], wanted: int, band: Band) -> str:
    if len(answers) < wanted:
        return UNFINISHED
    right = sum(answers)
    if band.low <= right <= band.high:
        return KEPT
    if right in {0, wanted}:
        return ALWAYS if right else NEVER
    return TOO_HARD if right < band.low else TOO_EASY


DISJOINT = "overlap: none, no two splits of mini share a clip"


@dataclass(frozen=True, slots=True, kw_only=True)
class MiningOptions:
    """Which rows to mine, and how a checkpoint is asked about them."""

    data: Annotated[str, Argument("DATA", "A file of training rows, or mini:train-1, mini:train-2.")]
    out: Annotated[Path, Option("--out", "DIR", "Where rows.jsonl goes; run it again to go on there.")]
    model: ModelName
    samples: Samples = 8
    band: Annotated[
        str | None, Option("--band", "LOW-HIGH", "How many of the answers may be right; else 1 to K-1.")
    ] = None
    limit: Limit = None
    concurrency: Concurrency = 16
    seed: Seed = 0
    options: ModelOptions = field(default_factory=dict[str, str])
    backend: Backend = None
    prompt: PromptFile = None
    answer: Annotated[str, Option("--answer", "STYLE", "direct, or think (a chain first).")] = "think"
    long_clips: LongClips = "cut"
    max_failed: MaxFailed = 0.01
    against: Against = "found"
    data_dir: DataDir = None

    def run_request(self, task: str, data_dir: Path) -> RunRequest:
        """Return the run that asks the questions."""
        same = {one.name: getattr(self, one.name) for one in fields(RunRequest) if hasattr(self, one.name)}
        return RunRequest(**same | {"tasks": (task,), "data_dir": data_dir, "out": self.out / "run"})


@dataclass(frozen=True, slots=True)
class MiningResult:
    """How it ended."""

    run: Path
    status: Status
    exit_code: int
    mined: Mined | None
    """None where the run has not come to its end: then nothing is written."""
    rows: Path
    checked: Sequence[str]

    def told(self) -> str:
        """Its last line."""
        if self.mined is None:
            return f"run {self.run} ({self.status}): nothing was kept yet, the same command goes on"
        return f"rows {self.rows} ({len(self.mined.rows)} kept, of right answers {self.mined.band})"

    def as_json(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        report = {} if self.mined is None else self.mined.as_json()
        where = {"rows": str(self.rows), "run": str(self.run), "status": self.status}
        return {**where, "overlap": list(self.checked), **report}


def mine(options: MiningOptions, *, quiet: bool) -> MiningResult:
    """Check, ask, choose; an error before anything is asked where the rows overlap a benchmark."""
    split = split_of(options.data)
    clips, target = options.out / "clips", options.out / "rows.jsonl"
    request = options.run_request(split or SPEC, clips if split else Path(options.data))
    band = band_of(options.band, options.samples)
    rows = list(rows_of(options.data, clips, options.limit))
    lines = (
        [DISJOINT] if split else check_overlap(rows, options.against, options.data_dir, options.out / "overlaps.jsonl")
    )
    run = run_benchmark(request, quiet=quiet)
    if run.status != "done":
        return MiningResult(run.folder, run.status, run.exit_code, None, target, lines)
    mined = select(rows, StoredRun.open(run.folder).records(split or RowsTask.name), options.samples, band)
    _write(mined, options.out, target)
    return MiningResult(run.folder, run.status, 0, mined, target, lines)


def _write(mined: Mined, out: Path, target: Path) -> None:
    kept: Sequence[TrainingRow] = mined.rows
    write_rows(target, kept)
    replace_whole(out / "mined.json", json_bytes(mined.as_json(), indent=2) + b"\n")
