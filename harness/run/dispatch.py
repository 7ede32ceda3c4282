"""Send prompts to a model: clips are read in threads, and only so many requests are in flight."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.audio.alter import is_replaced, replace_sound, through_codec
from dtbench.harness.audio.modes import AudioMode, parse_audio_mode
from dtbench.harness.audio.prepare import PreparedAudio, prepare_audio
from dtbench.harness.core.errors import DataError, DtbenchError, ModelError, format_error
from dtbench.harness.core.model import Concurrent, Model
from dtbench.harness.core.schema import Clip, Prompt, Response, clip_name
from dtbench.harness.run.clip_cache import ClipCache
from dtbench.harness.run.pace import Pace, PacedModel
from dtbench.harness.run.retry import RetryPolicy, generate_with_retries

MOST_READERS = 8
MOST_BYTES_OF_EXAMPLES = 256_000_000
"""Of the clips of examples, which stand before every question: they are decoded once."""
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


class HeardPrompt(NamedTuple):
    """A prompt with what the model hears, and what was done with each clip."""

    prompt: Prompt
    clips: Sequence[PreparedAudio]


class Dispatcher:
    """Sends prompts to a model, and prepares their clips in threads."""

    def __init__(
        self,
        model: Model,
        settings: DispatchSettings,
        audio: str = "clip",
        pace: Pace | None = None,
        *,
        stereo: bool = False,
    ) -> None:
        self._model = model
        self._settings = settings
        self._stereo = stereo
        self._audio = parse_audio_mode(audio) or AudioMode("clip")
        self._paced = PacedModel(model, pace or Pace(settings.concurrency))
        self._count = count_readers() if model.listens else 0
        self._clips = ClipCache()
        self._clips_of_examples = ClipCache(MOST_BYTES_OF_EXAMPLES)
        self._readers = ThreadPoolExecutor(self._count) if self._count else None

    @property
    def workers(self) -> int:
        """How many workers to start: some more than requests in flight, to read clips while those wait."""
        return self._settings.concurrency + self._count

    async def prepare(self, prompt: Prompt) -> HeardPrompt:
        """Return the prompt with its clips prepared for the model, or with what is heard in their place."""
        if self._readers is None:
            return HeardPrompt(prompt, ())
        clips = [await self._prepared(clip) for clip in prompt.clips]
        if is_replaced(self._audio):
            clips = [await self._replaced(clip, (prompt.seed or 0) + place) for place, clip in enumerate(clips)]
        examples = [
            dataclasses.replace(example, wavs=tuple([(await self._as_it_is(clip)).wav for clip in example.clips]))
            for example in prompt.examples
        ]
        if not clips and not examples:
            return HeardPrompt(prompt, ())
        wavs = tuple(clip.wav for clip in clips)
        return HeardPrompt(dataclasses.replace(prompt, wavs=wavs, examples=tuple(examples)), clips)

    async def _replaced(self, clip: PreparedAudio, seed: int) -> PreparedAudio:
        replaced = functools.partial(replace_sound, clip, self._audio, seed)
        return await asyncio.get_running_loop().run_in_executor(self._readers, replaced)

    async def _prepared(self, clip: Path | Clip) -> PreparedAudio:
        return await self._clips.get(clip, functools.partial(self._read, clip, self._audio))

    async def _as_it_is(self, clip: Path | Clip) -> PreparedAudio:
        """Return a clip of an example, which is heard as published whatever the questions are asked with."""
        return await self._clips_of_examples.get(clip, functools.partial(self._read, clip, AudioMode("clip")))

    async def answer(self, prompt: Prompt) -> Response:
        """Return the model's answer, retried as the policy allows; a ModelError where there is none."""
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

    async def _read(self, clip: Path | Clip, mode: AudioMode) -> PreparedAudio:
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._prepare, clip, mode)

    def _prepare(self, clip: Path | Clip, mode: AudioMode) -> PreparedAudio:
        try:
            model, rule = self._model, self._settings.rule
            audio = prepare_audio(clip, model.rate, model.limit_seconds, rule, stereo=self._stereo)
            return through_codec(audio, mode)
        except DtbenchError:
            raise
        except Exception as error:  # someone else's clip
            raise DataError(f"{clip_name(clip)}: reading the clip failed with {format_error(error)}.") from error
