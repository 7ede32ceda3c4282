"""The types of summary.json: of a run, of a judge, and of `dtbench cot`."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from dtbench.harness.core.price import SpentFigures
from dtbench.harness.store.acoustic_types import AcousticFigures
from dtbench.harness.store.paper_types import PaperFigures
from dtbench.harness.store.robustness_types import RobustnessFigures
from dtbench.harness.store.share_types import AllFigures, CountedFigures, GapFigures, IntervalFigures, ShareFigures
from dtbench.harness.store.types import RunStatus


class OfficialFigures(CountedFigures, IntervalFigures):
    """The official score."""

    raw: CountedFigures | None
    """The script's verdicts on the untouched texts."""
    groups: dict[str, dict[str, CountedFigures]]


class StrictFigures(AllFigures, IntervalFigures):
    """The strict score."""

    groups: dict[str, dict[str, AllFigures]]


class ScorerFigures(IntervalFigures):
    """One scorer of a task that names its scorers."""

    mean: float | None
    """The mean of its marks, from 0 to 1; null where it has marked no answer yet."""
    n: int
    """How many answers it marked."""
    waiting: int
    """How many answers wait for a second pass."""


class EvidenceFigures(TypedDict):
    """The answers whose option was read on one level of evidence."""

    n: int
    """How many there are, those set aside included."""
    correct: int | None
    """How many of them are the right option; null where right and wrong are not known."""


class ColumnFigures(TypedDict):
    """A column of the table that papers print."""

    column: str
    official: float | None
    counted: int
    strict: float | None
    n: int


class ClusterFigures(TypedDict):
    """Intervals over clips: answers about one clip, or several to one question, hang together."""

    clips: int
    official: IntervalFigures | None
    strict: IntervalFigures | None


class RepeatFigures(TypedDict):
    """An accuracy over several answers to each question."""

    each: list[float]
    mean: float | None
    sd: float | None


RepeatsFigures = TypedDict(  # functional: `pass` is a keyword
    "RepeatsFigures",
    {
        "k": int,
        "strict": RepeatFigures,
        "official": RepeatFigures,
        "majority": ShareFigures,
        "pass": dict[str, float],
    },
)


class SpreadFigures(TypedDict):
    """Mean, median and 95th percentile."""

    mean: float | None
    median: float | None
    p95: float | None


class ChainFigures(SpreadFigures):
    """The lengths of chains of thought, in characters."""

    n: int


class SecondsFigures(SpreadFigures):
    """How long responses took."""

    total: float


TokenFigures = TypedDict("TokenFigures", {"in": int | None, "out": int | None})  # functional: `in` is a keyword


class BinFigures(TypedDict):
    """Answers of like confidence."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


class CalibrationFigures(TypedDict):
    """How far confidence can be believed."""

    n: int
    accuracy: float
    confidence: float
    ece: float
    ece_equal_mass: float
    ece_by_chance: float
    """The error that as many rightly confident answers show."""
    brier: float
    bins: list[BinFigures]


class ForcedFigures(TypedDict):
    """Forced answers."""

    n: int
    no_letter: int
    started_with_chain: int
    with_logprobs: int
    scored: int
    """How many have a probability."""
    not_argmax: int
    """How many were not the likeliest option."""
    confidence: float | None
    letter_mass: float | None
    """The probability of all letters together, on the mean."""
    calibration: CalibrationFigures | None
    note: NotRequired[str]


class AblationFigures(TypedDict):
    """A run with other clips against the plain one."""

    audio: NotRequired[str]
    """What is heard in it, as --audio has it; absent in older summaries."""
    n: int
    unmatched: int
    """Questions without an answer in one of the runs."""
    plain: float | None
    altered: float | None
    gap: GapFigures | None
    same_choice: ShareFigures | None


class StyleFigures(TypedDict):
    """A run with another style of answer against the plain one."""

    n: int
    unmatched: int
    plain: float | None
    this: float | None
    gap: GapFigures | None
    differ: ShareFigures | None
    no_choice: int


class OrderFigures(TypedDict):
    """Runs with the options in several orders."""

    orders: int
    n: int
    unmatched: int
    accuracy: list[float | None]
    moved: ShareFigures | None
    """Choices that are not the same in every order."""
    moved_between_two: float | None
    right_in_all: float | None
    right_in_some: float | None


class AverageFigures(TypedDict):
    """Answers by mean probability over several orders of the options."""

    orders: int
    n: int
    unmatched: int
    strict: ShareFigures | None
    calibration: CalibrationFigures | None


class RelatedFigures(TypedDict, total=False):
    """What a summary says against the other runs in its folder."""

    vs_plain: StyleFigures
    audio_ablation: AblationFigures
    order_sensitivity: OrderFigures
    order_averaged: AverageFigures


class DifferFigures(TypedDict):
    """Verdicts of today that differ from the stored ones."""

    n: int
    ids: list[str]


class TaskSummary(RelatedFigures, PaperFigures):
    """The summary of one task; a task may add figures of its own."""

    task: str
    scorer: str
    n: int
    """How many answers there should be."""
    official: OfficialFigures
    strict: StrictFigures
    scorers: NotRequired[dict[str, ScorerFigures]]
    """By each scorer of a task that names some; the one that is official for most questions first."""
    unanswered: int
    evidence: NotRequired[dict[str, EvidenceFigures]]
    """Level of evidence -> the answers that rest on it, the firmest level first."""
    min_evidence: NotRequired[str]
    """The weakest level of evidence that counts as an answer."""
    set_aside: NotRequired[int]
    """How many unanswered ones had an option on evidence too weak to count."""
    dropped: int
    """How many are not in the script's denominator."""
    dropped_why: dict[str, int]
    failed: int
    failed_why: dict[str, int]
    missing: int
    paper: list[ColumnFigures]
    clustered: ClusterFigures | None
    repeats: RepeatsFigures | None
    clips: dict[str, int]
    """What was done with clips, and how often."""
    finish_reasons: dict[str, int]
    chains: ChainFigures
    tokens: TokenFigures
    seconds: SecondsFigures
    attempts: int
    forced: NotRequired[ForcedFigures]
    notes: list[str]
    data: NotRequired[str | None]
    """The version of the data."""
    differ: NotRequired[DifferFigures | None]
    robustness: NotRequired[list[RobustnessFigures]]
    """What moves the score, where other runs of the folder ask in other forms; never in summary.json."""
    acoustics: NotRequired[AcousticFigures]
    """What `dtbench score --acoustics` adds; never in summary.json."""


class Summary(TypedDict):
    """summary.json of a run, and what `run --json` prints."""

    run: str
    status: RunStatus
    tasks: list[TaskSummary]
    notes: NotRequired[list[str]]
    spent: NotRequired[SpentFigures]
    shard: NotRequired[str]
    """I/N, where the figures are of one shard alone; never in summary.json."""
    waiting: NotRequired[dict[str, str]]
    """How each shard stands that has not ended; never in summary.json."""


class CotSummary(TypedDict):
    """summary.json of `dtbench cot`."""

    rows: str
    status: RunStatus
    drafts: int
    written: int
    rejected: int
    failed: int
    missing: int
    rejected_why: dict[str, int]
    tokens: dict[str, dict[str, int]]
    overlap: list[str]
