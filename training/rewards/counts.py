"""Counts of what rewards requested and what failed, which add up over batches, and their cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dtbench.harness.core.price import Price
from dtbench.training.recipe.reward_settings import RewardSettings

MAX_FAILURES = 5
"""How many messages of failures are kept."""


@dataclass(slots=True)
class RewardCounts:
    """Counts by name, such as `evaluator_calls`, sums of marks, and why something failed."""

    counts: Counter[str] = field(default_factory=Counter)
    sums: dict[str, float] = field(default_factory=dict)
    """Sums of the marks `path`, `steps`, `strategy`, `depth` over the `marked` chains."""
    failures: list[str] = field(default_factory=list)
    """The first few, as `id: why`."""

    def add_failure(self, kind: str, id_: str, why: str) -> None:
        """Count a failure, and keep the reason."""
        self.counts[f"{kind}_failed"] += 1
        if len(self.failures) < MAX_FAILURES:
            self.failures.append(f"{id_}: {why}")

    def add_marks(self, marks: Mapping[str, float]) -> None:
        """Add the marks of a chain."""
        self.counts["marked"] += 1
        for name, mark in marks.items():
            self.sums[name] = self.sums.get(name, 0.0) + mark

    def add(self, other: RewardCounts) -> None:
        """Add the counts of another batch."""
        self.counts.update(other.counts)
        for name, value in other.sums.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.failures = [*self.failures, *other.failures][:MAX_FAILURES]

    def add_tokens(self, usage: Mapping[str, int]) -> None:
        """Add the tokens of a reply."""
        for name in ("prompt_tokens", "completion_tokens"):
            self.counts[f"evaluator_{name}"] += usage.get(name, 0)

    def cost(self, settings: RewardSettings) -> float | None:
        """Return what the tokens cost; None where the recipe names no price."""
        price = Price(settings.price_per_million_prompt_tokens, settings.price_per_million_completion_tokens)
        if not price.read and not price.written:
            return None
        return price.of(self.counts["evaluator_prompt_tokens"], self.counts["evaluator_completion_tokens"])

    def as_json(self, settings: RewardSettings) -> dict[str, Any]:
        """Return counts, the mean of each mark, and the cost where a price is known."""
        marked = self.counts["marked"]
        content: dict[str, Any] = dict(sorted(self.counts.items()))
        content |= {f"mark_{name}": round(value / marked, 4) for name, value in self.sums.items() if marked}
        if (cost := self.cost(settings)) is not None:
            content["evaluator_cost"] = cost
        return {**content, "failures": list(self.failures)} if self.failures else content
