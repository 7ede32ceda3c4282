"""Force a text on a model, token by token, and name its segments: what every look inside a model works with.

Two models that write different texts cannot be compared position by position: so each is given the same tokens. A text
is forced alone, without padding, in one pass: what is read of it depends on nothing else, and is the same bit for bit
each time.
"""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from dtbench.harness.audio.prepare import prepare_audio
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.model import Notify, chain_tags
from dtbench.harness.core.schema import Prompt, Sample, with_system
from dtbench.harness.core.task import Task
from dtbench.harness.extract.chain_tags import ChainTags
from dtbench.harness.extract.chains import split_turn
from dtbench.harness.extract.tidy import with_think_tags
from dtbench.harness.probe.probed_checkpoints import model_folder
from dtbench.harness.run.request import RunRequest
from dtbench.harness.run.session import open_jobs
from dtbench.models.checkpoints.checkpoint import resolve_checkpoint

if TYPE_CHECKING:
    from dtbench.models.local.model import Local
    from dtbench.models.local.weights import Inputs, Weights

Segment = Literal["clip", "question", "chain", "answer"]
SEGMENTS: Sequence[Segment] = ("clip", "question", "chain", "answer")
BEFORE = -1
"""The place of what enters the first layer; the layers count from 0, as the names of their weights do."""
_CLIP_TOKENS = ("audio_token_id", "audio_token_index")
"""Where configurations have the token that stands for sound."""
_ROUTERS = ("gate", "router")
"""Names of the module that chooses the experts of a layer."""
_SMALL, _SMALL_BATCH = 20_000_000, 64
"""Of a model with fewer weights than these, a batch costs little more than one question."""
_ALIGNED = 64
"""Bytes: products of one row take another path on a CPU where weights begin elsewhere."""
LayerCallback = Callable[[int, Any], None]
"""Gets the place of a layer and its states: a row for each text, then each token."""


class AskedQuestion(NamedTuple):
    """A question as a model is asked it, with its clips as the model hears them."""

    task: Task
    sample: Sample
    prompt: Prompt

    @property
    def key(self) -> str:
        """Return what names the question among those of several tasks."""
        return f"{self.task.name}/{self.sample.id}"


class GreedyAnswer(NamedTuple):
    """What a model writes when it always takes the likeliest token."""

    text: str
    tokens: tuple[int, ...]
    """Without that which ends it."""
    ended: bool
    """Whether the model ended it; else it was cut off."""


class ForcedText(NamedTuple):
    """A prompt and a text behind it that is not the model's to choose."""

    key: str
    inputs: Mapping[str, Any]
    """The tokens and features of both."""
    start: int
    """The place of the first forced token, which the token before it predicts."""
    segments: tuple[Segment, ...]
    """What each token belongs to."""
    tokens: tuple[int, ...]
    """Those that are forced."""
    pieces: tuple[str, ...]
    """The text of each of them."""

    def places(self, segment: Segment) -> list[int]:
        """Return where the tokens of a segment stand."""
        return [place for place, name in enumerate(self.segments) if name == segment]


