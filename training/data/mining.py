"""Mine boundary cases: keep the questions that a checkpoint sometimes gets right.

Those that it always or never gets right teach reinforcement learning nothing. Which pass rates the paper kept is
not published; from one right answer to all but one is our choice.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from dtbench.harness.core import options as opts
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.options import Argument, Option
from dtbench.harness.run.live_line import LiveCount, LiveLine
from dtbench.harness.run.request import RunRequest
from dtbench.harness.run.session import run_benchmarks
from dtbench.harness.store.atomic import replace_whole
from dtbench.harness.store.jsonl import json_bytes
from dtbench.harness.store.run_folder import StoredRun
from dtbench.training.data.mixing import shuffled_rows
from dtbench.training.data.overlap import check_overlap
from dtbench.training.data.row_sources import load_rows, split_task
from dtbench.training.data.rows import RowsResult, TrainingRow, refuse_other_rows, write_rows
from dtbench.training.data.rows_task import SPEC, RowsTask, row_sample

_BAND = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?")
OUTCOMES = ("kept", "never right", "too hard", "too easy", "always right", "unfinished")
KEPT, NEVER, TOO_HARD, TOO_EASY, ALWAYS, UNFINISHED = OUTCOMES
DISJOINT = "overlap: none, no two splits of mini share a clip"
Record = Mapping[str, Any]


class Band(NamedTuple):
    """How many of its answers may be right for a question to be kept."""

    low: int
    high: int

    def __str__(self) -> str:
        return f"{self.low}-{self.high}"


def parse_band(text: str | None, answers: int) -> Band:
    """Parse a band such as 1-7 or 4; without one, return all but never and always."""
    if answers < 2:
        raise UserError(f"--samples {answers}: 2 answers or more are expected: a pass rate needs several.")
    if text is None:
        return Band(1, answers - 1)
    match = _BAND.fullmatch(text.strip())
    band = Band(int(match[1]), int(match[2] or match[1])) if match else None
    if band is None or not 0 <= band.low <= band.high <= answers:
        raise UserError(f"--band {text}: two numbers from 0 to {answers} are expected, the lower first, such as 1-7.")
    return band


@dataclass(slots=True)
class MinedRows:
    """The rows that were kept, and counts of all."""

    band: Band
    answers: int
    rows: list[TrainingRow] = field(default_factory=list)
    rates: Counter[int] = field(default_factory=Counter)
    """Right answers -> number of questions."""
    groups: dict[str, dict[str, Counter[str]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(Counter))
    )
    """Heading -> value -> outcome -> number of questions."""
    outcomes: Counter[str] = field(default_factory=Counter)

    def draw(self, most: int, seed: int) -> None:
        """Leave so many of the rows at most, drawn by the seed."""
        self.rows = shuffled_rows(self.rows, seed)[:most]

    def notes(self) -> Iterator[str]:
        """Yield what a reader of the figures should know."""
        if self.outcomes[UNFINISHED]:
            yield f"{self.outcomes[UNFINISHED]} questions have fewer than {self.answers} answers and are left out"
        if self.rates and not set(self.rates) - {0, self.answers}:
            yield "every question was always or never right: does the model sample (-M temperature=1.0)?"

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {
            "band": list(self.band),
            "answers": self.answers,
            "questions": sum(self.outcomes.values()),
            "outcomes": {name: self.outcomes[name] for name in OUTCOMES},
            "rows_kept": len(self.rows),
            "right_answers": {str(right): self.rates[right] for right in range(self.answers + 1)},
            "groups": {
                heading: {value: {name: counts[name] for name in OUTCOMES} for value, counts in sorted(table.items())}
                for heading, table in self.groups.items()
            },
            "notes": list(self.notes()),
        }


def select_rows(rows: Iterable[TrainingRow], records: Iterable[Record], answers: int, band: Band) -> MinedRows:
    """Keep the rows whose pass rate lies in the band, each with its rate; count the others by outcome."""
    right: dict[str, list[bool]] = defaultdict(list)
    for record in records:
        if "error" not in record and record["sample"] < answers:
            right[record["id"]].append(record["score"]["official"]["correct"])
    mined = MinedRows(band, answers)
    for row in rows:
        outcome = _outcome(right.get(row.id, ()), answers, band)
        mined.outcomes[outcome] += 1
        for heading, value in row_sample(row).groups.items():
            mined.groups[heading][value][outcome] += 1
        if outcome != UNFINISHED:
            mined.rates[sum(right[row.id])] += 1
        if outcome == KEPT:
            rate = {"right": sum(right[row.id]), "answers": answers}
            mined.rows.append(dataclasses.replace(row, extra={**row.extra, "mined": rate}))
    return mined


def _outcome(answers: Sequence[bool], expected: int, band: Band) -> str:
    if len(answers) < expected:
        return UNFINISHED
    right = sum(answers)
    if band.low <= right <= band.high:
        return KEPT
    if right in {0, expected}:
        return ALWAYS if right else NEVER
    return TOO_HARD if right < band.low else TOO_EASY


@dataclass(frozen=True, slots=True, kw_only=True)
class MiningOptions:
    """The options of mining: the rows, and how a checkpoint answers them."""

    data: Annotated[
        str, Argument("DATA", "File of training rows, or a training split such as mini-train-1.", values="files")
    ]
    out: Annotated[
        Path,
        Option(
            "--out",
            "DIR",
            "Folder of rows.jsonl; one that already holds answers is resumed.",
            panel=opts.OUTPUT,
            values="folders",
        ),
    ]
    model: opts.ModelName = ""
    base_url: opts.BaseUrl = None
    samples: opts.Samples = 8
    band: Annotated[
        str | None, Option("--band", "LOW-HIGH", "Keep rows with this many correct answers out of K.", shown="1 to K-1")
    ] = None
    limit: opts.Limit = None
    concurrency: opts.ModelConcurrency = None
    rpm: opts.Rpm = None
    seed: opts.Seed = 0
    options: opts.ModelOptions = field(default_factory=dict[str, str])
    backend: opts.Backend = None
    prompt: opts.PromptFile = None
    answer: Annotated[
        str,
        Option(
            "--answer",
            "STYLE",
            "direct, or think (reason first, then answer).",
            panel=opts.ANSWERS,
            values=("direct", "think"),
        ),
    ] = "think"
    long_clips: opts.LongClips = "cut"
    max_failed: opts.MaxFailed = 0.01
    against: opts.Against = "found"
    data_dir: opts.DataDir = None

    def __post_init__(self) -> None:
        opts.check_options(self)

    def run_request(self, task: str, data_dir: Path) -> RunRequest:
        """Return the run that asks the questions."""
        same = {one.name: getattr(self, one.name) for one in fields(RunRequest) if hasattr(self, one.name)}
        return RunRequest(**same | {"tasks": (task,), "data_dir": data_dir, "out": self.out / "run"})


def mine(options: MiningOptions, *, quiet: bool) -> RowsResult:
    """Check rows for overlap with benchmarks, run the questions, and keep the rows in the band."""
    refuse_other_rows(options.out)
    split = split_task(options.data)
    clips, target = options.out / "clips", options.out / "rows.jsonl"
    request = options.run_request(split or SPEC, clips if split else Path(options.data))
    band = parse_band(options.band, options.samples)
    rows = list(load_rows(options.data, clips, options.limit))
    listing = options.out / "overlaps.jsonl"
    count = LiveCount("clips")
    with LiveLine(quiet=quiet).showing("overlap", count.state):
        against = (rows, options.against, options.data_dir, listing)
        notes = [DISJOINT] if split else check_overlap(*against, progress=count.set)
    run = run_benchmarks(request, quiet=quiet)
    where = {"rows": str(target), "run": str(run.folder), "status": run.status, "overlap": notes}
    if run.status != "done":
        return RowsResult(run.status, run.exit_code, where)
    mined = select_rows(rows, StoredRun.open(run.folder).records(split or RowsTask.name), options.samples, band)
    write_rows(target, mined.rows)
    replace_whole(options.out / "mined.json", json_bytes(mined.as_json(), indent=2) + b"\n")
    return RowsResult(run.status, 0, {**where, **mined.as_json()})
