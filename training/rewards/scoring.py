"""Score batches of completions: what an engine's plug-in calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import NamedTuple, Self

from dtbench.harness.core.errors import MachineryError, UserError, did_you_mean
from dtbench.harness.core.scorer import Scorer
from dtbench.tasks import registry as task_registry
from dtbench.training.data.rows import TrainingRow
from dtbench.training.rewards.cache import Cache
from dtbench.training.rewards.completion import parse_completion
from dtbench.training.rewards.counts import RewardCounts
from dtbench.training.rewards.embedding import ChainSimilarity
from dtbench.training.rewards.evaluator import Evaluator
from dtbench.training.rewards.guards import matching_guard
from dtbench.training.rewards.settings import EVENTS, RewardSettings
from dtbench.training.rewards.terms import REWARDS, Candidate, RewardBatch, round_to_grid

MIN_ASKED = 50
"""The least number of requests that the share of failures is taken of: one failure at the start is no share."""


class Scores(NamedTuple):
    """The rewards of a batch."""

    values: Mapping[str, list[float]]
    """Reward -> one number a completion, multiples of 1/1024 from 0 to 1, never NaN."""
    report: RewardCounts
    """What this batch took."""


class Rewards:
    """Computes the rewards of a stage; `total` counts what all batches took."""

    def __init__(self, settings: RewardSettings) -> None:
        self.settings = settings
        self.total = RewardCounts()
        self._scorer = task_registry.get_task(settings.task) if settings.task else Scorer()
        self._cache = Cache(settings.cache)
        self._evaluator = Evaluator(settings, self._cache)
        self._similarity = ChainSimilarity(settings, self._cache)

    def score_batch(self, names: Sequence[str], rows: Sequence[TrainingRow], completions: Sequence[str]) -> Scores:
        """Return the rewards of these names; a MachineryError where too many chains got no verdict."""
        if len(rows) != len(completions):
            raise ValueError(f"{len(rows)} rows and {len(completions)} completions")
        check_reward_names(names, self.settings)
        report = RewardCounts()
        report.counts["completions"] = len(rows)
        candidates = [self._candidate(row, text) for row, text in zip(rows, completions, strict=True)]
        guards = (candidate.guard for candidate in candidates)
        report.counts.update(f"guard_{guard.replace(' ', '_')}" for guard in guards if guard is not None)
        batch = RewardBatch(candidates, self.settings, self._evaluator, self._similarity, report)
        values = {name: [round_to_grid(value) for value in REWARDS[name](batch)] for name in names}
        self.total.add(report)
        self._refuse_too_many_failures()
        return Scores(values, report)

    def close(self) -> None:
        """Close connections, models and files."""
        self._evaluator.close()
        self._similarity.close()
        self._cache.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _candidate(self, row: TrainingRow, text: str) -> Candidate:
        completion = parse_completion(row, text, self.settings.template, self._scorer)
        return Candidate(row, completion, matching_guard(row, completion.chain, self.settings))

    def _refuse_too_many_failures(self) -> None:
        counts = self.total.counts
        for kind in ("evaluator", "consistency", "embedding"):
            failed, asked = counts[f"{kind}_failed"], counts[f"{kind}_asked"]
            if failed > self.settings.max_failed * max(asked, MIN_ASKED):
                last = (self.total.failures or ["no reason"])[-1]
                raise MachineryError(
                    f"rewards: {failed} of {asked} chains had no verdict of the {kind}, more than the "
                    f"{self.settings.max_failed:.1%} that the recipe allows. The last one: {last.rstrip('.')}. "
                    f"Once that is mended, the same command goes on from the last checkpoint."
                )


def check_reward_names(names: Sequence[str], settings: RewardSettings) -> None:
    """Raise a UserError for a reward that is unknown, or that lacks an evaluator."""
    for name in names:
        if name not in REWARDS:
            raise UserError(f"unknown reward {name!r}. {did_you_mean(name, REWARDS)}")
        by_model = name == "consistency" and settings.consistency == "evaluator"
        if (name in {"evaluator", "hybrid"} and not settings.evaluator) or (
            by_model and settings.evaluator in {"", EVENTS}
        ):
            instead = "'words' for consistency" if by_model else f"{EVENTS!r} with data of mini"
            raise UserError(
                f"reward {name!r}: no evaluator is named. rewards: evaluator = 'http://HOST:PORT/v1' is expected, or "
                f"{instead}."
            )
