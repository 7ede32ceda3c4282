"""The evaluator: a language model that marks chains, over an OpenAI-compatible endpoint, with cached verdicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from dtbench.harness.core.errors import ModelError
from dtbench.harness.core.schema import Prompt
from dtbench.harness.extract.tidy import with_think_tags
from dtbench.harness.judge.verdict import UnreadableError
from dtbench.harness.run.pace import Pace, PacedModel
from dtbench.harness.run.retry import RetryPolicy, generate_with_retries
from dtbench.harness.run.worker_pool import Progress, WorkerPool
from dtbench.models.endpoint.server import Server
from dtbench.training.recipe.reward_settings import RewardSettings
from dtbench.training.rewards.background import BackgroundClient
from dtbench.training.rewards.cache import Cache, content_key
from dtbench.training.rewards.counts import RewardCounts

Verdict = Mapping[str, Any]


class EvaluatorQuery(NamedTuple):
    """A question to the evaluator about a chain."""

    id: str
    kind: str
    """`evaluator` or `consistency`: under which name it is counted."""
    prompt: Callable[[int], Prompt]
    """Makes the request from a seed."""
    parse: Callable[[str], dict[str, Any]]
    """Parses the verdict of a reply; raises UnreadableError where there is none."""


class _Answer(NamedTuple):
    verdict: Verdict | None
    why: str = ""
    """Why there is no verdict."""


class _EvaluatorConnection(NamedTuple):
    server: Server
    model: PacedModel

    async def aclose(self) -> None:
        await self.server.aclose()


class Evaluator:
    """Asks an endpoint for verdicts; connects at first use."""

    def __init__(self, settings: RewardSettings, cache: Cache) -> None:
        self._settings = settings
        self._cache = cache
        self._chain = settings.connection().chain
        self._policy = RetryPolicy(attempts=settings.attempts, retry_budget=settings.retry_budget)
        self._background = BackgroundClient(self._connect, _EvaluatorConnection.aclose)

    def decide(self, queries: Sequence[EvaluatorQuery], report: RewardCounts) -> list[Verdict | None]:
        """Return a verdict for each query, None where attempts ran out; equal queries are asked once."""
        keys = [self._key(query) for query in queries]
        missing: dict[str, EvaluatorQuery] = {}
        for key, query in zip(keys, queries, strict=True):
            report.counts[f"{query.kind}_asked"] += 1
            if self._cached(key) is not None or key in missing:
                report.counts[f"{query.kind}_cached"] += 1
            else:
                missing[key] = query
        answers = self._background.run(lambda to: self._ask_all(to.model, missing, report)) if missing else {}
        for key, query in zip(keys, queries, strict=True):
            if key in answers and answers[key].verdict is None:
                report.add_failure(query.kind, query.id, answers[key].why)
                self._cache.note_failure({"id": query.id, "kind": query.kind, "why": answers[key].why})
        return [self._cached(key) for key in keys]

    def close(self) -> None:
        """Close the connections."""
        self._background.close()

    def _cached(self, key: str) -> Verdict | None:
        entry = self._cache.get(key)
        return None if entry is None else entry["verdict"]

    def _key(self, query: EvaluatorQuery) -> str:
        """Return a key by content: the model, its sampling, and every word of the request."""
        prompt = query.prompt(self._settings.evaluator_seed)
        about = self._background.client().server.describe()
        return content_key(about["model"], about["sampling"], prompt.system, prompt.text, prompt.seed)

    def _connect(self) -> _EvaluatorConnection:
        server = Server.connect(self._settings.evaluator, self._settings.connection())
        pace = Pace(self._settings.concurrency, patience=self._settings.retry_budget)
        return _EvaluatorConnection(server, PacedModel(server, pace))

    async def _ask_all(
        self, model: PacedModel, queries: Mapping[str, EvaluatorQuery], report: RewardCounts
    ) -> dict[str, _Answer]:
        answers: dict[str, _Answer] = {}

        async def ask(key: str) -> None:
            answers[key] = await self._ask(model, key, queries[key], report)

        await WorkerPool(Progress(len(queries))).run(queries, ask, len(queries))
        return answers

    async def _ask(self, model: PacedModel, key: str, query: EvaluatorQuery, report: RewardCounts) -> _Answer:
        usage = RewardCounts()
        why = ""
        for attempt in range(self._settings.attempts):
            seed = self._settings.evaluator_seed + 1000 * attempt
            report.counts[f"{query.kind}_calls"] += 1
            try:
                response = await generate_with_retries(model, query.prompt(seed), self._policy)
            except ModelError as error:
                report.counts["evaluator_requests"] += error.attempts
                return _Answer(None, str(error))
            report.counts["evaluator_requests"] += response.attempts
            report.add_tokens(response.usage)
            usage.add_tokens(response.usage)
            try:
                verdict = query.parse(with_think_tags(response.text, self._chain))
            except UnreadableError as error:
                report.counts[f"{query.kind}_unreadable"] += 1
                why = f"no verdict: {error}"
                continue
            self._cache.put(key, {"kind": query.kind, "verdict": verdict, "usage": dict(usage.counts)})
            return _Answer(verdict)
        return _Answer(None, why)
