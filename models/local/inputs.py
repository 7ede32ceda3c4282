"""Make tokens and features of prompts with a processor of transformers, one at a time, and join them to batches."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

from dtbench.harness.audio.prepare import wav_mono
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.schema import FewShotExample, Prompt, text_and_clips
from dtbench.harness.extract.chain_tags import USUAL_TAGS, ChainTags
from dtbench.models.local.settings import LocalSettings

_PARTS = ("feature_extractor", "audio_processor")
"""Names of the part of a processor that takes the audio."""


class PromptProcessor:
    """A processor, and the form in which its chat template takes a clip."""

    def __init__(self, processor: Any, source: str, settings: LocalSettings) -> None:
        extractor = next((getattr(processor, name) for name in _PARTS if getattr(processor, name, None)), None)
        if extractor is None or not hasattr(processor, "tokenizer"):
            raise UserError(
                f"--model {source}: transformers finds no audio processor in it; preprocessor_config.json or "
                "processor_config.json is expected beside the weights, as in the base model."
            )
        rate = settings.rate
        own_rate = getattr(extractor, "sampling_rate", rate)
        if own_rate != rate:
            raise UserError(f"-M rate={rate}: {source} expects {own_rate} Hz: use -M rate={own_rate}.")
        self.tokenizer: Any = processor.tokenizer
        self._processor = processor
        self._template_kwargs = settings.chat_template_kwargs or {}
        self._chain = settings.chain or USUAL_TAGS
        self._of_mistral = type(self.tokenizer).__name__ == "MistralCommonBackend"
        if self._of_mistral:
            self._template, self._takes_parts = None, True
        else:
            self._template = settings.template_text() or _chat_template(processor, source)
            self._takes_parts = self._reads_parts()
        self._check_template_kwargs(source)

    def read(self, prompt: Prompt) -> Mapping[str, Any]:
        """Return the tokens and features of one prompt: tensors whose first dimension is one, or its windows."""
        if self._of_mistral:
            if prompt.begun:
                raise UserError(
                    "--backend local: the tokenizer of Mistral's own format continues no answer that has begun: use "
                    "--backend vllm."
                )
            inputs = self._processor.apply_chat_template([self._messages(prompt)], return_tensors="pt")
            return {"attention_mask": inputs["input_ids"].new_ones(inputs["input_ids"].shape), **inputs}
        text = with_begun(self._render(self._messages(prompt)), prompt.begun, self._chain)
        turns: list[Prompt | FewShotExample] = [*prompt.examples, prompt]
        wavs = [wav for turn in turns for wav in _in_order(turn)]
        audio = {"audio": [wav_mono(wav) for wav in wavs]} if wavs else {}
        return dict(self._processor(text=[text], **audio, return_tensors="pt"))

    def _messages(self, prompt: Prompt) -> Sequence[Mapping[str, Any]]:
        system = [] if not prompt.system else [{"role": "system", "content": self._content(prompt.system)}]
        before = [
            {"role": role, "content": content}
            for example in prompt.examples
            for role, content in (
                ("user", self._content(example.text, example.wavs)),
                ("assistant", self._content(example.answer)),
            )
        ]
        return [*system, *before, {"role": "user", "content": self._content(prompt.text, prompt.wavs)}]

    def _content(self, text: str, wavs: Sequence[bytes] = ()) -> Any:
        """Write a message in parts; as text, with a token for each clip, where the template takes no parts."""
        given = text_and_clips(text, len(wavs)) or [text]
        if not self._takes_parts:
            return "".join(part if isinstance(part, str) else f"{self._processor.audio_token}\n" for part in given)
        return [
            {"type": "text", "text": part} if isinstance(part, str) else self._clip_part(wavs[part]) for part in given
        ]

    def _clip_part(self, wav: bytes) -> Mapping[str, str]:
        if not self._of_mistral:
            return {"type": "audio"}
        import pybase64

        return {"type": "audio", "base64": pybase64.b64encode(wav).decode()}

    def _reads_parts(self) -> bool:
        """Whether the template reads messages in parts; one that does not fails, or prints them as they stand."""
        from jinja2 import TemplateError

        try:
            text = self._render([{"role": "user", "content": [{"type": "audio"}, {"type": "text", "text": "x"}]}])
        except (TemplateError, TypeError, ValueError):
            return False
        return "'type'" not in text

    def _render(self, messages: Sequence[Mapping[str, Any]]) -> str:
        text: str = self._processor.apply_chat_template(
            messages, self._template, add_generation_prompt=True, tokenize=False, **self._template_kwargs
        )
        return text

    def _check_template_kwargs(self, source: str) -> None:
        """Refuse a value that the template never reads: the answers would be as without it."""
        for name in self._template_kwargs:
            if self._template is None or name not in self._template:
                raise UserError(
                    f"-M chat_template_kwargs: the chat template of {source} reads no {name!r}: leave it out, or "
                    "give `none` where its family sets it."
                )


def with_begun(text: str, begun: str, chain: ChainTags) -> str:
    """Return a rendered prompt with the beginning of the answer, whose chain the template may have opened already."""
    if not begun:
        return text
    if text.rstrip().endswith(chain.opening) and begun.lstrip().startswith(chain.opening):
        text = text.rstrip().removesuffix(chain.opening)
    return f"{text} {begun}" if text[-1:].isalnum() else f"{text}{begun}"  # else two words would be one


def _in_order(prompt: Prompt | FewShotExample) -> list[bytes]:
    """Return the clips in the order in which the text names them."""
    return [prompt.wavs[part] for part in text_and_clips(prompt.text, len(prompt.wavs)) if isinstance(part, int)]


def _chat_template(processor: Any, source: str) -> str:
    """Return the template of the processor, or that which only its tokenizer has, as fine-tunes are often saved."""
    own = getattr(processor, "chat_template", None)
    if own is None and getattr(processor.tokenizer, "chat_template", None) is not None:
        own = processor.tokenizer.get_chat_template()
    template = own.get("default") if isinstance(own, dict) else own
    if template is None:
        raise UserError(
            f"--model {source}: it has no chat template: chat_template.jinja is expected beside the weights."
        )
    return str(template)


class InputBatch(NamedTuple):
    """Prompts whose features have one shape."""

    places: Sequence[int]
    """The index of each among all prompts."""
    inputs: Mapping[str, Any]


def make_batches(prompts: Sequence[Mapping[str, Any]], pad: int) -> Sequence[InputBatch]:
    """Join prompts to batches: tokens are padded in front; features never are, so each shape is a batch of its own.

    Some encoders (Granite Speech) hear padding as sound: what a model hears would depend on the rest of its batch.
    """
    alike: dict[Hashable, list[int]] = {}
    for place, prompt in enumerate(prompts):
        shapes = tuple((name, tuple(prompt[name].shape[1:])) for name in sorted(prompt) if not of_tokens(prompt, name))
        alike.setdefault(shapes, []).append(place)
    return [InputBatch(places, join_prompts([prompts[place] for place in places], pad)) for places in alike.values()]


def join_prompts(prompts: Sequence[Mapping[str, Any]], pad: int) -> Mapping[str, Any]:
    """Join prompts whose features have one shape, with padding in front of the tokens."""
    import torch

    longest = max(prompt["input_ids"].shape[1] for prompt in prompts)
    batch = {}
    for name in prompts[0]:
        fill = pad if name == "input_ids" else 0
        batch[name] = torch.cat(
            [
                torch.nn.functional.pad(prompt[name], (longest - prompt[name].shape[1], 0), value=fill)
                if of_tokens(prompt, name)
                else prompt[name]
                for prompt in prompts
            ]
        )
    return batch


def of_tokens(prompt: Mapping[str, Any], name: str) -> bool:
    """Whether it has a value for every token, as a mask has."""
    return "feature" not in name and bool(prompt[name].shape == prompt["input_ids"].shape)
