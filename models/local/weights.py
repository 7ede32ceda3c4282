"""Load weights and generate tokens with transformers, sampled for each row of a batch by itself."""

from __future__ import annotations

import gc
import importlib.util
import threading
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

from dtbench.harness.core.errors import MachineryError, UserError
from dtbench.harness.core.schema import Prompt
from dtbench.harness.extract.chain_tags import ChainTags
from dtbench.models.checkpoints.checkpoint import Checkpoint
from dtbench.models.local.inputs import PromptProcessor, make_batches

_THINKERS = {
    "Qwen2_5OmniModel": "Qwen2_5OmniThinkerForConditionalGeneration",
    "Qwen2_5OmniForConditionalGeneration": "Qwen2_5OmniThinkerForConditionalGeneration",
    "Qwen3OmniMoeForConditionalGeneration": "Qwen3OmniMoeThinkerForConditionalGeneration",
}
"""Of models that also speak, the part that writes, which alone is loaded."""
_LISTENERS = {
    "Qwen2_5OmniThinkerForConditionalGeneration": "Qwen2_5OmniProcessor",
    "Qwen3OmniMoeThinkerForConditionalGeneration": "Qwen3OmniMoeProcessor",
}
"""Their processors, of which only the parts that read and hear are loaded."""
_OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "could not create a primitive")
"""Messages of torch for what it has no error class for: on CPUs, on Apple's GPUs, and from oneDNN on CPUs."""

_SMALL = 20_000_000
"""Weights below which threads wait for each other longer than they compute: a model of two million took 6 minutes on
two threads of a busy machine for what one does in half a minute."""


class OutOfMemoryError(Exception):
    """A batch did not fit into the memory of the device."""


class SamplingSettings(NamedTuple):
    """How a token is sampled."""

    temperature: float = 0.0
    """0 for greedy decoding."""
    top_p: float = 1.0
    top_k: int = 0
    """0 for all."""
    min_p: float = 0.0
    repetition_penalty: float = 1.0


class GeneratedText(NamedTuple):
    """The answer to one prompt."""

    text: str
    ended: bool
    """Whether the model ended it; else it was cut off."""
    prompt_tokens: int
    tokens: int


class LetterLogprobs(NamedTuple):
    """The log-probability of each letter of a prompt as the first token, among all tokens."""

    logprobs: tuple[float, ...]
    prompt_tokens: int


def missing_packages() -> list[str]:
    """List the packages that the backend needs and this environment lacks."""
    return [name for name in ("torch", "transformers") if importlib.util.find_spec(name) is None]