class ProbedModel:
    """A checkpoint in this process whose layers can be read."""

    def __init__(self, local: Local, spec: str, notify: Notify, *, own_batches: bool = False) -> None:
        """Load it; `own_batches` says that the size of a batch was not given by the user."""
        self.spec = spec
        self.about = local.describe()
        """As a run.json describes it."""
        self.weights: Weights = local.open_weights(notify)
        self.chain: ChainTags | None = chain_tags(self.about)
        self.model: Any = self.weights.model
        _align(self.model)
        is_small = own_batches and self.model.num_parameters() < _SMALL
        self._batch, self._longest = _SMALL_BATCH if is_small else local.settings.batch_size, local.settings.max_tokens
        decoder = self.model.get_decoder() if hasattr(self.model, "get_decoder") else self.model
        self.decoder: Any = decoder if hasattr(decoder, "layers") else getattr(decoder, "model", decoder)
        self.head: Any = self.model.get_output_embeddings()
        """Turns the states after the last norm into a score for each word."""
        self.norm: Any = getattr(self.decoder, "norm", None)
        """The norm behind the last layer."""
        self.layers: Sequence[Any] = list(getattr(self.decoder, "layers", ()))
        if not self.layers or self.norm is None or self.head is None:
            raise UserError(
                f"{spec}: the layers of {type(self.model).__name__} are not where a probe looks for them (layers, norm "
                "and head of its decoder): Qwen3-Omni, Qwen2.5-Omni, Qwen2-Audio and mini are known to work."
            )
        self.routers: Mapping[int, Any] = dict(_routers(self.layers))
        """The router of each layer that has experts."""
        self._clip_token = _clip_token(self.model.config)

    @property
    def top_k(self) -> int:
        """Return how many experts answer for a token; 0 where there are none."""
        if not self.routers:
            return 0
        config = getattr(self.decoder, "config", self.model.config)
        first = next(iter(self.routers.values()))
        return int(first.top_k if hasattr(first, "top_k") else config.num_experts_per_tok)

    def answer(
        self, questions: Sequence[AskedQuestion], known: Container[str] = ()
    ) -> Iterator[tuple[AskedQuestion, GreedyAnswer]]:
        """Yield each question whose key is not known with its greedy answer, computed in batches.

        Batches are those of all questions, so that a pass that goes on computes what an undisturbed one does, bit for
        bit.
        """
        from dtbench.models.local.sampling import SamplingSettings
        from dtbench.models.local.weights import RowSettings

        for begin in range(0, len(questions), self._batch):
            batch = questions[begin : begin + self._batch]
            if all(question.key in known for question in batch):
                continue
            inputs, rows = [self.weights.read(one.prompt) for one in batch], [RowSettings(0) for _ in batch]
            answers = self.weights.answer(inputs, self._longest, SamplingSettings(), rows)
            for question, found in zip(batch, answers, strict=True):
                if question.key not in known:
                    yield question, GreedyAnswer(found.text, found.ids, found.ended)

    def is_right(self, question: AskedQuestion, text: str) -> bool:
        """Whether an answer is right, as the task reads and scores it."""
        task, sample = question.task, question.sample
        return task.score(sample, task.read(with_think_tags(text, self.chain), question.prompt.choices)).correct is True

    def force(self, question: AskedQuestion, tokens: Sequence[int]) -> ForcedText:
        """Put a text behind the prompt of a question."""
        import torch

        read = self.weights.read(question.prompt)
        prompt = read["input_ids"]
        shape, added = prompt.shape, torch.tensor([list(tokens)], dtype=prompt.dtype)
        inputs: dict[str, Any] = dict(read)
        for name, value in read.items():
            if "feature" not in name and value.shape == shape:
                fill = torch.full_like(added, 1 if name == "attention_mask" else 0, dtype=value.dtype)
                inputs[name] = torch.cat([value, added if name == "input_ids" else fill], dim=1)
        asked: list[Segment] = ["clip" if token in self._clip_token else "question" for token in prompt[0].tolist()]
        before = len(tokens) - self._answer_tokens(tokens)
        segments = (*asked, *["chain"] * before, *["answer"] * (len(tokens) - before))
        pieces = tuple(self.weights.tokenizer.decode([token]) for token in tokens)
        return ForcedText(question.key, inputs, shape[1], segments, tuple(tokens), pieces)  # type: ignore[arg-type]

    def _answer_tokens(self, tokens: Sequence[int]) -> int:
        """Return how many of the last tokens are the answer, and no chain of thought."""
        text = self.weights.decode(tokens)
        start, low, high = answer_start(text, self.chain), 0, len(tokens)
        while low < high:  # the first token whose text reaches past the beginning of the answer
            middle = (low + high) // 2
            if len(self.weights.decode(tokens[: middle + 1])) > start:
                high = middle
            else:
                low = middle + 1
        return len(tokens) - low

    def forward(self, text: ForcedText) -> Any:
        """Return the scores of the next word at each forced token, a row each, in one pass without padding.

        Row N predicts forced token N; hooks see the whole sequence.
        """
        return self.forward_inputs(text.inputs)[0, text.start - 1 : text.start - 1 + len(text.tokens)]

    def forward_inputs(self, inputs: Inputs) -> Any:
        """Return the scores of the next word at each token of a batch."""
        import torch

        with torch.inference_mode():
            return self.model(**self.weights.on_device(inputs), use_cache=False).logits

    @contextmanager
    def each_layer(self, read: LayerCallback) -> Iterator[None]:
        """Call `read` with the states that enter the first layer (place BEFORE) and with those behind each layer."""
        with ExitStack() as hooks:

            def enter(module: Any, args: Any, kwargs: Any) -> None:
                read(BEFORE, args[0] if args else kwargs["hidden_states"])

            def leave(place: int) -> Callable[[Any, Any, Any], None]:
                return lambda module, args, output: read(place, output[0] if isinstance(output, tuple) else output)

            hooks.callback(self.layers[0].register_forward_pre_hook(enter, with_kwargs=True).remove)
            for place, layer in enumerate(self.layers):
                hooks.callback(layer.register_forward_hook(leave(place)).remove)
            yield

    def close(self) -> None:
        """Release the weights."""
        import torch

        self.weights.stop()
        for name in ("weights", "model", "decoder", "head", "norm", "layers", "routers"):
            delattr(self, name)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


