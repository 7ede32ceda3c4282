"""A checkpoint in this process, with transformers: for machines and architectures that vLLM does not run on."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from dtbench.harness.core.errors import DtbenchError, MachineryError, ModelError, UserError, format_error
from dtbench.harness.core.installed import install_command
from dtbench.harness.core.model import Notify, RequestPreview
from dtbench.harness.core.schema import OptionLogprobs, Prompt, Response, has_sound, with_system
from dtbench.harness.core.typed_settings import read_options
from dtbench.models.checkpoints.checkpoint import OPTIONS, Checkpoint
from dtbench.models.checkpoints.defaults import DefaultSettings, checkpoint_defaults
from dtbench.models.checkpoints.families import TRUST
from dtbench.models.checkpoints.prepare import merged_checkpoint, prepare_merged
from dtbench.models.checkpoints.trust import code_refusal
from dtbench.models.local.loading import missing_packages
from dtbench.models.local.sampling import SamplingSettings
from dtbench.models.local.settings import MACHINE_SETTINGS, LocalSettings
from dtbench.models.local.weights import GeneratedText, Inputs, OutOfMemoryError, RowSettings, Weights

_LATER_SETTINGS = (
    "load_in_4bit",
    "load_in_8bit",
    "revision",
    "stop",
    "stop_token_ids",
    "chat_template",
    "chat_template_kwargs",
)
"""Stated only where they are set: runs that were made before there were any go on."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """A prompt that is not answered yet."""

    prompt: Prompt
    answer: asyncio.Future[Response]
    inputs: asyncio.Future[Inputs] | None = None
    """Its tokens and features, from when they are being made."""


_MOST_NEEDED = 64
"""So many batches that fit are enough to try larger ones: a few long clips do not keep a whole run in small batches."""


class BatchSize:
    """How many prompts the next batch takes: half as many after one that did not fit, and later as many again."""

    def __init__(self, most: int) -> None:
        self.size = most
        self._most = most
        self._fitted = 0
        self._needed = 2

    def shrink(self, tried: int) -> None:
        """Halve a batch that did not fit; each time it takes twice as many that fit before more are tried."""
        self.size = max(1, tried // 2)
        self._fitted = 0
        self._needed = min(2 * self._needed, _MOST_NEEDED)

    def grow(self, tried: int) -> bool:
        """Count a batch that fitted, and return whether the next takes more."""
        self._fitted += tried == self.size < self._most
        if self._fitted < self._needed or self.size == self._most:
            return False
        self.size = min(self._most, 2 * self.size)
        self._fitted = 0
        return True


class Local:
    """A checkpoint that answers waiting prompts in batches, in one thread."""

    listens = True
    stereo = False
    """Feature extractors of transformers take one channel."""
    limits_chains = True
    prefills = True

    def __init__(self, checkpoint: Checkpoint, settings: LocalSettings, defaults: DefaultSettings) -> None:
        self.rate = settings.rate
        self.limit_seconds = settings.limit_seconds
        self.system = settings.system
        self.forces = checkpoint.family is None or checkpoint.family.forced
        self._checkpoint = checkpoint
        self._settings = settings
        self._defaults = defaults
        self._batch = BatchSize(settings.batch_size)
        self._weights: Weights | None = None
        self._waiting: list[_Waiting] = []
        self._worker: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1)
        self._reader = ThreadPoolExecutor(1)
        self._lock = asyncio.Lock()
        self._notify: Notify = lambda line: None

    @property
    def concurrency(self) -> int:
        """Prompts to be asked at once: a batch, and the next, whose features are made meanwhile."""
        return 2 * self._settings.batch_size

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint, options: Mapping[str, str], style: str | None = None) -> Local:
        """Make the model from its -M options, for a style of answer."""
        if missing := missing_packages():
            raise UserError(
                f"--backend local: {' and '.join(missing)} not installed here: `{install_command('local')}`."
            )
        if checkpoint.adapter is not None and checkpoint.adapter.mode == "serve":
            raise UserError(
                "-M adapter_mode=serve: vLLM alone applies an adapter beside its base: leave it out, and it is merged."
            )
        given = {name: text for name, text in options.items() if name not in OPTIONS}
        about = checkpoint_defaults(checkpoint, style, revision=given.get("revision"))
        settings = read_options(LocalSettings, given, "a checkpoint with --backend local", defaults=about.settings)
        return cls(checkpoint, settings, about)

    @property
    def settings(self) -> LocalSettings:
        """Return how it answers."""
        return self._settings

    def open_weights(self, notify: Notify) -> Weights:
        """Load the weights in this thread and return them, for a caller that runs the model itself."""
        notify(f"transformers: loading {self._checkpoint.source}")
        weights = self._load(merged_checkpoint(self._checkpoint, notify))
        for note in weights.take_notes():
            notify(f"transformers: {note}")
        return weights

    async def start(self, notify: Notify) -> None:
        """Load the weights."""
        self._notify = notify
        if self._defaults.problem:
            notify(self._defaults.problem)
        await self._loaded()

    async def preflight(self, prompt: Prompt, notify: Notify) -> Mapping[str, Any]:
        """Ask with and without an adapter for clips; raise a MachineryError where it makes no difference."""
        weights, adapter = await self._loaded(), self._checkpoint.adapter
        commit = self._checkpoint.commit(self._settings.revision)
        found: dict[str, Any] = {} if commit is None else {"commit": commit}
        if not has_sound(prompt) or adapter is None or adapter.mode != "audio":
            return found
        loop, asked = asyncio.get_running_loop(), with_system(prompt, self.system)
        difference = await loop.run_in_executor(self._thread, weights.adapter_difference, asked)
        if difference == 0:
            raise MachineryError(
                f"{self._checkpoint.source}: the adapter that came with it does nothing: the first question is "
                "answered alike with and without it. Copy the checkpoint again."
            )
        if difference is not None:
            found["adapter"] = {"largest_logprob_difference": round(difference, 6)}
        return found

    async def generate(self, prompt: Prompt) -> Response:
        """Answer one prompt, in a batch with those that wait beside it."""
        await self._loaded()
        waiting = _Waiting(with_system(prompt, self.system), asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        elif len(self._waiting) <= self._batch.size:
            self._read_ahead([waiting])
        return await waiting.answer

    async def _loaded(self) -> Weights:
        async with self._lock:
            if self._weights is None:
                self._notify(f"transformers: loading {self._checkpoint.source}")
                checkpoint = await prepare_merged(self._checkpoint, self._notify)
                self._weights = await asyncio.get_running_loop().run_in_executor(self._thread, self._load, checkpoint)
                self._tell()
            return self._weights

    def _tell(self) -> None:
        for note in self._weights.take_notes() if self._weights is not None else ():
            self._notify(f"transformers: {note}")

    def _load(self, checkpoint: Checkpoint) -> Weights:
        try:
            return Weights(checkpoint, self._settings)
        except DtbenchError:
            raise
        except ValueError as error:
            if TRUST not in str(error):
                raise self._unloadable(error) from error
            raise UserError(code_refusal(self._checkpoint.source)) from error
        except OSError as error:  # a checkpoint of the hub, of which nothing was here to be looked at before
            self._checkpoint.refuse_pickles()
            raise self._unloadable(error) from error
        except Exception as error:  # someone else's code, and someone else's weights
            raise self._unloadable(error) from error

    def _unloadable(self, error: Exception) -> MachineryError:
        what = f"{self._checkpoint.source} cannot be loaded with transformers"
        return MachineryError(f"{what}: {format_error(error)}.")

    async def _work(self) -> None:
        """Answer batch after batch until no prompt waits."""
        await asyncio.sleep(0)  # prompts that are about to come join the batch
        while self._waiting:
            waiting = [one for one in self._waiting if not one.answer.done()]
            batch, self._waiting = waiting[: self._batch.size], waiting[self._batch.size :]
            if batch:
                self._read_ahead([*batch, *self._waiting[: self._batch.size]])
                await self._answer(batch)

    def _read_ahead(self, prompts: Sequence[_Waiting]) -> None:
        """Make tokens and features, in a thread of their own, while another batch is being answered."""
        assert self._weights is not None
        loop = asyncio.get_running_loop()
        for one in prompts:
            if one.inputs is None:
                one.inputs = loop.run_in_executor(self._reader, self._weights.read, one.prompt)

    async def _answer(self, batch: Sequence[_Waiting]) -> None:
        try:
            batch = await self._readable(batch)
            loop = asyncio.get_running_loop()
            responses = await loop.run_in_executor(self._thread, self._responses, batch)
        except OutOfMemoryError as error:
            self._shrink(batch, error)
        except DtbenchError as error:
            self._fail(batch, error)
        except Exception as error:  # someone else's code
            self._fail(batch, ModelError(f"transformers failed with {format_error(error)}", again=False))
        else:
            for one, response in zip(batch, responses, strict=True):
                if not one.answer.done():
                    one.answer.set_result(response)
            if self._batch.grow(len(batch)):
                self._notify(f"transformers: trying batches of {self._batch.size} again")
        self._tell()

    async def _readable(self, batch: Sequence[_Waiting]) -> Sequence[_Waiting]:
        """Return those whose features are there; the others fail, each alone."""
        readable = []
        for one in batch:
            try:
                assert one.inputs is not None
                await one.inputs
            except (OutOfMemoryError, DtbenchError):
                raise
            except Exception as error:  # someone else's code
                self._fail([one], ModelError(f"transformers failed with {format_error(error)}", again=False))
            else:
                readable.append(one)
        return readable

    def _shrink(self, batch: Sequence[_Waiting], error: OutOfMemoryError) -> None:
        """Put a batch that did not fit back, to be answered in smaller ones."""
        if len(batch) == 1:
            self._fail(batch, ModelError(f"out of memory with one prompt ({error})", again=False))
            return
        self._batch.shrink(len(batch))
        size = self._batch.size
        self._notify(f"transformers: out of memory with a batch of {len(batch)}; continuing with {size}")
        self._waiting = [*batch, *self._waiting]
        for one in self._waiting:
            if one.inputs is not None and one.inputs.done():
                one.inputs = None  # its memory is needed

    @staticmethod
    def _fail(batch: Sequence[_Waiting], error: Exception) -> None:
        for one in batch:
            if not one.answer.done():
                one.answer.set_exception(error)

    def _responses(self, batch: Sequence[_Waiting]) -> Sequence[Response]:
        assert self._weights is not None
        if not batch:
            return []
        settings = self._settings
        prompts = [one.prompt for one in batch]
        inputs = [one.inputs.result() for one in batch if one.inputs is not None]
        seeds = [settings.seed if prompt.seed is None else prompt.seed for prompt in prompts]
        sampling = SamplingSettings(**{name: getattr(settings, name) for name in SamplingSettings._fields})
        if prompts[0].letters:  # a run asks for letters everywhere, or nowhere
            each = zip(prompts, inputs, seeds, strict=True)
            return [_letter_response(self._weights, *one, sampling) for one in each]
        each_row = zip(seeds, prompts, strict=True)
        rows = [RowSettings(seed, prompt.think_budget, prompt.begun) for seed, prompt in each_row]
        started = time.perf_counter()
        texts = self._weights.answer(inputs, settings.max_tokens, sampling, rows)
        seconds = time.perf_counter() - started
        return [_response(text, seconds, prompt.begun) for text, prompt in zip(texts, prompts, strict=True)]

    def preview(self, prompt: Prompt, clip: str | None) -> RequestPreview:
        """Return where the prompt is answered: in this process, by its chat template."""
        return RequestPreview(f"transformers in this process, worded by the chat template of {self._checkpoint.source}")

    def describe(self) -> Mapping[str, Any]:
        """Return the checkpoint, how it runs, and the sampling."""
        from importlib.metadata import version

        settings = dataclasses.asdict(self._settings)
        machine = {name: settings.pop(name) for name in MACHINE_SETTINGS}
        machine = {name: value for name, value in machine.items() if value is not None}
        chain = settings.pop("chain")
        del settings["system"]  # it stands among the words of the prompt
        if (template := self._settings.template_text()) is not None:
            settings["chat_template"] = hashlib.sha256(template.encode()).hexdigest()[:12]
        for name in _LATER_SETTINGS:
            if settings[name] in (None, False):
                del settings[name]
        return {
            "name": "local",
            **self._checkpoint.describe(self._settings.revision),
            "version": f"transformers {version('transformers')}, torch {version('torch')}",
            "machine": machine,
            "sampling_source": self._defaults.sampling_source,
            **settings,
            **({} if chain is None else {"chain": list(chain)}),
        }

    async def aclose(self) -> None:
        """Stop, and release the weights."""
        if self._worker is not None:
            self._worker.cancel()
        if self._weights is not None:
            self._weights.stop()
        for thread in (self._thread, self._reader):
            thread.shutdown(wait=False, cancel_futures=True)
        self._weights = None


def _response(text: GeneratedText, seconds: float, begun: str) -> Response:
    usage = {"prompt_tokens": text.prompt_tokens, "completion_tokens": text.tokens}
    reason = "stop" if text.ended else "length"
    whole = f"{begun}{text.text}"
    if text.chain is None:
        return Response(whole, reason, usage, seconds)
    usage["reasoning_tokens"] = text.chain.tokens
    return Response(whole, reason, usage, seconds, cut_at_budget=text.chain.was_cut)


def _letter_response(
    weights: Weights, prompt: Prompt, inputs: Inputs, seed: int, sampling: SamplingSettings
) -> Response:
    """Return the likeliest letter, with the log-probability of each."""
    started = time.perf_counter()
    logprobs, prompt_tokens = weights.letter_logprobs(inputs, prompt.letters, sampling, seed)
    text = prompt.letters[logprobs.index(max(logprobs))]
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": 1}
    return Response(text, "length", usage, time.perf_counter() - started, option_logprobs=OptionLogprobs(logprobs))
