"""Weights in memory, and tokens out of them: the part of the local backend that knows torch and transformers."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any, NamedTuple

from dtbench.harness.audio import samples_of
from dtbench.harness.errors import UserError
from dtbench.harness.schema import Prompt
from dtbench.models.checkpoint import Checkpoint

_THINKERS = {
    "Qwen2_5OmniModel": "Qwen2_5OmniThinkerForConditionalGeneration",
    "Qwen2_5OmniForConditionalGeneration": "Qwen2_5OmniThinkerForConditionalGeneration",
    "Qwen3OmniMoeForConditionalGeneration": "Qwen3OmniMoeThinkerForConditionalGeneration",
}
"""Of models that speak too only the part that writes is loaded."""


class OutOfMemoryError(Exception):
    """A batch did not fit into the memory of the device."""


class Drawn(NamedTuple):
    """How tokens are drawn."""

    temperature: float
    """0 for the likeliest."""
    top_p: float
    top_k: int
    """0 for all."""
    repetition_penalty: float


class Said(NamedTuple):
    """One answer."""

    text: str
    ended: bool
    """Whether the model ended it; else it was cut off."""
    prompt_tokens: int
    tokens: int


def missing_packages() -> list[str]:
    """What the backend needs and this environment lacks."""
    return [name for name in ("torch", "transformers") if importlib.util.find_spec(name) is None]


class Weights:
    """A model and its processor."""

    def __init__(self, checkpoint: Checkpoint, *, device: str, dtype: str, remote: bool) -> None:
        import torch
        import transformers

        where = {"trust_remote_code": remote, "local_files_only": checkpoint.is_local}
        self._device = device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
        self._processor: Any = transformers.AutoProcessor.from_pretrained(checkpoint.source, **where)
        self._tokenizer: Any = self._processor.tokenizer
        self._tokenizer.padding_side = "left"
        if self._tokenizer.pad_token_id is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        kind = _kind(checkpoint)
        self._model: Any = kind.from_pretrained(checkpoint.source, dtype=dtype, **where).to(self._device).eval()
        self._ends = _ends(self._model, self._tokenizer)

    def inputs(self, prompts: Sequence[Prompt]) -> Any:
        """Tokens and features, padded in front to one length."""
        texts = [self._worded(prompt) for prompt in prompts]
        clips = [samples_of(prompt.wav) for prompt in prompts if prompt.wav is not None]
        rate = self._processor.feature_extractor.sampling_rate
        heard = {"audio": clips, "sampling_rate": rate} if clips else {}
        made = self._processor(text=texts, **heard, padding=True, return_tensors="pt")
        return made.to(self._device, self._model.dtype)

    def answer(self, prompts: Sequence[Prompt], most: int, drawn: Drawn, seeds: Sequence[int]) -> list[Said]:
        """What the model says to each."""
        import torch

        inputs = self.inputs(prompts)
        try:
            with torch.inference_mode():
                whole = self._model.generate(
                    **inputs,
                    max_new_tokens=most,
                    do_sample=False,
                    num_beams=1,
                    temperature=None,
                    top_p=None,
                    top_k=None,
                    repetition_penalty=drawn.repetition_penalty,
                    logits_processor=_choosing(drawn, seeds),
                    pad_token_id=self._tokenizer.pad_token_id,
                )
        except torch.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            raise OutOfMemoryError(str(error).splitlines()[0]) from None
        length = inputs["input_ids"].shape[1]
        asked = inputs["attention_mask"].sum(dim=1).tolist()
        return [self._said(row, count) for row, count in zip(whole[:, length:].tolist(), asked, strict=True)]

    def _said(self, row: list[int], prompt_tokens: int) -> Said:
        end = next((place for place, token in enumerate(row) if token in self._ends), None)
        text = self._tokenizer.decode(row if end is None else row[:end], skip_special_tokens=True)
        return Said(text, end is not None, prompt_tokens, len(row) if end is None else end + 1)

    def _worded(self, prompt: Prompt) -> str:
        parts: list[dict[str, str]] = [{"type": "audio"}] if prompt.wav is not None else []
        messages: list[dict[str, Any]] = [{"role": "user", "content": [*parts, {"type": "text", "text": prompt.text}]}]
        if prompt.system is not None:
            messages.insert(0, {"role": "system", "content": [{"type": "text", "text": prompt.system}]})
        text: str = self._processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        return text


def _kind(checkpoint: Checkpoint) -> Any:
    """The class of transformers that loads it."""
    import transformers

    name = checkpoint.architecture or ""
    found = getattr(transformers, _THINKERS.get(name, name), None) or getattr(
        transformers, "AutoModelForMultimodalLM", None
    )
    if found is None:
        raise UserError(f"--model {checkpoint.source}: transformers {transformers.__version__} has no class {name!r}.")
    return found


def _ends(model: Any, tokenizer: Any) -> set[int]:
    told = model.generation_config.eos_token_id
    if told is None:
        told = tokenizer.eos_token_id
    return set(told) if isinstance(told, list) else {told}


def _choosing(drawn: Drawn, seeds: Sequence[int]) -> Any:
    """What makes the likeliest token the drawn one: noise with a seed for each row.

    Adding Gumbel noise and taking the highest is sampling, and with a generator a row an answer depends on its own seed
    alone, not on who else is in its batch, as transformers' sampling does.
    """
    import torch
    from transformers import (
        LogitsProcessor,
        LogitsProcessorList,
        TemperatureLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )

    if drawn.temperature == 0:
        return LogitsProcessorList()

    class Noise(LogitsProcessor):  # type: ignore[misc]
        def __init__(self) -> None:
            self._dice = [torch.Generator().manual_seed(seed) for seed in seeds]

        def __call__(self, input_ids: Any, scores: Any) -> Any:
            drawn = [torch.empty(scores.shape[1]).exponential_(generator=dice) for dice in self._dice]
            return scores - torch.stack(drawn).log().to(scores.device, scores.dtype)

    steps = [TemperatureLogitsWarper(drawn.temperature)]
    steps += [TopKLogitsWarper(drawn.top_k)] if drawn.top_k else []
    steps += [TopPLogitsWarper(drawn.top_p)] if drawn.top_p < 1 else []
    return LogitsProcessorList([*steps, Noise()])
