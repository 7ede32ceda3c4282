"""A checkpoint in this process, with transformers: for machines and architectures that vLLM does not run on."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from dtbench.harness.core.errors import DtbenchError, MachineryError, ModelError, UserError, format_error
from dtbench.harness.core.installed import install_command
from dtbench.harness.core.model import Notify, RequestPreview
from dtbench.harness.core.schema import OptionLogprobs, Prompt, Response
from dtbench.harness.core.typed_settings import Condition, above, at_least, check_settings, read_options
from dtbench.harness.extract.chain_tags import ChainTags
from dtbench.models.checkpoints.checkpoint import Checkpoint, default_settings
from dtbench.models.local.weights import OutOfMemoryError, SamplingSettings, Weights, missing_packages


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSettings:
    """How a checkpoint answers in this process, by `-M key=value`."""

    batch_size: Annotated[int, at_least(1)] = 8
    """Prompts in one batch; in float32 an answer does not depend on it."""
    device: str = "auto"
    """cpu, cuda, cuda:1, mps; auto: a GPU where there is one."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """auto: the type in which the checkpoint was saved."""
    max_tokens: Annotated[int, at_least(1)] = 2048
    """Longest answer, in tokens."""
    temperature: Annotated[float, at_least(0)] = 0.0
    """Sampling temperature; 0 takes the likeliest token."""
    top_p: Annotated[float, Condition(lambda value: 0 < value <= 1, "above 0 and at most 1")] = 1.0
    """Sample from the likeliest tokens that have this probability together."""
    top_k: Annotated[int, at_least(0)] = 0
    """Sample from so many of the likeliest tokens; 0 for all."""
    min_p: Annotated[float, Condition(lambda value: 0 <= value < 1, "0 or more and below 1")] = 0.0
    """Sample from tokens with at least this share of the likeliest one's probability."""
    repetition_penalty: Annotated[float, above(0)] = 1.0
    """Above 1, tokens of prompt and answer become less likely to come again; 1 for none."""
    seed: int = 0
    """For prompts without a seed of their own."""
    trust_remote_code: bool = False
    """Whether code of the checkpoint may run."""
    rate: int = 16000
    """The sampling rate of the clips that the model gets."""
    limit_seconds: float | None = None
    """The longest clip that the model takes."""
    chain: ChainTags | None = None
    """The model's own tags around its chain of thought, such as `<reason>,</reason>`; common ones are known."""

    def __post_init__(self) -> None:
        """Refuse values out of range, also those of generation_config.json and of a family."""
        check_settings(self, "-M")


