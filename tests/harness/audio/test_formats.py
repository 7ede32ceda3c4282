"""A tone reaches the model as that tone, however its file was encoded."""

from __future__ import annotations

import io
import wave
from importlib.util import find_spec
from pathlib import Path

import numpy
import pytest
import soundfile
import soxr
from sounds import Bytes, Wave, encoded, encoded_by_ffmpeg, loudness, pitch, sine

from dtbench.harness.audio.prepare import WHOLE, PreparedAudio, inspect_clip, prepare_audio
from dtbench.harness.core.errors import DataError

LEVEL = 0.5 / 2**0.5


def expect_the_tone(heard: PreparedAudio, rate: int = 16000, seconds: float = 1.0) -> None:
    """440 Hz at half of full scale."""
    assert len(heard.samples) == pytest.approx(seconds * rate, abs=0.06 * rate)
    assert pitch(heard.samples, rate) == pytest.approx(440, abs=2)
    assert loudness(heard.samples) == pytest.approx(LEVEL, rel=0.03)
    assert heard.rule == WHOLE


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [
        *(
            ("WAV", subtype)
            for subtype in soundfile.available_subtypes("WAV")
            if subtype[:4] in ("PCM_", "FLOA", "DOUB")
        ),
        *(("WAV", subtype) for subtype in ("ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM")),
        *(("FLAC", subtype) for subtype in soundfile.available_subtypes("FLAC")),
        ("OGG", "VORBIS"),
        ("MP3", "MPEG_LAYER_III"),
        ("AIFF", "PCM_16"),
        ("AIFF", "FLOAT"),
        ("AU", "PCM_24"),
        ("CAF", "PCM_32"),
        ("W64", "PCM_16"),
        ("RF64", "PCM_16"),
    ],
)
def test_every_format_and_subtype_is_heard(kind: str, subtype: str) -> None:
    expect_the_tone(prepare_audio(encoded(sine(440, 1, 32000), 32000, kind, subtype), 16000, None))


def test_opus_is_heard() -> None:
    if "OPUS" not in soundfile.available_subtypes("OGG"):
        pytest.skip("this libsndfile was built without Opus")
    expect_the_tone(prepare_audio(encoded(sine(440, 1, 48000), 48000, "OGG", "OPUS"), 16000, None))


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000, 176400, 192000])
@pytest.mark.parametrize("wanted", [16000, 24000, 48000])
def test_a_tone_keeps_its_pitch_level_and_length_at_every_rate(rate: int, wanted: int) -> None:
    heard = prepare_audio(encoded(sine(440, 1, rate), rate), wanted, None)
    assert (heard.seconds, heard.rate, len(heard.samples)) == (1.0, rate, wanted)
    assert pitch(heard.samples, wanted) == pytest.approx(440, abs=1)
    assert loudness(heard.samples) == pytest.approx(LEVEL, rel=0.002)


def test_what_the_lower_rate_cannot_hold_is_gone_and_not_folded_back() -> None:
    heard = prepare_audio(encoded(sine(10000, 1, 44100), 44100), 16000, None)
    assert loudness(heard.samples) < LEVEL / 1000


