"""Add up what a run uses, over all its starts, and end it in good order at a limit of money or of tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.model import Model, Priced
from dtbench.harness.core.price import Price, SpentFigures, tokens_read, tokens_written
from dtbench.harness.run.worker_pool import Stop
from dtbench.harness.store.judged_types import JudgeRecord
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.types import Record


class SpendingLimits(NamedTuple):
    """What a run may use in all."""

    cost: float | None = None
    """In the money of the prices: US dollars."""
    tokens: int | None = None
    """Read and written, together."""

    @property
    def flags(self) -> Sequence[str]:
        """The options that were given."""
        given = (("--max-cost", self.cost), ("--max-tokens-in-all", self.tokens))
        return [f"{flag} {value:g}" for flag, value in given if value is not None]


class Spending:
    """The tokens of a run, what they cost, and its limits."""

    def __init__(self, limits: SpendingLimits, price: Price | None, stop: Stop) -> None:
        self.price = price
        self._limits = limits
        self._stop = stop
        self._tokens: Counter[str] = Counter()

    @classmethod
    def of_models(cls, limits: SpendingLimits, models: Sequence[Model], stop: Stop) -> Spending:
        """Return the spending of a run by these models; a UserError for a limit of money where no price is known."""
        prices = {model.price for model in models if isinstance(model, Priced)}
        price = prices.pop() if len(prices) == 1 else None
        if limits.cost is not None and price is None:
            name = models[0].describe().get("model") or models[0].describe().get("name")
            raise UserError(
                f"--max-cost {limits.cost:g}: what {name} costs is not known: give -M price_in=... and "
                "-M price_out=..., in US dollars per million tokens."
            )
        return cls(limits, price, stop)

    @property
    def counts(self) -> bool:
        """Whether anybody wants to know."""
        return self.price is not None or any(limit is not None for limit in self._limits)

    def add_stored(self, run: StoredRun, kind: type[Record] | type[JudgeRecord] = Record) -> None:
        """Add what every reply took that a run folder holds, of all starts and tasks."""
        if self.counts:
            tasks: Iterable[str] = (*run.info["tasks"], *run.info.get("other_tasks", {}))
            for task in tasks:
                for record in run.every_record_as(task, kind):
                    self._add(record)
            self._check()

    def add(self, record: Mapping[str, Any]) -> None:
        """Add what the replies for a record took, failed ones included, and end the run where that is its limit."""
        if not self.counts:
            return
        self._add(record)
        response = record.get("response")
        if self._limits.flags and response is not None and not tokens_read(response["usage"]):
            self._stop.end(
                f"{' and '.join(self._limits.flags)}: the endpoint does not report the tokens of its answers, so "
                "nothing can be limited by them: leave the limit out, and the same command continues from here."
            )
        self._check()

    def _add(self, record: Mapping[str, Any]) -> None:
        response, error = record.get("response", {}), record.get("error", {})
        for usage in (response.get("usage"), response.get("lost_usage"), error.get("usage")):
            self._tokens.update(usage or {})

    @property
    def cost(self) -> float | None:
        """What it costs so far; None where no price is known."""
        return None if self.price is None else self.price.of_usage(self._tokens)

    def figures(self) -> SpentFigures:
        """Return what was used so far."""
        spent: SpentFigures = {"tokens_in": tokens_read(self._tokens), "tokens_out": tokens_written(self._tokens)}
        if (cost := self.cost) is not None:
            spent["cost"] = cost
        return spent

    def reached(self) -> str:
        """Return the limit that is reached, with what was used and how to go on; empty where none is."""
        spent = self.figures()
        uses = (
            ("--max-cost", spent.get("cost", 0.0), self._limits.cost),
            ("--max-tokens-in-all", spent["tokens_in"] + spent["tokens_out"], self._limits.tokens),
        )
        over = [(flag, limit) for flag, used, limit in uses if limit is not None and used >= limit]
        if not over:
            return ""
        flag, limit = over[0]
        more = f"The same command with a higher {flag} goes on from here."
        return f"{flag} {limit:g} is reached: {spent_words(spent)}, over all starts. {more}"

    def last_words(self) -> str:
        """Return why the run ended before its end where it was not the user who stopped it, as things stand now."""
        return self._stop.reason and (self.reached() or self._stop.reason)

    def _check(self) -> None:
        if reached := self.reached():
            self._stop.end(reached)


def spent_words(spent: SpentFigures) -> str:
    """Return what was used in words."""
    tokens = f"{spent['tokens_in']:,} input and {spent['tokens_out']:,} output tokens"
    return tokens if "cost" not in spent else f"{cost_words(spent['cost'])} for {tokens}"


def cost_words(dollars: float) -> str:
    """Return a cost in words: with cents, or with two digits where it is below ten of them."""
    return f"{dollars:.2g} USD" if 0 < dollars < 0.1 else f"{dollars:,.2f} USD"
