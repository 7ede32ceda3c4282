"""Mix the rows of several sources: which of them a stage takes, and in which order.

What is drawn follows from the seed and the id of each row alone: not from the order of a file, nor from the version of
Python. A row that is added changes the place of no other.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from dtbench.harness.core.errors import DataError, UserError
from dtbench.training.data.rows import TrainingRow


class SourceRows(NamedTuple):
    """All rows of one source."""

    source: str
    rows: Sequence[TrainingRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """How many rows of each source are taken, and in which order."""

    questions: int | None = None
    """As many in all; None for as many as the weights allow."""
    weights: Sequence[float] = ()
    """The share of each source; without any, sources are joined as they are."""
    shuffle: bool = True
    """Whether rows are drawn by the seed; else the first of each source are taken, source after source."""
    seed: int = 0


class MixedRows(NamedTuple):
    """The rows that are taken, each once, and how many of each source they are."""

    rows: list[TrainingRow]
    notes: list[str]


def mix_rows(sources: Sequence[SourceRows], mixture: Mixture) -> MixedRows:
    """Take the rows of a mixture; a DataError for an id that stands twice, a UserError where a source is too small."""
    _check_ids(sources)
    ordered = [
        SourceRows(source, shuffled_rows(rows, mixture.seed) if mixture.shuffle else rows) for source, rows in sources
    ]
    if mixture.weights:
        counts = _weighted_counts(sources, mixture)
        ordered = [SourceRows(source, rows[:count]) for (source, rows), count in zip(ordered, counts, strict=True)]
    rows = [row for _, of_source in ordered for row in of_source]
    rows = (shuffled_rows(rows, mixture.seed) if mixture.shuffle else rows)[: mixture.questions]
    return MixedRows(rows, _notes(sources, {row.id for row in rows}))


def shuffled_rows(rows: Iterable[TrainingRow], seed: int) -> list[TrainingRow]:
    """Return the rows in the order that the seed gives them; the first of them are a random draw."""
    return sorted(rows, key=lambda row: hashlib.sha256(f"{seed}\0{row.id}".encode("utf-8", "surrogatepass")).digest())


def _check_ids(sources: Sequence[SourceRows]) -> None:
    seen: dict[str, str] = {}
    for source, rows in sources:
        for row in rows:
            if (first := seen.setdefault(row.id, source)) != source:
                raise DataError(f"duplicate id {row.id} ({first}, {source}): a row is trained on once.")
    names = [source for source, _ in sources]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserError(f"data names {twice[0]} twice: a row is trained on once; give it a larger share by `weights`.")


def _weighted_counts(sources: Sequence[SourceRows], mixture: Mixture) -> list[int]:
    """Return how many rows each source gives; the shares add up to the whole."""
    whole = sum(map(Fraction, mixture.weights))
    shares = [Fraction(weight) / whole for weight in mixture.weights]
    most = min(math.floor(len(rows) / share) for (_, rows), share in zip(sources, shares, strict=True))
    counts = _apportioned(shares, most if mixture.questions is None else mixture.questions)
    for (source, rows), count in zip(sources, counts, strict=True):
        if count > len(rows):
            shown = ", ".join(f"{weight:g}" for weight in mixture.weights)
            raise UserError(
                f"questions = {mixture.questions}: {source} has {len(rows)} questions, and its share by weights = "
                f"[{shown}] is {count}. Give it a smaller weight, or take questions = {most} at most."
            )
    return counts


def _apportioned(shares: Sequence[Fraction], total: int) -> list[int]:
    """Round shares of a total to whole numbers that add up to it, by the largest remainders."""
    counts = [math.floor(share * total) for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda place: counts[place] - shares[place] * total)
    for place in by_remainder[: total - sum(counts)]:
        counts[place] += 1
    return counts


def _notes(sources: Sequence[SourceRows], taken: set[str]) -> list[str]:
    """Tell how many rows of each source are taken, where there are several."""
    if len(sources) < 2:
        return []
    counts = [sum(row.id in taken for row in rows) for _, rows in sources]
    return [f"{n} of the {len(one.rows)} questions of {one.source}" for n, one in zip(counts, sources, strict=True)]
