"""What a processor of transformers makes of prompts: tokens and features, one prompt at a time, then in batches."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

from dtbench.harness.audio.prepare import wav_samples
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.schema import Prompt

_PARTS = ("feature_extractor", "audio_processor")
"""The names that processors give the part that hears."""


class PromptProcessor:
    """A processor, and the way in which its chat template takes a clip."""

    def __init__(self, processor: Any, source: str, rate: int) -> None:
        hears = next((getattr(processor, name) for name in _PARTS if getattr(processor, name, None)), None)
        if hears is None or not hasattr(processor, "tokenizer"):
            raise UserError(
                f"--model {source}: transformers finds no processor of clips in it; preprocessor_config.json or "
                "processor_config.json is expected beside the weights, as the base model has it."
            )
        wanted = getattr(hears, "sampling_rate", rate)
        if wanted != rate:
            raise UserError(f"-M rate={rate}: {source} hears at {wanted} Hz: give -M rate={wanted}.")
        self.tokenizer: Any = processor.tokenizer
        self._processor = processor
        self._of_mistral = type(self.tokenizer).__name__ == "MistralCommonBackend"
        if self._of_mistral:
            self._whole_messages = True
            return
        template = getattr(processor, "chat_template", None) or getattr(self.tokenizer, "chat_template", None)
        if template is None:
            raise UserError(
                f"--model {source}: it has no chat template: chat_template.jinja is expected beside the weights."
            )
        self._whole_messages = self._takes_parts()

    def read(self, prompt: Prompt) -> Mapping[str, Any]:
        """Tokens and features of one prompt, as tensors with a first dimension of one or of its windows."""
        if self._of_mistral:
            made = self._processor.apply_chat_template([self._messages(prompt)], return_tensors="pt")
            return {"attention_mask": made["input_ids"].new_ones(made["input_ids"].shape), **made}
        text = self._rendered(self._messages(prompt))
        heard = {} if prompt.wav is None else {"audio": [wav_samples(prompt.wav)]}
        made = self._processor(text=[text], **heard, return_tensors="pt")
        return dict(made)

    def _messages(self, prompt: Prompt) -> Sequence[Mapping[str, Any]]:
        system = [] if prompt.system is None else [{"role": "system", "content": self._content(prompt.system)}]
        return [*system, {"role": "user", "content": self._content(prompt.text, prompt.wav)}]

    def _content(self, text: str, wav: bytes | None = None) -> Any:
        """A message in parts; where the template takes nothing but text, the clip's mark on a line before it."""
        if not self._whole_messages:
            return text if wav is None else f"{self._processor.audio_token}\n{text}"
        parts: list[Mapping[str, str]] = [{"type": "text", "text": text}]
        if wav is None:
            return parts
        if not self._of_mistral:
            return [{"type": "audio"}, *parts]
        import pybase64

        return [{"type": "audio", "base64": pybase64.b64encode(wav).decode()}, *parts]

    def _takes_parts(self) -> bool:
        """Whether the template reads messages in parts; one that does not breaks, or prints them as they stand."""
        from jinja2 import TemplateError

        try:
            shown = self._rendered([{"role": "user", "content": [{"type": "audio"}, {"type": "text", "text": "x"}]}])
        except (TemplateError, TypeError, ValueError):
            return False
        return "'type'" not in shown

    def _rendered(self, messages: Sequence[Mapping[str, Any]]) -> str:
        text: str = self._processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        return text


class InputBatch(NamedTuple):
    """Prompts that are answered together."""

    places: Sequence[int]
    """Where each stood among all that were read."""
    inputs: Mapping[str, Any]


def batches(prompts: Sequence[Mapping[str, Any]], pad: int) -> Sequence[InputBatch]:
    """The prompts side by side, tokens padded in front; features are never padded: each shape is a batch of its own.

    Each prompt was read alone, and some encoders (Granite Speech) hear padding as sound: otherwise what a model hears
    would depend on who else is in its batch.
    """
    alike: dict[Hashable, list[int]] = {}
    for place, prompt in enumerate(prompts):
        shapes = tuple((name, tuple(prompt[name].shape[1:])) for name in sorted(prompt) if not _of_tokens(prompt, name))
        alike.setdefault(shapes, []).append(place)
    return [InputBatch(places, _side_by_side([prompts[place] for place in places], pad)) for places in alike.values()]


def _side_by_side(prompts: Sequence[Mapping[str, Any]], pad: int) -> Mapping[str, Any]:
    import torch

    longest = max(prompt["input_ids"].shape[1] for prompt in prompts)
    batch = {}
    for name in prompts[0]:
        fill = pad if name == "input_ids" else 0
        batch[name] = torch.cat(
            [
                torch.nn.functional.pad(prompt[name], (longest - prompt[name].shape[1], 0), value=fill)
                if _of_tokens(prompt, name)
                else prompt[name]
                for prompt in prompts
            ]
        )
    return batch


def _of_tokens(prompt: Mapping[str, Any], name: str) -> bool:
    """Whether it says something of every token, as a mask or a type does."""
    return "feature" not in name and bool(prompt[name].shape == prompt["input_ids"].shape)
