"""An endpoint on this machine whose model hears: it says how the pitch of a clip begins and ends, and what that is."""

from __future__ import annotations

import base64
import io
import math
import re
import wave
from collections.abc import Callable

from chat_server import Asked, Turn
from runs import topic_of

Choose = Callable[[Asked], Turn | None]


def listener(tag: str = "think", deaf_in: int = 0) -> Choose:
    """A model that writes its chain between tags; of so many requests, it does not hear the clip of one."""
    count = 0

    def answer(asked: Asked) -> Turn:
        nonlocal count
        count += 1
        first, last = _pitch_of(asked)
        if abs(first - last) < 20:
            heard = topic_of((first + last) / 2) or "nothing"
        else:
            heard = "up" if last > first else "down"
        if deaf_in and count % deaf_in == 0:
            heard = _another(heard, asked)
        chain = f"It begins at {first:.0f} Hz and ends at {last:.0f} Hz."
        return Turn(f"<{tag}>{chain}</{tag}>\nAnswer: {heard}")

    return answer


def _another(heard: str, asked: Asked) -> str:
    """An option of the question that is not what is heard."""
    parts = asked.json()["messages"][-1]["content"]
    options: list[str] = re.findall(r"^\([A-Z]\) (.*)$", " ".join(part.get("text", "") for part in parts), re.MULTILINE)
    return next(option for option in options if option != heard)


def _pitch_of(asked: Asked) -> tuple[float, float]:
    """The pitch of the first and of the last third of the clip, in Hz."""
    (clip,) = (part for part in asked.json()["messages"][-1]["content"] if part["type"] == "input_audio")
    return _thirds(base64.b64decode(clip["input_audio"]["data"]))


def pitch_of_wav(clip: bytes) -> float:
    """The pitch of a clip, in Hz."""
    first, last = _thirds(clip)
    return (first + last) / 2


def _thirds(clip: bytes) -> tuple[float, float]:
    with wave.open(io.BytesIO(clip)) as file:
        rate, data = file.getframerate(), file.readframes(file.getnframes())
    samples = memoryview(data).cast("h")
    third = len(samples) // 3
    return _frequency(samples[:third], rate), _frequency(samples[-third:], rate)


def _frequency(samples: memoryview[int], rate: int) -> float:
    """The frequency of a tone, by its ways through zero from below to above."""
    ups = [n for n in range(1, len(samples)) if samples[n - 1] < 0 <= samples[n]]
    return math.nan if len(ups) < 2 else rate * (len(ups) - 1) / (ups[-1] - ups[0])
