"""A clip of hours takes the memory of what is heard of it."""

from __future__ import annotations

import tracemalloc
import wave
from pathlib import Path

import pytest

from dtbench.harness.audio.prepare import prepare_audio

MEGABYTE = 1_000_000


@pytest.mark.parametrize("channels", [1, 2])
def test_what_is_not_heard_of_a_long_clip_is_let_go_block_by_block(channels: int, tmp_path: Path) -> None:
    clip = tmp_path / "long.wav"
    with wave.open(str(clip), "wb") as file:
        file.setparams((channels, 2, 16000, 0, "NONE", ""))
        for _ in range(30):
            file.writeframes(bytes(1000 * 2 * channels * 1000))
    prepare_audio(clip, 16000, 2.0)  # what is imported for it is not counted
    tracemalloc.start()
    try:
        heard = prepare_audio(clip, 16000, 2.0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (heard.seconds, len(heard.wav)) == (30 * 1000 * 1000 / 16000, 44 + 2 * 2 * 16000)
    assert peak < 6 * MEGABYTE < clip.stat().st_size / 9
