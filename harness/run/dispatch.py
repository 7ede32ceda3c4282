"""Putting prompts to a model: clips are read beside the loop, and only so many requests are in flight."""

from __future__ import annotations

import asyncio
import dataclasses
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from dtbench.harness.audio.prepare import PreparedAudio, noise_for, prepare_audio, silence_of
from dtbench.harness.core.errors import DataError, DtbenchError, ModelError, format_error
from dtbench.harness.core.model import Model
from dtbench.harness.core.schema import NoClip, Prompt, Response, clip_name
from dtbench.harness.run.retry import Policy, ask

READERS = 2
"""Threads that read and resample clips, and workers beyond the requests in flight."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """How a run is carried out; what it asks is in its plans."""

    concurrency: int = 16
    rule: str = "cut"
    """What is done with a clip that is longer than the model takes."""
    max_failed: float = 0.01
    """The share of answers that may fail."""
    policy: Policy = field(default_factory=Policy)


class Dispatcher:
    """What stands between workers and a model."""

    def __init__(self, model: Model, conditions: Conditions, audio: str = "clip") -> None:
        self._model = model
        self._conditions = conditions
        self._audio = audio
        self._slots = asyncio.Semaphore(conditions.concurrency)
        self._readers = ThreadPoolExecutor(READERS) if model.listens else None

    @property
    def workers(self) -> int:
        """How many may be at work: some more than requests in flight, to read clips while those wait."""
        return self._conditions.concurrency + (READERS if self._readers else 0)

    async def heard(self, prompt: Prompt) -> PreparedAudio | None:
        """What the model hears in place of the clip, or the clip; None where it does not listen, or there is none."""
        if self._readers is None or isinstance(prompt.audio, NoClip):
            return None
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._hear, prompt)

    async def answer(self, prompt: Prompt, heard: PreparedAudio | None) -> Response:
        """The model's answer, asked for as often as the policy allows; a ModelError where there is none."""
        prompt = prompt if heard is None else dataclasses.replace(prompt, wav=heard.wav)
        async with self._slots:
            try:
                return await ask(self._model, prompt, self._conditions.policy)
            except DtbenchError:
                raise
            except Exception as error:  # someone else's code
                raise ModelError(f"the model failed with {format_error(error)}", again=False) from error

    def close(self) -> None:
        """Let go of the threads."""
        if self._readers is not None:
            self._readers.shutdown(wait=False, cancel_futures=True)

    def _hear(self, prompt: Prompt) -> PreparedAudio:
        """In a thread."""
        try:
            heard = prepare_audio(prompt.audio, self._model.rate, self._model.limit_seconds, self._conditions.rule)
        except DtbenchError:
            raise
        except Exception as error:  # someone else's clip
            raise DataError(
                f"{clip_name(prompt.audio)}: reading the clip failed with {format_error(error)}."
            ) from error
        if self._audio == "silence":
            return silence_of(heard)
        return noise_for(heard, prompt.seed or 0) if self._audio == "noise" else heard
