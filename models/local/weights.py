"""Generate tokens with transformers, for prompts that share a batch and answers that do not depend on it."""

from __future__ import annotations

import copy
import functools
import gc
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from dtbench.harness.core.errors import MachineryError, format_error
from dtbench.harness.core.schema import Prompt
from dtbench.harness.extract.chain_tags import ChainTags
from dtbench.models.checkpoints.checkpoint import Checkpoint
from dtbench.models.local.chain_budget import ChainBudget, ChainUse, TagTokens, chain_use, force_closing
from dtbench.models.local.inputs import InputBatch, PromptProcessor, join_prompts, make_batches, of_tokens
from dtbench.models.local.loading import (
    end_tokens,
    hub_arguments,
    load_model,
    load_processor,
    refuse_code,
    with_architecture,
)
from dtbench.models.local.notices import TransformersNotices
from dtbench.models.local.sampling import SamplingSettings, StopStrings, cut_at_stop, logits_processors
from dtbench.models.local.settings import LocalSettings
from dtbench.models.local.shared_batch import CannotShareError, DecoderInput, SharedBatch

_OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "could not create a primitive")
"""Messages of torch for what it has no error class for: on CPUs, on Apple's GPUs, and from oneDNN on CPUs."""

T = TypeVar("T")
Inputs = Mapping[str, Any]
"""The tokens and features of one prompt, or of a batch."""


class OutOfMemoryError(Exception):
    """A batch did not fit into the memory of the device."""


class GeneratedText(NamedTuple):
    """The answer to one prompt."""

    text: str
    ended: bool
    """Whether the model ended it; else it was cut off."""
    prompt_tokens: int
    tokens: int
    chain: ChainUse | None = None
    """What became of its chain, where that has a budget."""
    ids: tuple[int, ...] = ()
    """Its tokens, without that which ends it."""


class LetterLogprobs(NamedTuple):
    """The log-probability of each letter of a prompt as the first token, among all tokens."""

    logprobs: tuple[float, ...]
    prompt_tokens: int


class _GeneratedRow(NamedTuple):
    prompt: list[int]
    tokens: list[int]
    stopped_at: int | None
    """The number of tokens up to its stop string; None where it has none."""
    row: RowSettings


class RowSettings(NamedTuple):
    """What is one prompt's own."""

    seed: int
    budget: int | None = None
    """The most tokens of its chain."""
    begun: str = ""
    """The beginning of its answer, which its text does not repeat."""


