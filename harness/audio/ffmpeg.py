"""Decoding what libsndfile does not: AAC and ALAC in MP4 (m4a), Matroska and WebM, bare AAC, MP3s without a length.

Needs PyAV, the extra `aac`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dtbench.harness.audio.sound import DecodedSound
from dtbench.harness.core.errors import DataError

if TYPE_CHECKING:
    from dtbench.harness.audio.sound import Block

_SLACK = 3 * 2048
"""Frames by which the length in an MP4 differs from what decodes: the delay of the encoder, a last packet unfilled."""


@contextmanager
def opened_by_ffmpeg(descriptor: int, container: str, name: str) -> Iterator[DecodedSound]:
    """The sound of a clip in a container that FFmpeg knows by this name; whatever is wrong with it is a DataError."""
    try:
        import av
    except ImportError:
        raise DataError(
            f"{name}: the clip is one that only FFmpeg decodes ({container}): pip install 'dtbench[aac]'."
        ) from None
    with open(descriptor, "rb", closefd=False) as file:
        file.seek(0)
        try:
            with av.open(file, format=container, metadata_errors="ignore") as media:
                if not media.streams.audio:
                    raise DataError(f"{name}: the clip holds no sound (no audio stream in its {container}).")
                yield _sound(media, container, name)
        except av.FFmpegError as error:
            reason = str(error.strerror).rstrip(".")
            raise DataError(f"{name}: the clip does not decode: {reason} (FFmpeg, as {container}).") from None


def _sound(media: Any, container: str, name: str) -> DecodedSound:
    """The first audio stream, as its first frame is: containers are wrong about the rate of HE-AAC."""
    stream = media.streams.audio[0]
    if stream.codec_context is None:  # PyAV before 18 dies of it
        raise DataError(f"{name}: the clip does not decode: unknown codec (FFmpeg, as {container}).")
    frames = media.decode(stream)
    first = next(frames, None)
    if first is None:
        raise DataError(f"{name}: the clip holds no sound (0 frames).")
    blocks = _blocks(itertools.chain([first], frames), name)
    promised = 0
    if container == "mp4" and stream.duration and stream.time_base:
        promised = max(0, int(stream.duration * stream.time_base * first.sample_rate) - _SLACK)
    return DecodedSound(
        first.sample_rate, first.layout.nb_channels, stream.codec_context.name.upper(), promised, blocks
    )


def _blocks(frames: Iterator[Any], name: str) -> Iterator[Block]:
    import av

    resampler = av.AudioResampler(format="fltp")  # changes the format of the samples, not their rate
    for frame in frames:
        try:
            resampled = resampler.resample(frame)
        except ValueError:
            raise DataError(f"{name}: the clip does not decode: it changes its rate or channels midway.") from None
        for part in resampled:
            yield part.to_ndarray().T
