"""Turn requests of lm-eval into prompts of ours."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.schema import NoClip, Prompt, Sample
from dtbench.harness.lm_eval.clips import clip_of, strip_mark
from dtbench.harness.lm_eval.docs import Doc
from dtbench.harness.lm_eval.generation import answer_before_stop, model_options, stop_texts
from dtbench.harness.run.plan import answer_seed

_CHAT = '[{"role": '
"""How the text of a history begins, as apply_chat_template writes it."""


class LmEvalPrompt(NamedTuple):
    """A prompt, its sampling, and what lm-eval gets of the answer."""

    prompt: Prompt
    sampling: Mapping[str, str]
    stops: Sequence[str]
    whole: bool
    """Whether lm-eval gets the chain too: our own tasks read it themselves."""
    sample: Sample | None
    """The question, of a task of ours."""

    def for_filters(self, text: str) -> str:
        """Return the part of an answer that lm-eval's filters get."""
        return text if self.whole else answer_before_stop(text, self.stops)


class ChatWords(NamedTuple):
    """The messages of a prompt."""

    text: str
    system: str | None = None


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
        raise UserError(f"{what}: it shows pictures, and dtbench asks about sound.")
    words = _words(context, what)
    sampling = model_options(kwargs, str(request.task_name))
    doc = request.doc
    if isinstance(doc, Doc):
        prompt = dataclasses.replace(
            doc.question.prompt,
            text=words.text,
            system=words.system or doc.question.prompt.system,
            repeat=repeat,
            seed=answer_seed(seed, doc.question.sample.id, repeat),
        )
        return LmEvalPrompt(prompt, sampling, stop_texts(kwargs), whole=True, sample=doc.question.sample)
    name = str(request.doc_id)
    audio = media.get("audio")
    prompt = Prompt(
        text=words.text if audio is None else strip_mark(words.text),
        audio=NoClip(what) if audio is None else clip_of(audio, what),
        system=words.system,
        id=name,
        repeat=repeat,
        seed=answer_seed(seed, name, repeat),
    )
    return LmEvalPrompt(prompt, sampling, stop_texts(kwargs), whole=False, sample=None)


def data_versions(requests: Sequence[Any]) -> dict[str, str]:
    """Return the version and hash of the data of each benchmark of ours among the requests."""
    plans = {request.doc.plan.task.name: request.doc.plan for request in requests if isinstance(request.doc, Doc)}
    return {name: f"{plan.data.version}, sha256 {plan.data.sha256[:12]}" for name, plan in plans.items()}


def chat_as_text(history: Sequence[Mapping[str, str]]) -> str:
    """Return a history of messages as the one text that lm-eval expects of a chat template."""
    return json.dumps(list(history), ensure_ascii=False)


def _words(context: str, what: str) -> ChatWords:
    """Return the messages of a context, be it plain text or the text of a history."""
    if not context.startswith(_CHAT):
        return ChatWords(context)
    messages = json.loads(context)
    system = [message["content"] for message in messages if message["role"] == "system"]
    others = [message for message in messages if message["role"] != "system"]
    if [message["role"] for message in others] != ["user"]:
        roles = ", ".join(message["role"] for message in others)
        raise UserError(
            f"{what}: its messages are {roles}; dtbench sends one message of a user: leave --apply_chat_template out, "
            f"or take --fewshot_as_multiturn false."
        )
    return ChatWords(others[0]["content"], "\n\n".join(system) or None)
