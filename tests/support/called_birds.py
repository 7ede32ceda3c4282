"""Data for the task of own_task.py: a clip a question, with tones and noise in it that no other clip has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy
from sounds import Wave, encoded

TASK = Path(__file__).with_name("own_task.py")
CHOICES = ("Crow", "Jay", "Wren", "Kite")


def write_birds(folder: Path, clips: Sequence[bytes]) -> Sequence[str]:
    """A question about each clip; their ids."""
    folder.mkdir(parents=True, exist_ok=True)
    items = []
    for number, clip in enumerate(clips):
        (folder / f"{number}.clip").write_bytes(clip)
        asked = {"id": f"call-{number}", "question": f"Which bird calls in scene {number}?", "choices": CHOICES}
        items.append({**asked, "answer": CHOICES[number % len(CHOICES)], "clip": f"{number}.clip"})
    (folder / "birds.json").write_text(json.dumps(items))
    return [str(item["id"]) for item in items]


def call(number: int, seconds: float = 1.0, rate: int = 16000) -> Wave:
    """One channel; another number, another sound."""
    times = numpy.arange(round(seconds * rate)) / rate
    noise = numpy.random.default_rng(number).standard_normal(len(times))
    wave: Wave = 0.4 * numpy.sin(2 * numpy.pi * (200 + 37 * (number % 97)) * times) + 0.05 * noise
    return wave


def calls(count: int, first: int = 0) -> list[bytes]:
    """Clips of a second at the model's rate."""
    return [encoded(call(number), 16000).data for number in range(first, first + count)]
