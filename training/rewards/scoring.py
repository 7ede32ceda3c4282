"""Completions in, rewards out: what an engine's plug-in calls for each batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import NamedTuple, Self

from dtbench.harness.core.errors import MachineryError, UserError, did_you_mean
from dtbench.harness.core.scorer import Scorer
from dtbench.tasks import registry as task_registry
from dtbench.training.data.rows import TrainingRow
from dtbench.training.rewards.cache import Cache
from dtbench.training.rewards.completion import read
from dtbench.training.rewards.counts import RewardCounts
from dtbench.training.rewards.embedding import Nearness
from dtbench.training.rewards.evaluator import Evaluator
from dtbench.training.rewards.guards import caught
from dtbench.training.rewards.settings import EVENTS, RewardSettings
from dtbench.training.rewards.terms import REWARDS, RewardBatch, on_grid

WATCHED = 50
"""As if so many had been asked before a share is taken: one failure at the start is no share of anything."""


class Scores(NamedTuple):
    """What a batch has earned."""

    values: Mapping[str, list[float]]
    """Reward -> one number a completion, multiples of 1/1024 from 0 to 1, never without a number."""
    report: RewardCounts
    """What this batch took."""


class Rewards:
    """Rewards completions of one stage; `total` says what all of them took."""

    def __init__(self, settings: RewardSettings) -> None:
        self.settings = settings
        self.total = RewardCounts()
        self._scorer = task_registry.get_task(settings.task) if settings.task else Scorer()
        self._cache = Cache(settings.cache)
        self._evaluator = Evaluator(settings, self._cache)
        self._nearness = Nearness(settings, self._cache)

    def score_batch(self, names: Sequence[str], rows: Sequence[TrainingRow], completions: Sequence[str]) -> Scores:
        """The rewards of these names; a MachineryError where too many chains had to do without a verdict."""
        if len(rows) != len(completions):
            raise ValueError(f"{len(rows)} rows and {len(completions)} completions")
        check_reward_names(names, self.settings)
        report = RewardCounts()
        report.counts["completions"] = len(rows)
        taken = [
            read(row, text, self.settings.template, self._scorer) for row, text in zip(rows, completions, strict=True)
        ]
        ruled_out = [caught(row, one.chain, self.settings) for row, one in zip(rows, taken, strict=True)]
        report.counts.update(f"guard_{name.replace(' ', '_')}" for name in ruled_out if name is not None)
        batch = RewardBatch(rows, taken, ruled_out, self.settings, self._evaluator, self._nearness, report)
        values = {name: [on_grid(value) for value in REWARDS[name](batch)] for name in names}
        self.total.add(report)
        self._refuse_too_many_failures()
        return Scores(values, report)

    def close(self) -> None:
        """Let go of connections, models and files."""
        for part in (self._evaluator, self._nearness, self._cache):
            part.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _refuse_too_many_failures(self) -> None:
        counts = self.total.counts
        for what in ("evaluator", "consistency", "embedding"):
            failed, asked = counts[f"{what}_failed"], counts[f"{what}_asked"]
            if failed > self.settings.max_failed * max(asked, WATCHED):
                last = (self.total.failures or ["no reason"])[-1]
                raise MachineryError(
                    f"rewards: {failed} of {asked} chains had no verdict of the {what}, more than the "
                    f"{self.settings.max_failed:.1%} that the recipe allows. The last one: {last.rstrip('.')}. "
                    f"Once that is mended, the same command goes on from the last checkpoint."
                )


def check_reward_names(names: Sequence[str], settings: RewardSettings) -> None:
    """Refuse rewards that there are not, or that lack an evaluator; before a stage begins, as well as in it."""
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
