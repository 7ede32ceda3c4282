"""What is measured of made-up sounds whose pitch, noise, rhythm and band are known."""

from __future__ import annotations

import numpy
import pytest
from sounds import Bytes, Wave, encoded, sine

from dtbench.harness.acoustics.columns import COLUMNS, Values
from dtbench.harness.acoustics.measure import measure_clip
from dtbench.harness.audio.prepare import decode_beginning

RATE = 16_000


def measured(wave: Wave, rate: int = RATE, seconds: float = 60.0) -> Values:
    return measure_clip(decode_beginning(encoded(wave, rate), seconds))


def number(values: Values, name: str) -> float:
    value = values[name]
    assert value is not None, name
    return value


def voice(pitch: float, snr: float, seconds: float = 4.0) -> Wave:
    """A vowel of 0.6 s in every second, three semitones up and down around a pitch, in white noise."""
    times = numpy.arange(round(seconds * RATE)) / RATE
    hertz = pitch * 2 ** (3 / 12 * numpy.sin(2 * numpy.pi / 0.6 * (times % 1)))
    wave: Wave = 0.1 * (2 * (numpy.cumsum(hertz) / RATE % 1) - 1) * (times % 1 < 0.6)
    noise = numpy.random.default_rng(0).normal(0, 1, len(wave))
    noisy: Wave = wave + noise * numpy.sqrt(numpy.mean(wave**2) / 10 ** (snr / 10))
    return noisy


@pytest.mark.parametrize("pitch", [90, 150, 300])
def test_a_voice_has_its_pitch_range_and_share(pitch: float) -> None:
    found = measured(voice(pitch, 20))
    assert number(found, "f0_hz") == pytest.approx(pitch, rel=0.03)
    assert number(found, "f0_range_semitones") == pytest.approx(5.9, abs=0.5)
    assert number(found, "voiced_share") == pytest.approx(0.6, abs=0.05)


@pytest.mark.parametrize("snr", [0, 10, 20, 30])
def test_the_noise_that_was_added_is_found(snr: float) -> None:
    assert number(measured(voice(150, snr)), "snr_db") == pytest.approx(snr, abs=1)


def test_noise_has_no_pitch_and_a_sound_that_never_changes_no_noise_ratio() -> None:
    noise = measured(numpy.random.default_rng(1).normal(0, 0.1, 2 * RATE))
    assert (noise["f0_hz"], noise["voiced_share"]) == (None, 0.0)
    rumble = measured(0.01 * numpy.cumsum(numpy.random.default_rng(1).normal(0, 0.05, 2 * RATE)))
    assert number(rumble, "voiced_share") < 0.05
    assert measured(sine(440, 1.0, RATE))["snr_db"] is None


def test_loudness_is_against_full_scale() -> None:
    assert number(measured(sine(440, 1.0, RATE, level=0.5)), "loudness_dbfs") == pytest.approx(-9.03, abs=0.05)


def test_clicks_twice_a_second_have_that_tempo_and_are_mostly_silence() -> None:
    click = sine(1500, 0.1, RATE) * numpy.exp(-numpy.arange(RATE // 10) / 200)
    clicks = numpy.tile(numpy.concatenate([click, numpy.zeros(RATE // 2 - len(click))]), 16)
    found = measured(clicks)
    assert number(found, "tempo_bpm") == pytest.approx(120, abs=6)
    assert number(found, "onsets_per_s") == pytest.approx(2, abs=0.5)
    assert number(found, "silence_share") > 0.75


@pytest.mark.parametrize(("rate", "bandwidth"), [(8_000, 4_000), (48_000, 24_000)])
def test_white_noise_fills_the_band_of_its_rate(rate: int, bandwidth: float) -> None:
    found = measured(numpy.random.default_rng(1).normal(0, 0.1, rate), rate)
    assert number(found, "bandwidth_hz") == pytest.approx(bandwidth, rel=0.01)
    assert found["sample_rate_hz"] == rate


def test_a_telephones_band_is_found_within_a_file_of_a_higher_rate() -> None:
    import soxr

    narrow = numpy.random.default_rng(1).normal(0, 0.1, 2 * 8_000)
    found = measured(soxr.resample(narrow, 8_000, 48_000), 48_000)
    assert number(found, "bandwidth_hz") == pytest.approx(4_000, rel=0.05)


def test_silence_is_all_silent_and_has_nothing_else() -> None:
    found = measured(numpy.zeros((RATE, 2)))
    assert {name: value for name, value in found.items() if value is not None} == {
        "duration_s": 1.0,
        "silence_share": 1.0,
        "sample_rate_hz": RATE,
        "channels": 2.0,
    }


@pytest.mark.parametrize("frames", [1, 10, 1023, 1024, 1025, 2500])
def test_a_tiny_clip_has_every_column_and_no_traceback(frames: int) -> None:
    found = measured(sine(300, frames / RATE, RATE))
    assert tuple(found) == COLUMNS
    assert found["duration_s"] == frames / RATE
    assert (found["silence_share"] is None) is (frames < 1024)


def test_a_long_clip_is_measured_in_its_beginning_and_has_its_whole_duration() -> None:
    wave = numpy.concatenate([sine(200, 2.0, RATE), numpy.zeros(8 * RATE)])
    beginning, whole = measured(wave, seconds=2.0), measured(wave)
    assert beginning["duration_s"] == whole["duration_s"] == 10.0
    assert beginning["silence_share"] == 0.0
    assert number(whole, "silence_share") == pytest.approx(0.8, abs=0.01)


def test_the_same_clip_has_the_same_measures_however_it_is_stored() -> None:
    wave = numpy.stack([(20_000 * voice(150, 20)).astype("int16")] * 2, axis=1)
    kinds: list[Bytes] = [encoded(wave, RATE, "WAV", "PCM_16"), encoded(wave, RATE, "FLAC", "PCM_16")]
    first, second = (measure_clip(decode_beginning(clip, 60.0)) for clip in kinds)
    assert first == second
