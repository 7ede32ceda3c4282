"""Weights in memory, and tokens out of them: the part of the local backend that knows torch and transformers."""

from __future__ import annotations

import gc
import importlib.util
import threading
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.schema import Prompt
from dtbench.models.checkpoints.checkpoint import Checkpoint
from dtbench.models.local.inputs import PromptProcessor, batches
from dtbench.models.local.sampling import SamplingSettings, steps

_THINKERS = {
    "Qwen2_5OmniModel": "Qwen2_5OmniThinkerForConditionalGeneration",
    "Qwen2_5OmniForConditionalGeneration": "Qwen2_5OmniThinkerForConditionalGeneration",
    "Qwen3OmniMoeForConditionalGeneration": "Qwen3OmniMoeThinkerForConditionalGeneration",
}
"""Of models that speak too only the part that writes is loaded."""
_LISTENERS = {
    "Qwen2_5OmniThinkerForConditionalGeneration": "Qwen2_5OmniProcessor",
    "Qwen3OmniMoeThinkerForConditionalGeneration": "Qwen3OmniMoeProcessor",
}
"""Their processors, of which only the parts that read and hear are loaded."""
_OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "could not create a primitive")
"""What torch says where there is no error of its own for it: on CPUs, on Apple's GPUs, and from oneDNN on CPUs."""

_SMALL = 20_000_000
"""Weights below which threads wait for each other longer than they compute: a model of two million took 6 minutes on
two threads of a busy machine for what one does in half a minute."""


class OutOfMemoryError(Exception):
    """A batch did not fit into the memory of the device."""


