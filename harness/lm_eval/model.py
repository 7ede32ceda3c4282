"""`lm_eval --model dtbench`: whatever answers for dtbench answers for lm-eval, clips and all."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lm_eval.api.model import LM

import dtbench
from dtbench.harness.core.errors import DataError, DtbenchError, MachineryError, ModelError, UserError
from dtbench.harness.core.model import Model, Startable
from dtbench.harness.core.schema import Prompt, Response
from dtbench.harness.lm_eval.requests import LmEvalPrompt, asked_for, data_of, written_down
from dtbench.harness.run.dispatch import Dispatcher, DispatchSettings
from dtbench.harness.run.worker_pool import CircuitBreaker, Progress, WorkerPool
from dtbench.models.backends import ModelUse, open_models

ADVICE = "With --use_cache FILE all answers are kept, and the same command asks for the rest alone."
NO_LIKELIHOOD = (
    "the model dtbench answers questions and tells no likelihood of a text: choose tasks whose output_type is "
    "generate_until."
)


class DtbenchLM(LM):  # type: ignore[misc]
    """A checkpoint, an endpoint or any other model of dtbench; what it does not know itself are -M options of these."""

    MULTIMODAL = True

    def __init__(
        self,
        pretrained: str | None = None,
        backend: str | None = None,
        concurrency: int = 16,
        long_clips: str = "cut",
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__()
        if pretrained is None:
            raise UserError(
                "--model_args: pretrained=... is missing: a checkpoint, the URL of an endpoint, or another model of "
                "`dtbench run --model`."
            )
        self._spec = str(pretrained)
        self._backend = backend
        self._seed = seed
        self._settings = DispatchSettings(concurrency, long_clips)
        self._options = _as_written(options)
        self._about: Mapping[str, Any] = {}
        self._data: dict[str, str] = {}

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        """The answers, in the order of the requests; each is in lm-eval's cache as soon as it is there."""
        from tqdm import tqdm

        asked = asked_for(requests, self._seed)
        self._data |= data_of(requests)
        answers: dict[int, str] = {}
        with tqdm(total=len(asked), disable=disable_tqdm, desc="Asking dtbench's model") as bar:

            def report(place: int, response: Response) -> None:
                answers[place] = asked[place].handed(response.text)
                self.cache_hook.add_partial("generate_until", requests[place].args, answers[place])
                bar.update()

            failed = [one for group in _alike(asked) for one in self._ask(asked, group, report)]
        if failed:
            raise MachineryError(_lost(failed, len(asked)))
        return [answers[place] for place in range(len(asked))]

    def _ask(self, asked: Sequence[LmEvalPrompt], places: Sequence[int], report: Report) -> Sequence[DtbenchError]:
        """Ask the questions at these places, which sample alike."""
        samples = [sample for place in places if (sample := asked[place].sample) is not None]
        sampling = asked[places[0]].sampling
        # What a task prescribes is its protocol here, and stands before the options, unlike in `dtbench run`.
        options = {name: value for name, value in self._options.items() if name not in sampling}
        (model,) = open_models(self._spec, options, [ModelUse(samples, sampling)], self._backend)
        self._about = model.describe()
        prompts = {place: asked[place].prompt for place in places}
        return asyncio.run(_ask_all(model, prompts, self._settings, report))

    def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
        """Refused."""
        raise UserError(NO_LIKELIHOOD)

    def loglikelihood_rolling(self, requests: list[Any]) -> list[float]:
        """Refused."""
        raise UserError(NO_LIKELIHOOD)

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """The messages written down: they go to the model as messages."""
        return written_down(chat_history)

    @property
    def tokenizer_name(self) -> str:
        """What lm-eval tells prompts apart by that were made by different chat templates."""
        return "dtbench-messages"

    def get_model_info(self) -> dict[str, Any]:
        """What lm-eval's results say of the model besides its arguments, and of the data of our tasks."""
        return {"dtbench": dtbench.__version__, "dtbench_model": dict(self._about), "dtbench_data": self._data}


Report = Callable[[int, Response], None]
"""Called with the place of a prompt and the answer to it."""


async def _ask_all(
    model: Model, prompts: Mapping[int, Prompt], settings: DispatchSettings, report: Report
) -> Sequence[DtbenchError]:
    """Start the model, report its answer to every prompt, and close it; return an error for each without one."""
    breaker = CircuitBreaker(advice=ADVICE)
    errors: list[DtbenchError] = []
    dispatcher = Dispatcher(model, settings)

    async def ask(place: int) -> None:
        try:
            response = await dispatcher.answer(prompts[place], await dispatcher.prepare(prompts[place]))
        except (ModelError, DataError) as error:
            errors.append(error)
            breaker.add_failure(str(error), of_model=isinstance(error, ModelError))
        else:
            breaker.add_success()
            report(place, response)

    try:
        if isinstance(model, Startable):
            await model.start(_say)
        await WorkerPool(Progress(len(prompts)), breaker).run(prompts, ask, dispatcher.workers)
    finally:
        dispatcher.close()
        await model.aclose()
    return errors


def _as_written(options: Mapping[str, Any]) -> dict[str, str]:
    """Options as -M takes them. lm-eval has read them as values, and adds its own, whose defaults say nothing."""
    said_nothing = {"batch_size": (None, 1, "1", "auto"), "max_batch_size": (None,), "device": (None, "cuda:0")}
    given = {name: value for name, value in options.items() if value not in said_nothing.get(name, ())}
    return {name: _written(value) for name, value in given.items()}


def _written(value: Any) -> str:
    if isinstance(value, bool | dict | list):
        return json.dumps(value)
    return str(value)


def _alike(asked: Sequence[LmEvalPrompt]) -> Sequence[Sequence[int]]:
    """The places of requests that sample alike."""
    groups: dict[frozenset[tuple[str, str]], list[int]] = {}
    for place, one in enumerate(asked):
        groups.setdefault(frozenset(one.sampling.items()), []).append(place)
    return list(groups.values())


def _lost(failed: Sequence[DtbenchError], asked: int) -> str:
    return (
        f"{len(failed)} of {asked} questions got no answer (the first: {failed[0]}). A score without them would "
        f"mislead. {ADVICE}"
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
