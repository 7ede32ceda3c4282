"""Noise at a stated distance, and codecs: what is heard is what `--audio` says."""

from __future__ import annotations

import numpy
import pytest
from sounds import encoded, sine

from dtbench.harness.audio.alter import MP3_RATES, replace_sound, through_codec
from dtbench.harness.audio.modes import AudioMode, parse_audio_mode
from dtbench.harness.audio.prepare import PreparedAudio, prepare_audio

RATE = 16000


def heard(rate: int = RATE, seconds: float = 1.0, loudness: float = 0.5) -> PreparedAudio:
    return prepare_audio(encoded(loudness * sine(440, seconds, rate), rate), rate, None)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("noise:10dB", "noise:10dB"),
        ("NOISE:+10.0db", "noise:10dB"),
        ("noise:-0dB", "noise:0dB"),
        ("noise:-2.5dB", "noise:-2.5dB"),
        ("MP3:16K", "mp3:16k"),
        ("opus:006k", "opus:6k"),
        ("shuffle", "shuffle"),
    ],
)
def test_one_mode_has_one_spelling(given: str, shown: str) -> None:
    assert str(parse_audio_mode(given)) == shown


@pytest.mark.parametrize("text", ["noise:", "noise:10", "noise:99dB", "mp3", "mp3:17k", "opus:5k", "wav:16k", "Clip"])
def test_what_is_no_mode_is_none(text: str) -> None:
    assert parse_audio_mode(text) is None


@pytest.mark.parametrize("snr", [-5.0, 0.0, 10.0, 30.0])
def test_noise_lies_exactly_so_far_below_the_clip(snr: float) -> None:
    clip = heard()
    noisy = replace_sound(clip, AudioMode("noise", snr_db=snr), seed=3)
    assert noisy.snr_db == pytest.approx(snr, abs=0.02)
    assert len(noisy.wav) == len(clip.wav)
    # The clip's share of what is heard, found without knowing by how much both were turned down.
    share = numpy.dot(noisy.samples, clip.samples) / numpy.dot(clip.samples, clip.samples)
    rest = noisy.samples - share * clip.samples
    measured = 10 * numpy.log10(numpy.sum((share * clip.samples) ** 2) / numpy.sum(rest**2))
    assert measured == pytest.approx(snr, abs=0.3)  # chance makes noise and clip a little alike


def test_a_loud_clip_with_noise_is_turned_down_and_not_clipped() -> None:
    noisy = replace_sound(heard(loudness=1.0), AudioMode("noise", snr_db=0.0), seed=3)
    loudest = int((numpy.abs(noisy.samples) > 0.9999).sum())
    assert loudest <= 2
    assert noisy.snr_db == pytest.approx(0, abs=0.02)


def test_noise_is_drawn_for_a_question_and_the_same_again() -> None:
    mode = AudioMode("noise", snr_db=10.0)
    one, again, other = (replace_sound(heard(), mode, seed).wav for seed in (1, 1, 2))
    assert one == again != other


def test_a_silent_clip_has_no_distance_and_stays_silent() -> None:
    noisy = replace_sound(heard(loudness=0.0), AudioMode("noise", snr_db=10.0), seed=1)
    assert noisy.snr_db is None
    assert not noisy.samples.any()


@pytest.mark.parametrize("rate", [*MP3_RATES, 20000])
@pytest.mark.parametrize("kbits", [8, 16, 64, 144])
def test_an_mp3_has_the_bitrate_and_the_sound_stays_where_it_was(rate: int, kbits: int) -> None:
    clip = heard(rate, 2.0)
    coded = through_codec(clip, AudioMode("mp3", kbits=kbits))
    assert coded.kbits == pytest.approx(kbits, rel=0.12)
    assert len(coded.wav) == len(clip.wav)
    assert coded.wav != clip.wav
    middle = slice(rate // 2, rate)
    assert numpy.corrcoef(coded.samples[middle], clip.samples[middle])[0, 1] > 0.95


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_opus_has_about_the_bitrate_and_the_sound_stays_where_it_was(rate: int) -> None:
    clip = heard(rate, 2.0)
    coded = through_codec(clip, AudioMode("opus", kbits=16))
    assert coded.kbits == pytest.approx(16, rel=0.5)  # its rate follows the sound
    assert len(coded.wav) == len(clip.wav)
    middle = slice(rate // 2, rate)
    assert numpy.corrcoef(coded.samples[middle], clip.samples[middle])[0, 1] > 0.9


def test_fewer_bits_are_further_from_the_clip() -> None:
    clip = heard(seconds=2.0)
    noisy = replace_sound(clip, AudioMode("noise", snr_db=12.0), seed=1)

    def error(kbits: int) -> float:
        return float(numpy.sum((through_codec(noisy, AudioMode("mp3", kbits=kbits)).samples - noisy.samples) ** 2))

    assert error(8) > error(32) > error(128)


def test_the_beginning_of_a_clip_stands_at_the_beginning_whether_or_not_the_mp3_tells_of_its_delay() -> None:
    click = numpy.zeros(RATE, numpy.float32)
    click[8000:8050] = 0.9
    clip = prepare_audio(encoded(click, RATE), RATE, None)
    for kbits in (16, 64):
        coded = through_codec(clip, AudioMode("mp3", kbits=kbits))
        assert abs(int(numpy.argmax(numpy.abs(coded.samples))) - 8025) < 60


@pytest.mark.parametrize("mode", ["noise:5dB", "mp3:32k", "opus:24k"])
def test_of_two_channels_each_is_made_worse_and_stays_where_it_was(mode: str) -> None:
    sides = numpy.stack([0.5 * sine(440, 1, RATE), 0.2 * sine(900, 1, RATE)], axis=1)
    clip = prepare_audio(encoded(sides, RATE), RATE, None, stereo=True)
    found = parse_audio_mode(mode)
    assert found is not None
    worse = replace_sound(clip, found, 1) if found.kind == "noise" else through_codec(clip, found)
    assert (worse.heard_channels, len(worse.wav)) == (2, len(clip.wav))
    for side in (0, 1):
        middle = worse.samples[4000:12000, side], clip.samples[4000:12000, side]
        assert numpy.corrcoef(*middle)[0, 1] > 0.6
    assert numpy.corrcoef(worse.samples[4000:12000].T)[0, 1] < 0.3
