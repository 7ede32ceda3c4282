"""All prompts of lm-eval put to a model of ours, each answer told as it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from dtbench.harness.core.errors import DataError, DtbenchError, MachineryError, ModelError
from dtbench.harness.core.model import Model, Startable
from dtbench.harness.core.schema import Prompt, Response
from dtbench.harness.run.circuit_breaker import CircuitBreaker
from dtbench.harness.run.dispatch import Conditions, Dispatcher
from dtbench.harness.run.task_group import task_group

Told = Callable[[int, Response], None]
"""What is called with the place of a prompt and the answer to it."""


class Failed(NamedTuple):
    """A prompt without an answer."""

    place: int
    why: DtbenchError


async def ask_all(
    model: Model, prompts: Mapping[int, Prompt], conditions: Conditions, told: Told, say: Callable[[str], None]
) -> Sequence[Failed]:
    """Ask every prompt, the model brought up before and let go of after; which of them got no answer.

    A MachineryError where the model is down.
    """
    try:
        if isinstance(model, Startable):
            await model.start(say)
        return await _LmEvalDispatch(model, prompts, conditions, told).run()
    finally:
        await model.aclose()


class _LmEvalDispatch:
    def __init__(self, model: Model, prompts: Mapping[int, Prompt], conditions: Conditions, told: Told) -> None:
        self._asker = Dispatcher(model, conditions)
        self._prompts = prompts
        self._told = told
        self._patience = CircuitBreaker(0)
        self._failed: list[Failed] = []

    async def run(self) -> Sequence[Failed]:
        places = iter(self._prompts)
        try:
            async with task_group() as group:
                for _ in range(min(self._asker.workers, len(self._prompts))):
                    group.create_task(self._work(places))
        finally:
            self._asker.close()
        return self._failed

    async def _work(self, places: Iterator[int]) -> None:
        for place in places:
            prompt = self._prompts[place]
            try:
                response = await self._asker.answer(prompt, await self._asker.heard(prompt))
            except (ModelError, DataError) as error:
                self._failed.append(Failed(place, error))
                self._patience.failure(str(error), of_model=isinstance(error, ModelError))
                if self._patience.is_over:
                    raise MachineryError(
                        f"the last {self._patience.in_a_row} questions all failed, the run stops here. The last one: "
                        f"{self._patience.last}"
                    ) from error
            else:
                self._patience.answer()
                self._told(place, response)