class Weights:
    """A model and its processor."""

    def __init__(self, checkpoint: Checkpoint, settings: LocalSettings) -> None:
        self._notices = TransformersNotices()
        self._notices.attach()
        where = hub_arguments(checkpoint, settings)
        checkpoint = with_architecture(checkpoint, where)
        refuse_code(checkpoint, settings)
        self._processor = PromptProcessor(load_processor(checkpoint, where), checkpoint.source, settings)
        # Prompts are read in another thread, and a tokenizer serves one at a time.
        self._tokenizer = copy.deepcopy(self._processor.tokenizer)
        if self._tokenizer.pad_token_id is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        self._pad: int = self._tokenizer.pad_token_id
        loaded = load_model(checkpoint, settings, where)
        self._model, self._device = loaded.model, loaded.device
        self._notes = [] if loaded.note is None else [loaded.note]
        self._ends = end_tokens(self._model, self._tokenizer, settings)
        self._stop = settings.stop or ()
        self._chain = settings.chain
        self._shared: SharedBatch | None = SharedBatch(self._model)
        self._stopped = threading.Event()

    @property
    def model(self) -> Any:
        """Return the model of transformers, for what looks inside it."""
        return self._model

    @property
    def tokenizer(self) -> Any:
        """Return the tokenizer, which serves one thread at a time."""
        return self._tokenizer

    def read(self, prompt: Prompt) -> Inputs:
        """Make the tokens and features of a prompt; raise an OutOfMemoryError where they do not fit."""
        return self._in_memory(lambda: self._processor.read(prompt))

    def answer(
        self, prompts: Sequence[Inputs], max_tokens: int, sampling: SamplingSettings, rows: Sequence[RowSettings]
    ) -> list[GeneratedText]:
        """Answer every prompt; raise an OutOfMemoryError where they do not fit into memory together."""
        import torch

        def answer() -> list[GeneratedText]:
            with torch.inference_mode():
                return self._answer_in_batches(prompts, max_tokens, sampling, rows)

        return self._in_memory(answer)

    @staticmethod
    def _in_memory(compute: Callable[[], T]) -> T:
        import torch

        try:
            return compute()
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
            why = str(error).strip().partition("\n")[0]
        # The error kept the tensors of the batch alive: only now can they go.
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        raise OutOfMemoryError(why)

    def letter_logprobs(
        self, inputs: Inputs, letters: Sequence[str], sampling: SamplingSettings, seed: int
    ) -> LetterLogprobs:
        """Score the letters of one prompt in one pass, which a batch would pad and hardly speed up."""
        first_rows: list[Any] = []
        hook = self._model.register_forward_hook(lambda module, args, output: first_rows.append(output.logits[0, -1]))
        try:
            (text,) = self.answer([inputs], 1, sampling._replace(temperature=0.0), [RowSettings(seed)])
        finally:
            hook.remove()
        row = first_rows[0].float().log_softmax(dim=-1)
        tokens = [letter_tokens(self._tokenizer, letter) for letter in letters]
        return LetterLogprobs(tuple(float(row[ids].logsumexp(dim=0)) for ids in tokens), text.prompt_tokens)

    def _answer_in_batches(
        self, prompts: Sequence[Inputs], max_tokens: int, sampling: SamplingSettings, rows: Sequence[RowSettings]
    ) -> list[GeneratedText]:
        def generate(inputs: Inputs, places: Sequence[int]) -> list[GeneratedText]:
            return list(map(self._decode, self._generate(inputs, max_tokens, sampling, [rows[one] for one in places])))

        batches = [batch._replace(inputs=self.on_device(batch.inputs)) for batch in make_batches(prompts, self._pad)]
        has_one_form = len({frozenset(prompt) for prompt in prompts}) == 1
        if len(batches) > 1 and has_one_form and (texts := self._answer_as_one(prompts, batches, generate)) is not None:
            return texts
        answered: dict[int, GeneratedText] = {}
        for places, inputs in batches:
            answered |= zip(places, generate(inputs, places), strict=True)
        return [answered[place] for place in range(len(prompts))]

    def _answer_as_one(
        self,
        prompts: Sequence[Inputs],
        batches: Sequence[InputBatch],
        generate: Callable[[Inputs, Sequence[int]], list[GeneratedText]],
    ) -> list[GeneratedText] | None:
        """Answer prompts whose features have several shapes in one batch of the decoder; None where it takes none."""
        shared = self._shared
        if shared is None:
            return None
        try:
            shortest = min(range(len(prompts)), key=lambda place: prompts[place]["input_ids"].shape[1])
            alone = None if shared.is_checked else shared.score(self._generate_one, self.on_device(prompts[shortest]))
            encoded: dict[int, DecoderInput] = {}
            for places, inputs in batches:
                encoded |= zip(places, shared.encode(self._generate_one, inputs), strict=True)
            tokens = [{name: one[name] for name in one if of_tokens(one, name)} for one in prompts]
            together = self.on_device(join_prompts(tokens, self._pad))
            everyone = range(len(prompts))
            with shared.given([encoded[place] for place in everyone]) as positions, shared.checked(shortest, alone):
                return generate({**together, "position_ids": positions}, everyone)
        except Exception as error:  # someone else's code
            if _is_out_of_memory(error):
                raise
            self._shared = None
            why = str(error) if isinstance(error, CannotShareError) else format_error(error)
            self._notes.append(f"clips of other lengths are answered apart: {why}")
            return None

    def on_device(self, inputs: Inputs) -> Inputs:
        """Return tokens and features where the model takes them, in its type of numbers."""
        dtype = self._model.dtype
        return {
            name: tensor.to(self._device, dtype if tensor.is_floating_point() else None)
            for name, tensor in inputs.items()
        }

    def take_notes(self) -> list[str]:
        """Return what a user should know of how it answers, since the last call: transformers' warnings among it."""
        notes, self._notes = self._notes, []
        return [*notes, *self._notices.take()]

    def stop(self) -> None:
        """End the generation in progress after its next token."""
        self._stopped.set()
        self._notices.detach()

    def _generate(
        self, inputs: Inputs, max_tokens: int, sampling: SamplingSettings, rows: Sequence[RowSettings]
    ) -> list[_GeneratedRow]:
        """Generate the new tokens of each row."""
        import transformers

        length = inputs["input_ids"].shape[1]
        starts = inputs["attention_mask"].argmax(dim=1).tolist()
        prompts = [row[start:] for row, start in zip(inputs["input_ids"].tolist(), starts, strict=True)]
        steps = logits_processors(sampling, [row.seed for row in rows], inputs["attention_mask"])
        if any(row.budget is not None for row in rows):
            steps.append(force_closing(list(map(self._chain_of, rows, prompts)), length))
        stops = StopStrings(self._stop, length, self.decode) if self._stop else None
        # A batch without clips is not the model's own: Granite Speech would turn its adapter off for one.
        own = transformers.GenerationMixin.generate if "position_ids" in inputs else type(self._model).generate
        whole = own(
            self._model,
            **inputs,
            max_new_tokens=max_tokens,
            do_sample=False,
            num_beams=1,
            logits_processor=steps,
            stopping_criteria=[self._interrupted, *([] if stops is None else [stops])],
            eos_token_id=sorted(self._ends) or None,
            pad_token_id=self._pad,
        )
        ends = {} if stops is None else stops.ends
        settings = rows or [RowSettings(0)] * len(prompts)
        written = enumerate(zip(prompts, whole[:, length:].tolist(), settings, strict=True))
        return [_GeneratedRow(prompt, tokens, ends.get(place), row) for place, (prompt, tokens, row) in written]

    @functools.cached_property
    def _tags(self) -> TagTokens:
        return TagTokens.of(self._tokenizer, self._chain)

    def _chain_of(self, row: RowSettings, prompt: Sequence[int]) -> ChainBudget | None:
        return None if row.budget is None else ChainBudget(self._tags, row.budget, prompt)

    def adapter_difference(self, prompt: Prompt) -> float | None:
        """Return by how much its adapter for clips moves the next token's log-probabilities; None where it has none."""
        import torch

        if not getattr(self._model, "_hf_peft_config_loaded", False):
            return None
        inputs = self.on_device(self._processor.read(prompt))
        rows = []
        with torch.inference_mode():
            for turn in (self._model.disable_adapters, self._model.enable_adapters):
                turn()
                rows.append(self._model(**inputs).logits[0, -1].float().log_softmax(dim=-1))
        return float((rows[0] - rows[1]).abs().max())

    def _generate_one(self, inputs: Inputs) -> object:
        return self._generate(inputs, 1, SamplingSettings(), [])

    def _interrupted(self, tokens: Any, scores: Any, **more: Any) -> Any:
        return tokens.new_full(tokens.shape[:1], self._stopped.is_set()).bool()

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens, without special ones but for the tags of its chain."""
        return decode_tokens(self._tokenizer, tokens, self._chain)

    def _decode_behind(self, begun: str, tokens: Sequence[int]) -> str:
        """Decode what follows the beginning of an answer, with the space before it that some tokenizers drop."""
        if not begun:
            return self.decode(tokens)
        before = self._tokenizer.encode(begun, add_special_tokens=False)
        head, whole = self.decode(before), self.decode([*before, *tokens])
        return whole.removeprefix(head) if whole.startswith(head) else self.decode(tokens)

    def _decode(self, row: _GeneratedRow) -> GeneratedText:
        tokens = row.tokens if row.stopped_at is None else row.tokens[: row.stopped_at]
        end = next((place for place, token in enumerate(tokens) if token in self._ends), None)
        own = tokens if end is None else tokens[:end]
        text = cut_at_stop(self._decode_behind(row.row.begun, own), self._stop)
        ended = end is not None or row.stopped_at is not None
        budget = row.row.budget
        chain = None if budget is None else chain_use(self._tags, budget, row.prompt, tokens[:end])
        # Drop half a character at the end, as servers do.
        count = len(tokens) if end is None else end + 1
        return GeneratedText(text.rstrip("\ufffd"), ended, len(row.prompt), count, chain, tuple(tokens[:end]))


def _is_out_of_memory(error: BaseException) -> bool:
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _OUT_OF_MEMORY)


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
