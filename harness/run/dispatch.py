"""Send prompts to a model: clips are read in threads, and only so many requests are in flight."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from dtbench.harness.audio.alter import is_replaced, replace_sound, through_codec
from dtbench.harness.audio.modes import AudioMode, parse_audio_mode
from dtbench.harness.audio.prepare import PreparedAudio, prepare_audio
from dtbench.harness.core.errors import DataError, DtbenchError, ModelError, format_error
from dtbench.harness.core.model import Concurrent, Model
from dtbench.harness.core.schema import Clip, NoClip, Prompt, Response, clip_name
from dtbench.harness.run.clip_cache import ClipCache
from dtbench.harness.run.pace import Pace, PacedModel
from dtbench.harness.run.retry import RetryPolicy, generate_with_retries

MOST_READERS = 8
DEFAULT_CONCURRENCY = 16
"""Requests in flight where neither the user nor the model says how many."""


def count_readers() -> int:
    """Return how many threads read and resample clips, and how many workers there are beyond the requests in flight."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        cores = os.cpu_count() or 1
    return max(1, min(MOST_READERS, cores))


def choose_concurrency(requested: int | None, models: Iterable[Model]) -> int:
    """Return how many requests are in flight: as requested, else what the models can use, else 16."""
    wishes = [model.concurrency for model in models if isinstance(model, Concurrent) and model.concurrency]
    return requested or max(wishes, default=DEFAULT_CONCURRENCY)


@dataclass(frozen=True, slots=True)
class DispatchSettings:
    """How requests are sent; what they ask is in the plans."""

    concurrency: int = DEFAULT_CONCURRENCY
    rule: str = "cut"
    """What is done with a clip that is longer than the model takes."""
    max_failed: float = 0.01
    """The share of answers that may fail."""
    retries: RetryPolicy = field(default_factory=RetryPolicy)


class Dispatcher:
    """Sends prompts to a model, and prepares their clips in threads."""

    def __init__(self, model: Model, settings: DispatchSettings, audio: str = "clip", pace: Pace | None = None) -> None:
        self._model = model
        self._settings = settings
        self._audio = parse_audio_mode(audio) or AudioMode("clip")
        self._paced = PacedModel(model, pace or Pace(settings.concurrency))
        self._count = count_readers() if model.listens else 0
        self._clips = ClipCache()
        self._readers = ThreadPoolExecutor(self._count) if self._count else None

    @property
    def workers(self) -> int:
        """How many workers to start: some more than requests in flight, to read clips while those wait."""
        return self._settings.concurrency + self._count

    async def prepare(self, prompt: Prompt) -> PreparedAudio | None:
        """Return the clip prepared for the model, or what is heard in its place; None for a prompt without audio."""
        if self._readers is None or isinstance(prompt.audio, NoClip):
            return None
        audio = await self._clips.get(prompt.audio, functools.partial(self._read, prompt.audio))
        if not is_replaced(self._audio):
            return audio
        replaced = functools.partial(replace_sound, audio, self._audio, prompt.seed or 0)
        return await asyncio.get_running_loop().run_in_executor(self._readers, replaced)

    async def answer(self, prompt: Prompt, audio: PreparedAudio | None = None) -> Response:
        """Return the model's answer, retried as the policy allows; a ModelError where there is none."""
        prompt = prompt if audio is None else dataclasses.replace(prompt, wav=audio.wav)
        try:
            return await generate_with_retries(self._paced, prompt, self._settings.retries)
        except DtbenchError:
            raise
        except Exception as error:  # someone else's code
            raise ModelError(f"the model failed with {format_error(error)}", again=False) from error

    def close(self) -> None:
        """End the threads."""
        if self._readers is not None:
            self._readers.shutdown(wait=False, cancel_futures=True)

    async def _read(self, clip: Path | Clip) -> PreparedAudio:
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._prepare, clip)

    def _prepare(self, clip: Path | Clip) -> PreparedAudio:
        try:
            audio = prepare_audio(clip, self._model.rate, self._model.limit_seconds, self._settings.rule)
            return through_codec(audio, self._audio)
        except DtbenchError:
            raise
        except Exception as error:  # someone else's clip
            raise DataError(f"{clip_name(clip)}: reading the clip failed with {format_error(error)}.") from error
