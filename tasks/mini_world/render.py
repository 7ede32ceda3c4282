"""Render events as sound: mono, 16 bits, 16 kHz, by arithmetic on integers only."""

from __future__ import annotations

import functools
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dtbench.tasks.mini_world.draw import CLIP_SAMPLES, MILLISECOND, beep_samples
from dtbench.tasks.mini_world.events import Event
from dtbench.tasks.mini_world.scales import (
    RATE,
    SINE_BITS,
    TURN_BITS,
    SeededRandom,
    noise_peak,
    sine_peak,
    sine_table,
    turn_a_sample,
)

if TYPE_CHECKING:
    import numpy as np

    Samples = np.ndarray[Any, np.dtype[np.int64]]

BACKGROUND = -660
"""The level of the noise behind everything, in tenths of a decibel."""
RAMP = 5 * MILLISECOND
"""Over which a sound rises, and falls; both are part of its length."""
_FRACTION_BITS = 8  # of a 16-bit step, in peaks
_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")


def render_wav(events: Sequence[Event], seed: str) -> bytes:
    """Render a clip as a WAV file."""
    data = render_pcm(events, seed)
    fields = (16, 1, 1, RATE, 2 * RATE, 2, 16)
    return _HEADER.pack(b"RIFF", 36 + len(data), b"WAVE", b"fmt ", *fields, b"data", len(data)) + data


def render_pcm(events: Sequence[Event], seed: str) -> bytes:
    """Render a clip as little-endian 16-bit samples; its noise follows from the seed."""
    rng = SeededRandom(seed)
    mixed = _noise(rng, CLIP_SAMPLES, BACKGROUND)
    for event in events:
        start, samples = event.span
        mixed[start : start + samples] += _sound(event, rng)
    mixed += 1 << (_FRACTION_BITS - 1)  # in place, here and below: fresh memory took longer than the arithmetic
    mixed >>= _FRACTION_BITS
    return mixed.clip(-32_768, 32_767, out=mixed).astype("<i2").tobytes()


def _sound(event: Event, rng: SeededRandom) -> Samples:
    import numpy as np

    samples = event.span.samples
    if event.sound.kind == "noise":
        return _with_ramps(_noise(rng, samples, event.level))
    if event.sound.kind != "beeps":
        return _with_ramps(_sine(event.steps, samples, event.level))
    beep = _with_ramps(_sine(event.steps, beep_samples(event.period), event.level))
    train = np.zeros(samples, np.int64)
    for number in range(event.sound.beeps):
        start = number * event.period
        train[start : start + len(beep)] = beep
    return train


def _sine(steps: tuple[int, int], samples: int, level: int) -> Samples:
    """Return a sine whose pitch moves evenly, in hertz, from one step to the other."""
    import numpy as np

    first, last = map(turn_a_sample, steps)
    turns = np.arange(samples, dtype=np.int64)
    turns *= last - first
    turns //= samples
    turns += first
    np.cumsum(turns, out=turns)
    turns &= (1 << TURN_BITS) - 1
    turns >>= TURN_BITS - SINE_BITS
    values = _sine_samples()[turns]
    values *= sine_peak(level)
    values >>= 15
    return values


@functools.cache
def _sine_samples() -> Samples:
    import numpy as np

    return np.array(sine_table(), np.int64)


def _noise(rng: SeededRandom, samples: int, level: int) -> Samples:
    import numpy as np

    uniform = np.frombuffer(rng.noise(samples), "<i2").astype(np.int64)
    uniform *= noise_peak(level)
    uniform >>= 15
    return uniform


def _with_ramps(sound: Samples) -> Samples:
    """Let the sound rise and fall."""
    import numpy as np

    ramp = np.arange(1, RAMP + 1, dtype=np.int64)
    sound[:RAMP] = sound[:RAMP] * ramp // RAMP
    sound[-RAMP:] = sound[-RAMP:] * ramp[::-1] // RAMP
    return sound