class OpenedProbe(NamedTuple):
    """A model and the questions that it is asked."""

    model: ProbedModel
    questions: Sequence[AskedQuestion]


def open_probed(request: RunRequest, notify: Notify) -> OpenedProbe:
    """Load the checkpoint of a request, and word its questions as `dtbench run` would."""
    from dtbench.models.local.model import Local

    spec = probed_spec(request.model, request.options)
    (job,) = open_jobs([dataclasses.replace(request, model=spec, backend="local")])
    local = job.models[0]
    if not isinstance(local, Local) or any(model is not local for model in job.models):
        raise UserError(f"{spec}: its tasks prescribe different settings: probe one task at a time.")
    questions = []
    for plan in job.plans:
        for place in plan.places:
            sample, prompt = plan.question(place, 0)
            questions.append(AskedQuestion(plan.task, sample, _heard(prompt, local, request.long_clips)))
    return OpenedProbe(ProbedModel(local, spec, notify, own_batches="batch_size" not in request.options), questions)


def probed_spec(given: str, options: Mapping[str, str]) -> str:
    """Return the checkpoint that is meant by a folder, a stage of a training, a hub id or the name of a family."""
    folder = Path(given).expanduser()
    spec = str(model_folder(folder)) if folder.is_dir() else given
    try:
        is_checkpoint = "://" not in spec and resolve_checkpoint(spec, None, options) is not None
    except UserError as error:
        raise UserError(str(error).removeprefix("--model ")) from None
    if not is_checkpoint:
        raise UserError(
            f"{given}: a probe reads the layers of a checkpoint, so a folder, a hub id or the name of a family is "
            "expected (`dtbench models` lists them)."
        )
    return spec


def _heard(prompt: Prompt, local: Local, long_clips: str) -> Prompt:
    """Return the prompt with its clips as the model hears them."""

    def wavs(clips: Sequence[Any]) -> tuple[bytes, ...]:
        return tuple(prepare_audio(clip, local.rate, local.limit_seconds, long_clips).wav for clip in clips)

    examples = tuple(dataclasses.replace(example, wavs=wavs(example.clips)) for example in prompt.examples)
    return with_system(dataclasses.replace(prompt, wavs=wavs(prompt.clips), examples=examples), local.system)


def answer_start(text: str, tags: ChainTags | None) -> int:
    """Return where the answer begins in a text; its end where a chain never ends, 0 where there is no chain.

    White space and tags between the two belong to the chain.
    """
    parts = split_turn(text, tags)
    if parts.open_chain:
        return len(text)
    if not parts.thinking.strip():
        return 0
    answer = parts.answer.strip()
    place = text.rfind(answer) if answer else len(text)
    return place if place >= 0 else len(text) - len(parts.answer.lstrip())


def _align(model: Any) -> None:
    """Copy weights that begin askew in memory, as those mapped from files do: where they begin changes last digits."""
    for one in model.parameters():
        if one.device.type == "cpu" and one.data_ptr() % _ALIGNED:
            one.data = one.data.clone()


def _routers(layers: Sequence[Any]) -> Iterator[tuple[int, Any]]:
    """Yield the router of each layer: a matrix with a row for each expert."""
    for place, layer in enumerate(layers):
        for name, module in layer.named_modules():
            weight = getattr(module, "weight", None)
            if name.rpartition(".")[2] in _ROUTERS and weight is not None and weight.dim() == 2 and len(weight) > 1:
                yield place, module
                break


def _clip_token(config: Any) -> set[int]:
    """Return the tokens that stand for sound."""
    found = {getattr(config, name, None) for name in _CLIP_TOKENS}
    return {token for token in found if isinstance(token, int)}
