"""What a model hears is what `librosa.load(path, sr=16000)` gives, but for the rounding to the 16 bits that are sent.

librosa takes libsndfile, the mean of the channels and soxr's HQ, as we do. Three things differ. Our samples are rounded
to 16 bits (at most half a step of 1/32768) and limited to full scale. Of 16-bit stereo we take the mean before scaling,
which moves a float by its last digits. And librosa pads or cuts the end to ceil(frames * 16000 / rate).
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy
import pytest
from sounds import Wave, encoded

from dtbench.harness.audio.prepare import prepare_audio

# librosa 0.11 loads audioread, which loads modules that Python 3.13 has no more.
pytestmark = pytest.mark.filterwarnings("ignore:'(aifc|audioop|sunau)' is deprecated:DeprecationWarning")

MODELS_RATE = 16_000
STEP = 1 / 32768
KINDS = {"wav": ("WAV", "PCM_16"), "flac": ("FLAC", "PCM_16"), "mp3": ("MP3", None), "ogg": ("OGG", "VORBIS")}


def music(rate: int, channels: int, seconds: float = 0.7) -> Wave:
    """Chords, clicks and noise that differ from channel to channel, below full scale."""
    times = numpy.arange(round(seconds * rate)) / rate
    dice = numpy.random.default_rng(channels)
    parts = []
    for channel in range(channels):
        tones = sum(numpy.sin(2 * numpy.pi * hertz * (channel + 1) * times) for hertz in (220.0, 277.2, 1661.2))
        parts.append(
            0.15 * tones + 0.05 * dice.standard_normal(len(times)) + 0.3 * (numpy.arange(len(times)) % 4000 < 3)
        )
    wave: Wave = numpy.stack(parts, axis=1)
    return wave


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_model_hears_what_librosa_loads(tmp_path: Path, kind: str, rate: int, channels: int) -> None:
    import librosa

    path = tmp_path / f"clip.{kind}"
    path.write_bytes(encoded(music(rate, channels), rate, *KINDS[kind]).data)
    heard = prepare_audio(path, MODELS_RATE, None).samples
    loaded, loaded_rate = librosa.load(path, sr=MODELS_RATE)
    assert loaded_rate == MODELS_RATE
    assert abs(len(heard) - len(loaded)) <= 1
    count = min(len(heard), len(loaded))
    assert numpy.abs(loaded).max() < 1
    assert numpy.abs(heard[:count] - loaded[:count]).max() <= 0.51 * STEP
    assert len(loaded) == math.ceil(_frames(path) * MODELS_RATE / rate)


def _frames(path: Path) -> int:
    import soundfile

    return int(soundfile.info(path).frames)


def test_what_exceeds_full_scale_is_limited_where_librosa_lets_it_pass(tmp_path: Path) -> None:
    import librosa

    path = tmp_path / "loud.wav"
    path.write_bytes(encoded(2 * music(MODELS_RATE, 1), MODELS_RATE, "WAV", "FLOAT").data)
    heard, (loaded, _) = prepare_audio(path, MODELS_RATE, None).samples, librosa.load(path, sr=MODELS_RATE)
    assert numpy.abs(loaded).max() > 1
    assert numpy.abs(heard - numpy.clip(loaded, -1, 1 - STEP)).max() <= 0.51 * STEP
