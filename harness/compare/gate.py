"""Whether a candidate may replace a baseline: passed, regressed, or too few questions to tell.

Passed: it is shown that the candidate is not worse than the baseline by more than is allowed. Regressed: that is not
shown, and it is shown that it is worse. Both are shown with the same small chance of being wrong; where neither is,
the gate says that it cannot tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from dtbench.harness.compare.paired import PairedQuestion, PairedRuns
from dtbench.harness.core.errors import MachineryError
from dtbench.harness.stats.paired import Bounds, PairedShares, bounds, needed, power_of_passing, surely_worse

Verdict = Literal["passed", "regressed", "undecided"]
EXIT = {"passed": 0, "regressed": 1, "undecided": 4}
WORST: Sequence[Verdict] = ("regressed", "undecided", "passed")


class Gated(NamedTuple):
    """What a gate says of one task, or of one group of it."""

    task: str
    group: str | None
    verdict: Verdict
    n: int
    before: float
    after: float
    difference: float
    low: float
    high: float
    max_drop: float
    alpha: float
    passes: float
    """How often so many questions would pass a candidate that is as good."""
    needed: int | None
    """How many questions it takes for that to be four times in five."""

    @property
    def name(self) -> str:
        """The task, and the group in it."""
        return self.task if self.group is None else f"{self.task} {self.group}"


def gate(joined: PairedRuns, groups: Sequence[str], *, max_drop: float, alpha: float) -> list[Gated]:
    """The verdict on the task, and on each group that is named as HEADING=VALUE."""
    return [_gated(joined, group, questions, max_drop, alpha) for group, questions in _parts(joined, groups)]


def _parts(joined: PairedRuns, groups: Sequence[str]) -> Iterator[tuple[str | None, Sequence[PairedQuestion]]]:
    yield None, joined.questions
    for group in groups:
        heading, _, value = group.partition("=")
        yield group, [one for one in joined.questions if (heading, value) in one.groups]


def _gated(
    joined: PairedRuns, group: str | None, questions: Sequence[PairedQuestion], max_drop: float, alpha: float
) -> Gated:
    pairs = joined.pairs(questions)
    found = bounds(pairs, alpha)
    count = len(pairs)
    clusters = len({pair.cluster for pair in pairs})
    flips = sum(pair.before != pair.after for pair in pairs) / count
    return Gated(
        task=joined.task,
        group=group,
        verdict=_verdict(pairs, found, max_drop, alpha),
        n=count,
        before=sum(pair.before for pair in pairs) / count,
        after=sum(pair.after for pair in pairs) / count,
        difference=found.difference,
        low=found.low,
        high=found.high,
        max_drop=max_drop,
        alpha=alpha,
        passes=power_of_passing(clusters, flips, max_drop, alpha),
        needed=needed(max(flips, 1 / clusters), max_drop, alpha),
    )


def _verdict(pairs: Sequence[PairedShares], found: Bounds, max_drop: float, alpha: float) -> Verdict:
    if found.low > -max_drop:
        return "passed"
    return "regressed" if surely_worse(pairs, alpha) else "undecided"


def refuse_unsound(joined: PairedRuns, allowed: Sequence[str]) -> None:
    """A MachineryError where nothing can pass: settings that differ, answers that are missing or failed."""
    unfair = [one for one in joined.unfair if one.name not in allowed]
    if unfair:
        told = "; ".join(map(str, unfair))
        raise MachineryError(
            f"{joined.task}: the runs differ in more than the model: {told}. Run one of them again with the settings "
            f"of the other, or name what may differ: {' '.join(f'--allow {one.name}' for one in unfair)}."
        )
    for name, failed, expected, answered in zip(
        ("baseline", "candidate"), joined.failed, joined.expected, joined.answered, strict=True
    ):
        if answered < expected:
            why = f"{failed} failed, {expected - answered - failed} were never asked"
            raise MachineryError(
                f"{joined.task}: {expected - answered} of {expected} answers of the {name} are missing ({why}): a gate "
                f"passes nothing that is not whole. Run the same command again, it asks for what is missing."
            )
    if joined.only_before or joined.only_after or not joined.questions:
        raise MachineryError(
            f"{joined.task}: {joined.only_before} questions are only in the baseline and {joined.only_after} only in "
            f"the candidate: compare runs on the same questions."
        )


def worst(results: Sequence[Gated]) -> Verdict:
    """The verdict of all together."""
    return next(verdict for verdict in WORST if any(one.verdict == verdict for one in results))


def as_json(results: Sequence[Gated]) -> list[dict[str, Any]]:
    """The objects that `--json` prints."""
    return [one._asdict() for one in results]
