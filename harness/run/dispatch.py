"""Send prompts to a model: clips are read in threads, and only so many requests are in flight."""

from __future__ import annotations

import asyncio
import dataclasses
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from dtbench.harness.audio.prepare import PreparedAudio, noise_for, prepare_audio, silence_of
from dtbench.harness.core.errors import DataError, DtbenchError, ModelError, format_error
from dtbench.harness.core.model import Model
from dtbench.harness.core.schema import NoClip, Prompt, Response, clip_name
from dtbench.harness.run.retry import RetryPolicy, generate_with_retries

READERS = 2
"""Threads that read and resample clips, and workers beyond the requests in flight."""


@dataclass(frozen=True, slots=True)
class DispatchSettings:
    """How requests are sent; what they ask is in the plans."""

    concurrency: int = 16
    rule: str = "cut"
    """What is done with a clip that is longer than the model takes."""
    max_failed: float = 0.01
    """The share of answers that may fail."""
    retries: RetryPolicy = field(default_factory=RetryPolicy)


class Dispatcher:
    """Sends prompts to a model, and prepares their clips in threads."""

    def __init__(self, model: Model, settings: DispatchSettings, audio: str = "clip") -> None:
        self._model = model
        self._settings = settings
        self._audio = audio
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._readers = ThreadPoolExecutor(READERS) if model.listens else None

    @property
    def workers(self) -> int:
        """How many workers to start: some more than requests in flight, to read clips while those wait."""
        return self._settings.concurrency + (READERS if self._readers else 0)

    async def prepare(self, prompt: Prompt) -> PreparedAudio | None:
        """Return the clip prepared for the model, or silence or noise in its place; None for a prompt without audio."""
        if self._readers is None or isinstance(prompt.audio, NoClip):
            return None
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._prepare, prompt)

    async def answer(self, prompt: Prompt, audio: PreparedAudio | None = None) -> Response:
        """Return the model's answer, retried as the policy allows; a ModelError where there is none."""
        prompt = prompt if audio is None else dataclasses.replace(prompt, wav=audio.wav)
        async with self._slots:
            try:
                return await generate_with_retries(self._model, prompt, self._settings.retries)
            except DtbenchError:
                raise
            except Exception as error:  # someone else's code
                raise ModelError(f"the model failed with {format_error(error)}", again=False) from error

    def close(self) -> None:
        """End the threads."""
        if self._readers is not None:
            self._readers.shutdown(wait=False, cancel_futures=True)

    def _prepare(self, prompt: Prompt) -> PreparedAudio:
        try:
            audio = prepare_audio(prompt.audio, self._model.rate, self._model.limit_seconds, self._settings.rule)
        except DtbenchError:
            raise
        except Exception as error:  # someone else's clip
            raise DataError(
                f"{clip_name(prompt.audio)}: reading the clip failed with {format_error(error)}."
            ) from error
        if self._audio == "silence":
            return silence_of(audio)
        return noise_for(audio, prompt.seed or 0) if self._audio == "noise" else audio
