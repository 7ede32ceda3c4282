"""Find a small set of questions from Python, as `dtbench subset` does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dtbench.harness.api.requests import RunLike, folder_of, make_request
from dtbench.harness.compare.subset import SubsetRequest, find_subset
from dtbench.harness.store.subset_types import QuestionSubset


def subset(runs: Iterable[RunLike], size: int, **options: Any) -> QuestionSubset:
    """Select a small set of questions that ranks runs like the whole; `ids` has the set, `left_out` its error.

    The options are those of `dtbench subset` in Python's spelling: out, task, score, seed.
    """
    given = {**options, "runs": [folder_of(run) for run in runs], "size": size}
    return find_subset(make_request(SubsetRequest, given, "subset"))
