"""The types of what `dtbench subset --json` prints."""

from __future__ import annotations

from typing import Literal, TypedDict


class RankAgreement(TypedDict):
    """How far the scores of runs on a set are from those on all questions."""

    mean_error: float
    """Of a run's accuracy, as a share."""
    max_error: float
    kendall: float | None
    """Kendall's tau-b between the ranks by the set and by all questions; null where all scores are equal."""
    spearman: float | None


class SubsetRun(TypedDict):
    """One of the runs."""

    run: str
    accuracy: float
    """On all questions."""
    subset: float
    """On the set, which this run helped to choose."""
    left_out: float
    """On a set that the other runs alone chose: what the set says of a model that it does not know."""


class QuestionSubset(TypedDict):
    """A small set of questions that ranks runs as all of them do."""

    task: str
    score: str
    """official or strict."""
    method: Literal["stratified"]
    seed: int
    size: int
    questions: int
    """Those that every run was asked."""
    not_shared: int
    """Those that some of the runs were not asked; they are left out."""
    runs: list[SubsetRun]
    chosen_with: RankAgreement
    """Of the runs that chose the set: better than what another run may expect."""
    left_out: RankAgreement
    """Of each run, and of its rank among the others, on a set that was chosen without it."""
    random: RankAgreement
    """Of sets of the same size that are drawn at random, the mean of `draws`."""
    draws: int
    ids: list[str]
    """In the order of the data."""
    out: str | None
    """The file that has the ids, for `dtbench run --ids`."""