class Weights:
    """A model and its processor."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        device: str,
        dtype: str,
        remote: bool,
        rate: int = 16000,
        chain: ChainTags | None = None,
    ) -> None:
        import torch
        import transformers

        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        where = {"trust_remote_code": remote, "local_files_only": checkpoint.is_local}
        kind = _kind(checkpoint, where)
        self._processor = PromptProcessor(_processor(checkpoint, where), checkpoint.source, rate)
        self._tokenizer = self._processor.tokenizer
        if self._tokenizer.pad_token_id is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        self._pad: int = self._tokenizer.pad_token_id
        self._device = device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
        model, loading = kind.from_pretrained(checkpoint.source, dtype=dtype, output_loading_info=True, **where)
        if lacking := sorted(loading["missing_keys"]):
            raise UserError(
                f"--model {checkpoint.source}: {len(lacking)} of its weights are missing (first: {lacking[0]}), "
                "and transformers would initialise them at random. Copy or save the checkpoint again."
            )
        self._model: Any = model.to(self._device).eval()
        if self._device == "cpu" and model.num_parameters() < _SMALL:
            torch.set_num_threads(1)
        self._ends = _ends(self._model, self._tokenizer)
        self._chain = chain
        self._stopped = threading.Event()

    def answer(
        self, prompts: Sequence[Prompt], max_tokens: int, sampling: SamplingSettings, seeds: Sequence[int]
    ) -> list[GeneratedText]:
        """Answer every prompt; raise an OutOfMemoryError where they do not fit into memory together."""
        import torch

        try:
            with torch.inference_mode():
                return self._answer_in_batches(prompts, max_tokens, sampling, seeds)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            why = str(error).strip().partition("\n")[0]
            if isinstance(error, RuntimeError) and not any(words in str(error) for words in _OUT_OF_MEMORY):
                raise
        # The error kept the tensors of the batch alive: only now can they go.
        gc.collect()
        if self._device.startswith("cuda"):
            torch.cuda.empty_cache()
        raise OutOfMemoryError(why)

    def letter_logprobs(self, prompt: Prompt, sampling: SamplingSettings, seed: int) -> LetterLogprobs:
        """Score the letters of one prompt in one pass, which a batch would pad and hardly speed up."""
        first_rows: list[Any] = []
        hook = self._model.register_forward_hook(lambda module, args, output: first_rows.append(output.logits[0, -1]))
        try:
            (text,) = self.answer([prompt], 1, sampling._replace(temperature=0.0), [seed])
        finally:
            hook.remove()
        row = first_rows[0].float().log_softmax(dim=-1)
        tokens = [letter_tokens(self._tokenizer, letter) for letter in prompt.letters]
        return LetterLogprobs(tuple(float(row[ids].logsumexp(dim=0)) for ids in tokens), text.prompt_tokens)

    def _answer_in_batches(
        self, prompts: Sequence[Prompt], max_tokens: int, sampling: SamplingSettings, seeds: Sequence[int]
    ) -> list[GeneratedText]:
        texts: dict[int, GeneratedText] = {}
        for places, inputs in make_batches([self._processor.read(prompt) for prompt in prompts], self._pad):
            on_device = {
                name: tensor.to(self._device, self._model.dtype if tensor.is_floating_point() else None)
                for name, tensor in inputs.items()
            }
            rows = self._generate(on_device, max_tokens, sampling, [seeds[place] for place in places])
            prompt_tokens = inputs["attention_mask"].sum(dim=1).tolist()
            texts |= zip(places, map(self._decode, rows, prompt_tokens), strict=True)
        return [texts[place] for place in range(len(prompts))]

    def stop(self) -> None:
        """End the generation in progress after its next token."""
        self._stopped.set()

    def _generate(
        self, inputs: Mapping[str, Any], max_tokens: int, sampling: SamplingSettings, seeds: Sequence[int]
    ) -> Sequence[list[int]]:
        """Generate the new tokens of each row."""
        whole = self._model.generate(
            **inputs,
            max_new_tokens=max_tokens,
            do_sample=False,
            num_beams=1,
            temperature=None,
            top_p=None,
            top_k=None,
            min_p=None,
            repetition_penalty=None,
            logits_processor=_logits_processors(sampling, seeds, inputs["attention_mask"]),
            stopping_criteria=[lambda tokens, scores: tokens.new_full(tokens.shape[:1], self._stopped.is_set()).bool()],
            eos_token_id=sorted(self._ends) or None,
            pad_token_id=self._pad,
        )
        rows: Sequence[list[int]] = whole[:, inputs["input_ids"].shape[1] :].tolist()
        return rows

    def _decode(self, row: list[int], prompt_tokens: int) -> GeneratedText:
        end = next((place for place, token in enumerate(row) if token in self._ends), None)
        text = decode_tokens(self._tokenizer, row if end is None else row[:end], self._chain)
        # Drop half a character at the end, as servers do.
        return GeneratedText(
            text.rstrip("\ufffd"), end is not None, prompt_tokens, len(row) if end is None else end + 1
        )


def decode_tokens(tokenizer: Any, row: Sequence[int], chain: ChainTags | None) -> str:
    """Decode tokens without special ones, but for those that stand around the chain."""
    added = tokenizer.get_added_vocab() if chain else {}
    kept = {added[tag]: tag for tag in chain or () if tag in added}
    pieces: list[str] = []
    start = 0
    for place, token in enumerate([*row, None]):
        if token is None or token in kept:
            plain = row[start:place]
            pieces.append(tokenizer.decode(plain, skip_special_tokens=True, clean_up_tokenization_spaces=False))
            pieces.append("" if token is None else kept[token])
            start = place + 1
    return "".join(pieces)


def _processor(checkpoint: Checkpoint, where: dict[str, Any]) -> Any:
    """Load the processor of a checkpoint; None where a folder has none."""
    import transformers

    listener = _LISTENERS.get(_THINKERS.get(checkpoint.architecture or "", ""))
    try:
        if listener is not None:
            return _listener(getattr(transformers, listener), checkpoint.source, where)
        return transformers.AutoProcessor.from_pretrained(checkpoint.source, **where)
    except OSError:
        if checkpoint.is_local:
            return None
        raise


def _listener(kind: Any, source: str, where: dict[str, Any]) -> Any:
    """Load a processor without the parts that see: nothing uses them, and they need Pillow and torchvision."""
    import transformers

    blind = SimpleNamespace(merge_size=1)  # read before it is known that there is no picture

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
    """Return the class that loads a checkpoint: that of transformers which config.json names, or its own."""
    import transformers

    name = checkpoint.architecture
    if name is not None:
        kind = getattr(transformers, _THINKERS.get(name, name), None)
        if isinstance(kind, type) and issubclass(kind, transformers.PreTrainedModel):
            return kind
    config = transformers.AutoConfig.from_pretrained(checkpoint.source, **where)
    own = getattr(config, "auto_map", None) or {}
    auto = next((auto for auto in ("AutoModelForCausalLM", "AutoModelForSeq2SeqLM", "AutoModel") if auto in own), None)
    if auto is not None:
        return getattr(transformers, auto)
    if name is None:
        return transformers.AutoModelForMultimodalLM
    raise UserError(f"--model {checkpoint.source}: transformers {transformers.__version__} has no class {name}.")


def _ends(model: Any, tokenizer: Any) -> set[int]:
    ends = model.generation_config.eos_token_id
    return {
        token for token in (*(ends if isinstance(ends, list) else [ends]), tokenizer.eos_token_id) if token is not None
    }


def letter_tokens(tokenizer: Any, letter: str) -> Sequence[int]:
    """Return the tokens that are this letter alone; raise a MachineryError where the tokenizer has none."""
    spelt = tokenizer.encode(letter, add_special_tokens=False)
    known = tokenizer.convert_tokens_to_ids(letter)
    candidates = {*(spelt if len(spelt) == 1 else ()), *([known] if isinstance(known, int) else ())}
    tokens = sorted(token for token in candidates if tokenizer.decode([token]).strip() == letter)
    if not tokens:
        raise MachineryError(
            f"--answer forced: this tokenizer has no token for the letter {letter}: use --answer direct."
        )
    return tokens


def _logits_processors(sampling: SamplingSettings, seeds: Sequence[int], attention: Any) -> Any:
    """Return processors that make greedy decoding sample, for a batch whose padding stands in front.

    Adding Gumbel noise and taking the highest is sampling. With a generator a row, an answer depends on its own seed
    alone; with transformers' own sampling it would depend on the other rows of its batch, too.
    """
    import transformers

    steps = [] if sampling.repetition_penalty == 1 else [_penalty(sampling.repetition_penalty, attention)]
    if sampling.temperature > 0:
        steps += [transformers.TemperatureLogitsWarper(sampling.temperature)]
        steps += [transformers.TopKLogitsWarper(sampling.top_k)] if sampling.top_k else []
        steps += [transformers.TopPLogitsWarper(sampling.top_p)] if sampling.top_p < 1 else []
        steps += [transformers.MinPLogitsWarper(sampling.min_p)] if sampling.min_p else []
        steps += [_noise(seeds)]
    return transformers.LogitsProcessorList(steps)


def _penalty(penalty: float, attention: Any) -> Any:
    """Make tokens of the text less likely; transformers' own penalty would count the padding as text."""
    import torch
    from transformers import LogitsProcessor

    starts = attention.argmax(dim=1).tolist()

    class Penalty(LogitsProcessor):  # type: ignore[misc]
        def __call__(self, input_ids: Any, scores: Any) -> Any:
            lowered = scores.clone()
            for row, start in enumerate(starts):
                used = input_ids[row, start:].unique()
                used = used[used < scores.shape[1]]
                score = scores[row, used]
                lowered[row, used] = torch.where(score < 0, score * penalty, score / penalty)
            return lowered

    return Penalty()


def _noise(seeds: Sequence[int]) -> Any:
    import torch
    from transformers import LogitsProcessor

    generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    class Noise(LogitsProcessor):  # type: ignore[misc]
        def __call__(self, input_ids: Any, scores: Any) -> Any:
            noise = [torch.empty(scores.shape[1]).exponential_(generator=generator) for generator in generators]
            return scores - torch.stack(noise).log().to(scores.device, scores.dtype)

    return Noise()