class Local:
    """A checkpoint that answers waiting prompts in batches, in one thread."""

    listens = True

    def __init__(self, checkpoint: Checkpoint, settings: LocalSettings) -> None:
        self.rate = settings.rate
        self.limit_seconds = settings.limit_seconds
        self.forces = checkpoint.family is None or checkpoint.family.forced
        self._checkpoint = checkpoint
        self._settings = settings
        self._batch = settings.batch_size
        self._weights: Weights | None = None
        self._waiting: list[tuple[Prompt, asyncio.Future[Response]]] = []
        self._worker: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1)
        self._lock = asyncio.Lock()
        self._notify: Notify = lambda line: None

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint, options: Mapping[str, str]) -> Local:
        """Make the model from its -M options."""
        if missing := missing_packages():
            raise UserError(
                f"--backend local: {' and '.join(missing)} not installed here: `{install_command('local')}`."
            )
        given = {name: text for name, text in options.items() if name != "family"}
        what, defaults = "a checkpoint with --backend local", default_settings(checkpoint)
        return cls(checkpoint, read_options(LocalSettings, given, what, defaults=defaults))

    async def start(self, notify: Notify) -> None:
        """Load the weights."""
        self._notify = notify
        await self._loaded()

    async def generate(self, prompt: Prompt) -> Response:
        """Answer one prompt, in a batch with those that wait beside it."""
        await self._loaded()
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._waiting.append((prompt, answer))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await answer

    async def _loaded(self) -> Weights:
        async with self._lock:
            if self._weights is None:
                self._notify(f"transformers: loading {self._checkpoint.source}")
                self._weights = await asyncio.get_running_loop().run_in_executor(self._thread, self._load)
            return self._weights

    def _load(self) -> Weights:
        settings = self._settings
        try:
            return Weights(
                self._checkpoint,
                device=settings.device,
                dtype=settings.dtype,
                remote=settings.trust_remote_code,
                rate=settings.rate,
                chain=settings.chain,
            )
        except DtbenchError:
            raise
        except Exception as error:  # someone else's code, and someone else's weights
            what = f"{self._checkpoint.source} cannot be loaded with transformers"
            raise MachineryError(f"{what}: {format_error(error)}.") from error

    async def _work(self) -> None:
        """Answer batch after batch until no prompt waits."""
        await asyncio.sleep(0)  # prompts that are about to come join the batch
        while self._waiting:
            batch, self._waiting = self._waiting[: self._batch], self._waiting[self._batch :]
            batch = [(prompt, answer) for prompt, answer in batch if not answer.done()]
            if batch:
                await self._answer(batch)

    async def _answer(self, batch: Sequence[tuple[Prompt, asyncio.Future[Response]]]) -> None:
        prompts = [prompt for prompt, _ in batch]
        try:
            responses = await asyncio.get_running_loop().run_in_executor(self._thread, self._responses, prompts)
        except OutOfMemoryError as error:
            if len(batch) > 1:
                self._batch = max(1, len(batch) // 2)
                self._notify(f"transformers: out of memory with a batch of {len(batch)}; continuing with {self._batch}")
                self._waiting = [*batch, *self._waiting]
                return
            self._fail(batch, ModelError(f"out of memory with one prompt ({error})", again=False))
        except DtbenchError as error:
            self._fail(batch, error)
        except Exception as error:  # someone else's code
            self._fail(batch, ModelError(f"transformers failed with {format_error(error)}", again=False))
        else:
            for (_, answer), response in zip(batch, responses, strict=True):
                if not answer.done():
                    answer.set_result(response)

    @staticmethod
    def _fail(batch: Sequence[tuple[Prompt, asyncio.Future[Response]]], error: Exception) -> None:
        for _, answer in batch:
            if not answer.done():
                answer.set_exception(error)

    def _responses(self, prompts: Sequence[Prompt]) -> Sequence[Response]:
        assert self._weights is not None
        settings = self._settings
        seeds = [settings.seed if prompt.seed is None else prompt.seed for prompt in prompts]
        sampling = SamplingSettings(**{name: getattr(settings, name) for name in SamplingSettings._fields})
        if prompts[0].letters:  # a run asks for letters everywhere, or nowhere
            return [_letter_response(self._weights, *each, sampling) for each in zip(prompts, seeds, strict=True)]
        started = time.perf_counter()
        texts = self._weights.answer(prompts, settings.max_tokens, sampling, seeds)
        seconds = time.perf_counter() - started
        return [
            Response(
                text.text,
                "stop" if text.ended else "length",
                {"prompt_tokens": text.prompt_tokens, "completion_tokens": text.tokens},
                seconds,
            )
            for text in texts
        ]

    def preview(self, prompt: Prompt, clip: str | None) -> RequestPreview:
        """Return where the prompt is answered: in this process, by its chat template."""
        return RequestPreview(f"transformers in this process, worded by the chat template of {self._checkpoint.source}")

    def describe(self) -> Mapping[str, Any]:
        """Return the checkpoint, how it runs, and the sampling."""
        from importlib.metadata import version

        settings = dataclasses.asdict(self._settings)
        machine = {name: settings.pop(name) for name in ("batch_size", "device")}
        chain = settings.pop("chain")
        return {
            "name": "local",
            **self._checkpoint.describe(),
            "version": f"transformers {version('transformers')}, torch {version('torch')}",
            "machine": machine,
            **settings,
            **({} if chain is None else {"chain": list(chain)}),
        }

    async def aclose(self) -> None:
        """Stop, and release the weights."""
        if self._worker is not None:
            self._worker.cancel()
        if self._weights is not None:
            self._weights.stop()
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._weights = None


def _letter_response(weights: Weights, prompt: Prompt, seed: int, sampling: SamplingSettings) -> Response:
    """Return the likeliest letter, with the log-probability of each."""
    started = time.perf_counter()
    logprobs, prompt_tokens = weights.letter_logprobs(prompt, sampling, seed)
    text = prompt.letters[logprobs.index(max(logprobs))]
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": 1}
    return Response(text, "length", usage, time.perf_counter() - started, option_logprobs=OptionLogprobs(logprobs))
