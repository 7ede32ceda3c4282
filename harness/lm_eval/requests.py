"""A request of lm-eval as a prompt of ours."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.schema import NoClip, Prompt, Sample
from dtbench.harness.lm_eval.clips import clip_of, without_mark
from dtbench.harness.lm_eval.docs import Doc
from dtbench.harness.lm_eval.generation import answer_in, sampling_of, stops_of
from dtbench.harness.run.plan import seed_of

_CHAT = '[{"role": '
"""What a history of messages begins with, as apply_chat_template writes it down."""


class LmEvalPrompt(NamedTuple):
    """A prompt, how to sample for it, and what lm-eval is handed of the answer."""

    prompt: Prompt
    sampling: Mapping[str, str]
    stops: Sequence[str]
    whole: bool
    """Whether the answer goes on with its chain: our own tasks read it themselves."""
    sample: Sample | None
    """The question, of a task of ours."""

    def handed(self, text: str) -> str:
        """The part of an answer that lm-eval's filters see."""
        return text if self.whole else answer_in(text, self.stops)


class ChatWords(NamedTuple):
    """The messages of a prompt."""

    text: str
    system: str | None = None


def asked_for(requests: Sequence[Any], seed: int) -> Sequence[LmEvalPrompt]:
    """What each request asks; one that is there several times asks for as many answers."""
    times: Counter[int] = Counter()
    found = []
    for request in requests:
        found.append(_asked(request, seed, times[id(request)]))
        times[id(request)] += 1
    return found


def _asked(request: Any, seed: int, repeat: int) -> LmEvalPrompt:
    context, kwargs, *more = request.args
    media = more[0] if more else {}
    what = f"{request.task_name}, question {request.doc_id}"
    if media.get("visual") is not None:
        raise UserError(f"{what}: it shows pictures, and dtbench asks about sound.")
    words = _words(context, what)
    sampling = sampling_of(kwargs, str(request.task_name))
    doc = request.doc
    if isinstance(doc, Doc):
        prompt = dataclasses.replace(
            doc.question.prompt,
            text=words.text,
            system=words.system or doc.question.prompt.system,
            repeat=repeat,
            seed=seed_of(seed, doc.question.sample.id, repeat),
        )
        return LmEvalPrompt(prompt, sampling, stops_of(kwargs), whole=True, sample=doc.question.sample)
    name = str(request.doc_id)
    audio = media.get("audio")
    prompt = Prompt(
        text=words.text if audio is None else without_mark(words.text),
        audio=NoClip(what) if audio is None else clip_of(audio, what),
        system=words.system,
        id=name,
        repeat=repeat,
        seed=seed_of(seed, name, repeat),
    )
    return LmEvalPrompt(prompt, sampling, stops_of(kwargs), whole=False, sample=None)


def data_of(requests: Sequence[Any]) -> dict[str, str]:
    """Each benchmark of ours that is asked for, and the version and hash of its data."""
    plans = {request.doc.plan.task.name: request.doc.plan for request in requests if isinstance(request.doc, Doc)}
    return {name: f"{plan.data.version}, sha256 {plan.data.sha256[:12]}" for name, plan in plans.items()}


def written_down(history: Sequence[Mapping[str, str]]) -> str:
    """A history of messages as the one text that lm-eval wants of a chat template."""
    return json.dumps(list(history), ensure_ascii=False)


def _words(context: str, what: str) -> ChatWords:
    """The messages of a context, whether it is plain text or a history that was written down."""
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
