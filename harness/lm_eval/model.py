"""`lm_eval --model dtbench`: any model of dtbench as a model of lm-eval, clips included."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from lm_eval.api.model import LM

import dtbench
from dtbench.harness.core.errors import DataError, DtbenchError, MachineryError, ModelError, UserError
from dtbench.harness.core.model import Model, Preflighted, Startable, chain_tags
from dtbench.harness.core.schema import FewShotExample, Prompt, Response, Sample
from dtbench.harness.extract.tidy import with_think_tags
from dtbench.harness.lm_eval.clips import MARK, clips_of, place_clips
from dtbench.harness.lm_eval.docs import Doc
from dtbench.harness.lm_eval.generation import answer_before_stop, model_options, stop_texts
from dtbench.harness.run.dispatch import Dispatcher, DispatchSettings, choose_concurrency
from dtbench.harness.run.pace import Pace
from dtbench.harness.run.plan import answer_seed
from dtbench.harness.run.worker_pool import CircuitBreaker, Progress, Stop, WorkerPool
from dtbench.models.backends import ModelUse, open_models

_CHAT = '[{"role": '
"""How the text of a history begins, as apply_chat_template writes it."""
ADVICE = "With --use_cache FILE all answers are kept, and the same command asks for the rest alone."
NO_LIKELIHOOD = (
    "the model dtbench generates answers and computes no likelihoods: choose tasks whose output_type is generate_until."
)


class DtbenchLM(LM):  # type: ignore[misc]
    """A checkpoint, an endpoint or any other model of dtbench; further arguments are its -M options."""

    MULTIMODAL = True

    def __init__(
        self,
        pretrained: str | None = None,
        backend: str | None = None,
        concurrency: int | None = None,
        long_clips: str = "cut",
        seed: int = 0,
        rpm: float | None = None,
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
        self._concurrency = concurrency
        self._long_clips = long_clips
        self._rpm = rpm
        self._options = _as_options(options)
        self._about: Mapping[str, Any] = {}
        self._data: dict[str, str] = {}

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        """Return the answers in the order of the requests; each is in lm-eval's cache as soon as it comes."""
        from tqdm import tqdm

        prompts = read_requests(requests, self._seed)
        self._data |= data_versions(requests)
        answers: dict[int, str] = {}
        with tqdm(total=len(prompts), disable=disable_tqdm, desc="Asking dtbench's model") as bar:

            def report(place: int, response: Response) -> None:
                text = with_think_tags(response.text, chain_tags(self._about))
                answers[place] = prompts[place].for_filters(text)
                self.cache_hook.add_partial("generate_until", requests[place].args, answers[place])
                bar.update()

            failed = [one for group in _group_by_sampling(prompts) for one in self._ask(prompts, group, report)]
        if failed:
            raise MachineryError(
                f"{len(failed)} of {len(prompts)} questions got no answer (the first: {failed[0]}). A score without "
                f"them would mislead. {ADVICE}"
            )
        return [answers[place] for place in range(len(prompts))]

    def _ask(self, prompts: Sequence[LmEvalPrompt], places: Sequence[int], report: Report) -> Sequence[DtbenchError]:
        """Ask the questions at these places, which have the same sampling."""
        samples = [sample for place in places if (sample := prompts[place].sample) is not None]
        sampling = prompts[places[0]].sampling
        # What a task prescribes is its protocol here, and stands before the options, unlike in `dtbench run`.
        options = {name: value for name, value in self._options.items() if name not in sampling}
        (model,) = open_models(
            self._spec, options, [ModelUse(samples, sampling, prompts[places[0]].style)], self._backend
        )
        self._about = model.describe()
        group = {place: prompts[place].prompt for place in places}
        settings = DispatchSettings(choose_concurrency(self._concurrency, [model]), self._long_clips)
        stop = Stop()
        pace = Pace(settings.concurrency, self._rpm, stop=stop, notify=_say)
        errors = asyncio.run(_ask_all(model, group, Dispatcher(model, settings, pace=pace), report))
        if stop.reason:
            raise MachineryError(f"{stop.reason} {ADVICE}")
        return errors

    def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
        """Refused."""
        raise UserError(NO_LIKELIHOOD)

    def loglikelihood_rolling(self, requests: list[Any]) -> list[float]:
        """Refused."""
        raise UserError(NO_LIKELIHOOD)

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """Return the messages as one text; they go to the model as messages."""
        return json.dumps(list(chat_history), ensure_ascii=False)

    @property
    def tokenizer_name(self) -> str:
        """The name by which lm-eval distinguishes prompts of different chat templates."""
        return "dtbench-messages"

    def get_model_info(self) -> dict[str, Any]:
        """Return what lm-eval's results record of the model besides its arguments, and of the data of our tasks."""
        return {"dtbench": dtbench.__version__, "dtbench_model": dict(self._about), "dtbench_data": self._data}


Report = Callable[[int, Response], None]
"""Called with the place of a prompt and the answer to it."""


async def _ask_all(
    model: Model, prompts: Mapping[int, Prompt], dispatcher: Dispatcher, report: Report
) -> Sequence[DtbenchError]:
    """Start the model, report its answer to every prompt, and close it; return an error for each without one."""
    breaker = CircuitBreaker(advice=ADVICE)
    errors: list[DtbenchError] = []

    async def ask(place: int) -> None:
        try:
            response = await dispatcher.answer((await dispatcher.prepare(prompts[place])).prompt)
        except (ModelError, DataError) as error:
            errors.append(error)
            breaker.add_failure(str(error), of_model=isinstance(error, ModelError))
        else:
            breaker.add_success()
            report(place, response)

    try:
        if isinstance(model, Startable):
            await model.start(_say)
        if isinstance(model, Preflighted) and prompts:
            first = await dispatcher.prepare(next(iter(prompts.values())))
            await model.preflight(first.prompt, _say)
        await WorkerPool(Progress(len(prompts)), breaker).run(prompts, ask, dispatcher.workers)
    finally:
        dispatcher.close()
        await model.aclose()
    return errors


