"""Try an endpoint with the first question of a run: wait where it asks to, stop where no question can be answered."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import wave
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from dtbench.harness.core.errors import ModelError, UserError
from dtbench.harness.core.model import Notify
from dtbench.harness.core.schema import Prompt

MOST_WAIT = 900.0
"""Seconds for which an endpoint that asks to wait is waited for, in all."""
WAIT = 5.0
"""Seconds to wait where it does not say how long."""
TOO_MANY = 429
OF_ONE_QUESTION = {400, 403, 413, 422}
"""Statuses that may be about the words or the clip of one question alone."""
CONTROL = "Answer with the letter A."
_CONTROL_SECONDS = 1


class FirstAttempt(NamedTuple):
    """How one attempt ended."""

    error: ModelError | None
    status: int
    """Of the reply; 0 where there was none."""


async def try_first_question(
    attempt: Callable[[Prompt], Awaitable[FirstAttempt]], prompt: Prompt, notify: Notify, where: str
) -> None:
    """Ask one question; raise a UserError where its refusal says that every other one would be refused as well."""
    waited = 0.0
    trial = await attempt(prompt)
    while trial.error is not None and (trial.status == TOO_MANY or trial.error.retry_after is not None):
        wait = max(trial.error.retry_after or WAIT, 0.1)
        if waited + wait > MOST_WAIT:
            return  # the run itself slows down, and says what it sees
        notify(f"the endpoint asks to wait: the first question is sent again in {wait:.0f} s")
        await asyncio.sleep(wait)
        waited += wait
        trial = await attempt(prompt)
    if trial.error is None or trial.error.again or trial.status < 300:
        return
    if trial.status in OF_ONE_QUESTION and (await attempt(_control(prompt))).error is None:
        return  # the run records it with the question
    raise UserError(f"{where} answers no question, so none was asked: {trial.error}")


def _control(prompt: Prompt) -> Prompt:
    """Return a prompt of the same form whose words and clips no endpoint can object to, behind the same examples."""
    return dataclasses.replace(prompt, text=CONTROL, wavs=tuple(map(_silence, prompt.wavs)))


def _silence(wav: bytes) -> bytes:
    """Return a clip of silence in the form of another one."""
    try:
        with wave.open(io.BytesIO(wav)) as clip:
            rate, channels = clip.getframerate(), clip.getnchannels()
    except (wave.Error, EOFError):
        rate, channels = 16000, 1
    out = io.BytesIO()
    with wave.open(out, "wb") as silent:
        silent.setparams((channels, 2, rate, 0, "NONE", ""))
        silent.writeframes(bytes(2 * channels * rate * _CONTROL_SECONDS))
    return out.getvalue()