class GeneratedText(NamedTuple):
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

    def __init__(self, checkpoint: Checkpoint, *, device: str, dtype: str, remote: bool, rate: int = 16000) -> None:
        import torch
        import transformers

        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        where = {"trust_remote_code": remote, "local_files_only": checkpoint.is_local}
        kind = _kind(checkpoint, where)
        self._reader = PromptProcessor(_processor(checkpoint, where), checkpoint.source, rate)
        self._tokenizer = self._reader.tokenizer
        if self._tokenizer.pad_token_id is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        self._pad: int = self._tokenizer.pad_token_id
        self._device = device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
        model, told = kind.from_pretrained(checkpoint.source, dtype=dtype, output_loading_info=True, **where)
        if lacking := sorted(told["missing_keys"]):
            raise UserError(
                f"--model {checkpoint.source}: {len(lacking)} of its weights are missing, {lacking[0]} the first: "
                "transformers would make them up. Copy or save the checkpoint again."
            )
        self._model: Any = model.to(self._device).eval()
        if self._device == "cpu" and model.num_parameters() < _SMALL:
            torch.set_num_threads(1)
        self._ends = _ends(self._model, self._tokenizer)
        self._stopped = threading.Event()

    def answer(
        self, prompts: Sequence[Prompt], most: int, drawn: SamplingSettings, seeds: Sequence[int]
    ) -> list[GeneratedText]:
        """What the model says to each; an OutOfMemoryError where that is too much at once."""
        import torch

        try:
            with torch.inference_mode():
                return self._answers(prompts, most, drawn, seeds)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            why = str(error).strip().partition("\n")[0]
            if isinstance(error, RuntimeError) and not any(words in str(error) for words in _OUT_OF_MEMORY):
                raise
        # The error held the tensors of the batch: only now can they go.
        gc.collect()
        if self._device.startswith("cuda"):
            torch.cuda.empty_cache()
        raise OutOfMemoryError(why)

    def _answers(
        self, prompts: Sequence[Prompt], most: int, drawn: SamplingSettings, seeds: Sequence[int]
    ) -> list[GeneratedText]:
        said: dict[int, GeneratedText] = {}
        for places, inputs in batches([self._reader.read(prompt) for prompt in prompts], self._pad):
            rows = self._generated(self._moved(inputs), most, drawn, [seeds[place] for place in places])
            asked = inputs["attention_mask"].sum(dim=1).tolist()
            said |= zip(places, map(self._said, rows, asked), strict=True)
        return [said[place] for place in range(len(prompts))]

    def stop(self) -> None:
        """End what is being written after the next token: nobody waits for it any more."""
        self._stopped.set()

    def _moved(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        return {
            name: tensor.to(self._device, self._model.dtype if tensor.is_floating_point() else None)
            for name, tensor in inputs.items()
        }

    def _generated(
        self, inputs: Mapping[str, Any], most: int, drawn: SamplingSettings, seeds: Sequence[int]
    ) -> Sequence[list[int]]:
        """The new tokens of each row."""
        whole = self._model.generate(
            **inputs,
            max_new_tokens=most,
            do_sample=False,
            num_beams=1,
            temperature=None,
            top_p=None,
            top_k=None,
            min_p=None,
            repetition_penalty=None,
            logits_processor=steps(drawn, seeds, inputs["attention_mask"]),
            stopping_criteria=[lambda tokens, scores: tokens.new_full(tokens.shape[:1], self._stopped.is_set()).bool()],
            eos_token_id=sorted(self._ends) or None,
            pad_token_id=self._pad,
        )
        rows: Sequence[list[int]] = whole[:, inputs["input_ids"].shape[1] :].tolist()
        return rows

    def _said(self, row: list[int], prompt_tokens: int) -> GeneratedText:
        end = next((place for place, token in enumerate(row) if token in self._ends), None)
        text: str = self._tokenizer.decode(
            row if end is None else row[:end], skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        # Half a character at the end is none; servers leave it out as well.
        return GeneratedText(
            text.rstrip("\ufffd"), end is not None, prompt_tokens, len(row) if end is None else end + 1
        )


def _processor(checkpoint: Checkpoint, where: dict[str, Any]) -> Any:
    """What reads words and clips for it; None where a folder has none."""
    import transformers

    named = _LISTENERS.get(_THINKERS.get(checkpoint.architecture or "", ""))
    try:
        if named is not None:
            return _listener(getattr(transformers, named), checkpoint.source, where)
        return transformers.AutoProcessor.from_pretrained(checkpoint.source, **where)
    except OSError:
        if checkpoint.is_local:
            return None
        raise


def _listener(kind: Any, source: str, where: dict[str, Any]) -> Any:
    """This processor without the parts that see, which nothing asks for, and which want Pillow and torchvision."""
    import transformers

    blind = SimpleNamespace(merge_size=1)  # looked up before it is known that there is no picture

    class Listener(kind):  # type: ignore[misc]
        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            return None if argument is blind else super().check_argument_for_proper_class(argument_name, argument)

    return Listener(
        image_processor=blind,
        video_processor=blind,
        feature_extractor=transformers.AutoFeatureExtractor.from_pretrained(source, **where),
        tokenizer=transformers.AutoTokenizer.from_pretrained(source, **where),
        chat_template=kind.get_processor_dict(source, **where)[0].get("chat_template"),
    )


def _kind(checkpoint: Checkpoint, where: dict[str, Any]) -> Any:
    """The class that loads it: of transformers by the name in config.json, or the checkpoint's own."""
    import transformers

    name = checkpoint.architecture
    if name is not None:
        found = getattr(transformers, _THINKERS.get(name, name), None)
        if isinstance(found, type) and issubclass(found, transformers.PreTrainedModel):
            return found
    config = transformers.AutoConfig.from_pretrained(checkpoint.source, **where)
    own = getattr(config, "auto_map", None) or {}
    named = next((kind for kind in ("AutoModelForCausalLM", "AutoModelForSeq2SeqLM", "AutoModel") if kind in own), None)
    if named is not None:
        return getattr(transformers, named)
    if name is None:
        return transformers.AutoModelForMultimodalLM
    raise UserError(f"--model {checkpoint.source}: transformers {transformers.__version__} has no class {name}.")


def _ends(model: Any, tokenizer: Any) -> set[int]:
    told = model.generation_config.eos_token_id
    several = told if isinstance(told, list) else [told]
    return {token for token in (*several, tokenizer.eos_token_id) if token is not None}