def _as_options(options: Mapping[str, Any]) -> dict[str, str]:
    """Return the options as -M takes them. lm-eval has parsed them, and adds its own, whose defaults mean nothing."""
    defaults = {"batch_size": (None, 1, "1", "auto"), "max_batch_size": (None,), "device": (None, "cuda:0")}
    given = {name: value for name, value in options.items() if value not in defaults.get(name, ())}
    return {
        name: json.dumps(value) if isinstance(value, bool | dict | list) else str(value)
        for name, value in given.items()
    }


def _group_by_sampling(prompts: Sequence[LmEvalPrompt]) -> Sequence[Sequence[int]]:
    """Return the places of the prompts, grouped by their sampling and style."""
    groups: dict[frozenset[tuple[str, str]], list[int]] = {}
    for place, one in enumerate(prompts):
        groups.setdefault(frozenset([*one.sampling.items(), ("style", one.style)]), []).append(place)
    return list(groups.values())


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class LmEvalPrompt(NamedTuple):
    """A prompt, its sampling, and what lm-eval gets of the answer."""

    prompt: Prompt
    sampling: Mapping[str, str]
    stops: Sequence[str]
    whole: bool
    """Whether lm-eval gets the chain too: our own tasks read it themselves."""
    sample: Sample | None
    """The question, of a task of ours."""
    style: str = "direct"
    """The style of the answer, by which the longest one differs."""

    def for_filters(self, text: str) -> str:
        """Return the part of an answer that lm-eval's filters get."""
        return text if self.whole else answer_before_stop(text, self.stops)


class ChatWords(NamedTuple):
    """The messages of a prompt."""

    text: str
    system: str | None = None
    examples: Sequence[FewShotExample] = ()
    """The turns before the last one: lm-eval passes no clips of theirs."""


def read_requests(requests: Sequence[Any], seed: int) -> Sequence[LmEvalPrompt]:
    """Return the prompt of each request; one that stands there several times asks for as many answers."""
    times: Counter[int] = Counter()
    prompts = []
    for request in requests:
        prompts.append(_read_request(request, seed, times[id(request)]))
        times[id(request)] += 1
    return prompts


def _read_request(request: Any, seed: int, repeat: int) -> LmEvalPrompt:
    context, kwargs, *more = request.args
    media = more[0] if more else {}
    what = f"{request.task_name}, question {request.doc_id}"
    if media.get("visual") is not None:
        raise UserError(f"{what}: its documents have images, and dtbench handles audio only.")
    words = _words(context, what)
    sampling = model_options(kwargs, str(request.task_name))
    doc = request.doc
    if isinstance(doc, Doc):
        prompt = dataclasses.replace(
            doc.question.prompt,
            text=place_clips(words.text, len(doc.clips)) if doc.marks_clips else words.text,
            clips=doc.clips,
            system=words.system or doc.question.prompt.system,
            examples=(*doc.question.prompt.examples, *words.examples),
            repeat=repeat,
            seed=answer_seed(seed, doc.question.sample.id, repeat),
        )
        return LmEvalPrompt(
            prompt, sampling, stop_texts(kwargs), whole=True, sample=doc.question.sample, style=doc.plan.form.answer
        )
    name = str(request.doc_id)
    audio = media.get("audio")
    clips = [] if audio is None else clips_of(audio, what)
    prompt = Prompt(
        text=words.text if audio is None else place_clips(words.text, len(clips)),
        clips=clips,
        system=words.system,
        examples=words.examples,
        id=name,
        repeat=repeat,
        seed=answer_seed(seed, name, repeat),
    )
    return LmEvalPrompt(prompt, sampling, stop_texts(kwargs), whole=False, sample=None)


def data_versions(requests: Sequence[Any]) -> dict[str, str]:
    """Return the version and hash of the data of each benchmark of ours among the requests."""
    plans = {request.doc.plan.task.name: request.doc.plan for request in requests if isinstance(request.doc, Doc)}
    return {name: f"{plan.data.version}, sha256 {plan.data.sha256[:12]}" for name, plan in plans.items()}


def _words(context: str, what: str) -> ChatWords:
    """Return the messages of a context, be it plain text or the text of a history."""
    if not context.startswith(_CHAT):
        return ChatWords(context)
    messages = json.loads(context)
    system = [message["content"] for message in messages if message["role"] == "system"]
    others = [message for message in messages if message["role"] != "system"]
    *turns, last = [message["content"] for message in others] or [""]
    roles = [message["role"] for message in others]
    if roles != [*(["user", "assistant"] * (len(turns) // 2)), "user"]:
        raise UserError(
            f"{what}: its messages are {', '.join(roles)}; dtbench sends questions of a user and their answers, and "
            "then the question: leave --apply_chat_template out."
        )
    if any(MARK in turn for turn in turns):
        raise UserError(
            f"{what}: its examples have clips, which lm-eval passes to no model: take --num_fewshot 0, or a task of "
            "dtbench with examples of its own."
        )
    examples = [FewShotExample(text, answer) for text, answer in zip(turns[::2], turns[1::2], strict=True)]
    return ChatWords(last, "\n\n".join(system) or None, examples)