@pytest.mark.parametrize("channels", range(1, 9))
@pytest.mark.parametrize(
    ("kind", "subtype"), [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAV", "PCM_24"), ("FLAC", "PCM_16")]
)
def test_what_is_heard_is_the_mean_of_the_channels(channels: int, kind: str, subtype: str) -> None:
    sides = numpy.random.default_rng(channels).uniform(-0.9, 0.9, (8000, channels))
    heard = prepare_audio(encoded(sides, 16000, kind, subtype), 16000, None)
    assert heard.channels == channels
    numpy.testing.assert_allclose(heard.samples, sides.mean(axis=1), atol=1.6 / 32768)


def test_two_sides_that_are_opposite_are_silence() -> None:
    left = sine(440, 1, 44100)
    assert not prepare_audio(
        encoded(numpy.stack([left, -left], axis=1), 44100, subtype="FLOAT"), 16000, None
    ).samples.any()


def test_sound_that_is_as_the_model_hears_it_passes_bit_for_bit() -> None:
    pcm = numpy.arange(-32768, 32768).astype(numpy.int16)
    clip = encoded(pcm, 16000, subtype="PCM_16")
    heard = prepare_audio(clip, 16000, None)
    assert heard.wav == clip.data
    assert numpy.array_equal(heard.samples * 32768, pcm)


def test_sixteen_bits_at_another_rate_are_resampled_as_the_floats_they_stand_for() -> None:
    clip = encoded(sine(440, 1, 44100), 44100, subtype="PCM_16")
    floats, _ = soundfile.read(io.BytesIO(clip.data), dtype="float32")
    wanted = numpy.rint(soxr.resample(floats, 44100, 16000, quality="HQ") * 32768) / 32768
    assert numpy.array_equal(prepare_audio(clip, 16000, None).samples, wanted)


def test_eight_bits_and_two_channels_reach_a_model_at_their_rate_as_they_are() -> None:
    values = numpy.arange(-128, 128).astype(numpy.int16) * 256
    both = numpy.stack([values, values[::-1]], axis=1)
    assert numpy.array_equal(
        prepare_audio(encoded(values, 16000, subtype="PCM_U8"), 16000, None).samples * 32768, values
    )
    heard = prepare_audio(encoded(both, 16000, subtype="PCM_16"), 16000, None)
    assert numpy.array_equal(heard.samples * 32768, both.mean(axis=1))


def test_windows_of_sixteen_bits_are_frames_of_the_clip_itself() -> None:
    pcm = numpy.arange(30_000).astype(numpy.int16)
    heard = prepare_audio(encoded(pcm, 16000, subtype="PCM_16"), 16000, 0.1875, "windows").samples * 32768
    assert numpy.array_equal(heard, numpy.concatenate([pcm[:1000], pcm[14_500:15_500], pcm[29_000:]]))


def test_what_is_heard_is_a_wav_that_others_read() -> None:
    heard = prepare_audio(encoded(sine(440, 1, 44100), 44100, "FLAC"), 16000, None)
    with wave.open(io.BytesIO(heard.wav)) as file:
        assert file.getparams()[:4] == (1, 2, 16000, 16000)
    read, rate = soundfile.read(io.BytesIO(heard.wav), dtype="float32")
    assert rate == 16000
    assert numpy.array_equal(read, heard.samples)


def test_float_samples_beyond_full_scale_are_clipped_and_do_not_wrap() -> None:
    heard = prepare_audio(
        encoded(numpy.array([-3e38, -1.5, 0.0, 1.5, 3e38] * 100), 16000, subtype="FLOAT"), 16000, None
    )
    assert heard.samples[:5].tolist() == [-1, -1, 0, pytest.approx(1, abs=1e-4), pytest.approx(1, abs=1e-4)]


@pytest.mark.parametrize("name", ["x.wav", "x.raw", "x.mp3", "x", "x.m4a"])
@pytest.mark.parametrize("kind", ["MP3", "WAV", "FLAC", "OGG"])
def test_a_clip_is_told_by_its_content_whatever_its_name(kind: str, name: str, tmp_path: Path) -> None:
    clip = encoded(sine(440, 1, 44100), 44100, kind)
    (tmp_path / name).write_bytes(clip.data)
    heard = prepare_audio(tmp_path / name, 16000, None)
    expect_the_tone(heard)
    assert heard == prepare_audio(clip, 16000, None)


def test_files_beside_a_clip_do_not_change_what_it_is(tmp_path: Path) -> None:
    clip = encoded(sine(440, 1, 44100), 44100, "MP3")
    for name in ("x.wav", "._x.wav"):  # as archives made on a Mac hold them
        (tmp_path / name).write_bytes(clip.data)
    expect_the_tone(prepare_audio(tmp_path / "x.wav", 16000, None))


def mp3_without_contents(sound: Wave, rate: int) -> bytes:
    """An MP3 of changing bit rate whose first frame, which tells its length, is gone."""
    out = io.BytesIO()
    soundfile.write(out, sound, rate, format="MP3", bitrate_mode="VARIABLE", compression_level=0.5)
    data = out.getvalue()
    return data[data.index(data[:2], 4) :]


@pytest.mark.parametrize("loud_first", [True, False])
def test_an_mp3_that_does_not_tell_its_length_is_heard_whole_or_not_at_all(loud_first: bool) -> None:
    noise = numpy.random.default_rng(0).uniform(-0.5, 0.5, 44100)
    parts = [noise, numpy.zeros(44100 * 3)]
    data = mp3_without_contents(numpy.concatenate(parts if loud_first else parts[::-1]), 44100)
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        estimate = file.frames / 44100
    assert estimate < 3.5 if loud_first else estimate > 4.5, "the estimate is not wrong, the test shows nothing"
    try:
        assert prepare_audio(Bytes(data), 16000, None).seconds == pytest.approx(4, abs=0.1)
        assert inspect_clip(data, "x.mp3").seconds == pytest.approx(4, abs=0.1)
    except DataError as error:
        if "FFmpeg" not in str(error) or find_spec("av"):
            raise


def test_a_streamed_flac_that_does_not_tell_its_length_is_heard_whole() -> None:
    data = bytearray(encoded(sine(440, 5, 44100), 44100, "FLAC").data)
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    assert prepare_audio(Bytes(bytes(data)), 16000, None).seconds == 5


@pytest.mark.parametrize(
    ("container", "codec"), [("ipod", "aac"), ("ipod", "alac"), ("mp4", "aac"), ("matroska", "aac"), ("adts", "aac")]
)
@pytest.mark.parametrize("name", ["x.m4a", "x.wav"])
def test_aac_and_its_containers_are_heard(container: str, codec: str, name: str, tmp_path: Path) -> None:
    pytest.importorskip("av", reason="PyAV, of the extra aac, is not installed")
    clip = encoded_by_ffmpeg(sine(440, 1, 44100), 44100, container, codec)
    (tmp_path / name).write_bytes(clip.data)
    expect_the_tone(prepare_audio(tmp_path / name, 16000, None))
    expect_the_tone(prepare_audio(clip, 16000, None))
    assert inspect_clip(clip.data, "x").format == codec.upper()
