"""The language model that marks chains, over an OpenAI-compatible endpoint; what it was asked once is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from dtbench.harness.core.errors import ModelError
from dtbench.harness.core.schema import Prompt
from dtbench.harness.judge.ask import Paced
from dtbench.harness.judge.verdict import UnreadableError
from dtbench.harness.run.pace import AdaptiveConcurrency
from dtbench.harness.run.retry import Policy, ask
from dtbench.harness.run.task_group import task_group
from dtbench.models.endpoint.server import Server
from dtbench.training.rewards.background import Background
from dtbench.training.rewards.cache import Cache, content_key
from dtbench.training.rewards.counts import RewardCounts
from dtbench.training.rewards.settings import RewardSettings

Verdict = Mapping[str, Any]


class EvaluatorQuery(NamedTuple):
    """Something to be decided about a chain."""

    id: str
    kind: str
    """`evaluator` or `consistency`: under which name it is counted."""
    prompt: Callable[[int], Prompt]
    """The request, from a seed."""
    read: Callable[[str], dict[str, Any]]
    """The verdict of a reply; an UnreadableError where there is none."""


class _Answer(NamedTuple):
    """What came of a question."""

    verdict: Verdict | None
    why: str = ""
    """Why there is no verdict."""


class Evaluator:
    """An endpoint that marks; connected when it is first asked."""

    def __init__(self, settings: RewardSettings, cache: Cache) -> None:
        self._settings = settings
        self._cache = cache
        self._policy = Policy(attempts=settings.attempts, waits_in_all=settings.retry_budget)
        self._background: Background | None = None
        self._server: Server | None = None
        self._model: Paced | None = None

    def decide(self, questions: Sequence[EvaluatorQuery], report: RewardCounts) -> list[Verdict | None]:
        """A verdict for each, None where none could be had within the bounds; equal questions are asked once."""
        if not questions:
            return []
        model = self._connected()
        keys = [self._key(question) for question in questions]
        missing: dict[str, EvaluatorQuery] = {}
        for key, question in zip(keys, questions, strict=True):
            report.counts[f"{question.kind}_asked"] += 1
            if self._kept(key) is not None or key in missing:
                report.counts[f"{question.kind}_cached"] += 1
            else:
                missing[key] = question
        answers = self._background_running().run(self._ask_all(model, missing, report)) if missing else {}
        return [self._told(key, question, answers, report) for key, question in zip(keys, questions, strict=True)]

    def close(self) -> None:
        """Close the connections."""
        if self._background is not None and self._background.is_ours:
            if self._server is not None:
                self._background.run(self._server.aclose())
            self._background.close()
        self._background = self._server = self._model = None

    def _kept(self, key: str) -> Verdict | None:
        entry = self._cache.get(key)
        return None if entry is None else entry["verdict"]

    def _told(
        self, key: str, question: EvaluatorQuery, answers: Mapping[str, _Answer], report: RewardCounts
    ) -> Verdict | None:
        answer = answers.get(key)
        if answer is None or answer.verdict is not None:
            return self._kept(key)
        report.failed(question.kind, question.id, answer.why)
        self._cache.note({"id": question.id, "kind": question.kind, "why": answer.why})
        return None

    def _key(self, question: EvaluatorQuery) -> str:
        """By content: who is asked how, and every word of the request."""
        assert self._server is not None
        prompt = question.prompt(self._settings.evaluator_seed)
        about = self._server.describe()
        return content_key(about["model"], about["sampling"], prompt.system, prompt.text, prompt.seed)

    def _connected(self) -> Paced:
        self._background_running()
        if self._model is None:
            self._server = Server.reached(self._settings.evaluator, self._settings.connection())
            self._model = Paced(self._server, AdaptiveConcurrency(self._settings.concurrency))
        return self._model

    def _background_running(self) -> Background:
        if self._background is None or not self._background.is_ours:  # a fork has no thread: begin anew
            self._background, self._server, self._model = Background(), None, None
        return self._background

    async def _ask_all(
        self, model: Paced, missing: Mapping[str, EvaluatorQuery], report: RewardCounts
    ) -> dict[str, _Answer]:
        async with task_group() as group:
            tasks = {key: group.create_task(self._ask(model, key, one, report)) for key, one in missing.items()}
        return {key: task.result() for key, task in tasks.items()}

    async def _ask(self, model: Paced, key: str, question: EvaluatorQuery, report: RewardCounts) -> _Answer:
        usage = RewardCounts()
        told = ""
        for attempt in range(self._settings.attempts):
            seed = self._settings.evaluator_seed + 1000 * attempt
            report.counts[f"{question.kind}_calls"] += 1
            try:
                response = await ask(model, question.prompt(seed), self._policy)
            except ModelError as error:
                report.counts["evaluator_requests"] += error.attempts
                return _Answer(None, str(error))
            report.counts["evaluator_requests"] += response.attempts
            report.spent(response.usage)
            usage.spent(response.usage)
            try:
                verdict = question.read(response.text)
            except UnreadableError as error:
                report.counts[f"{question.kind}_unreadable"] += 1
                told = f"no verdict: {error}"
                continue
            self._cache.put(key, {"kind": question.kind, "verdict": verdict, "usage": dict(usage.counts)})
            return _Answer(verdict)
        return _Answer(None, told)
