"""Small copies of clips for a page: Opus through ffmpeg where that is there, else MP3."""

from __future__ import annotations

import base64
import io
import logging
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import NamedTuple

from dtbench.harness.audio.prepare import prepare_audio, wav_samples
from dtbench.harness.core.errors import DtbenchError, format_error
from dtbench.harness.core.schema import Clip, clip_name
from dtbench.harness.store.leftovers import temporary_folder

RATE = 16_000
SECONDS = 60.0
"""What of a clip is copied."""
OPUS, MP3 = "audio/webm", "audio/mpeg"
_BITS, _STEREO_BITS = "20k", "40k"
"""Of Opus a second: speech and events are what they were, and the spectrogram reaches 8 kHz."""
_EFFORT = "5"
"""Of 10: the most takes ffmpeg more than twice as long, for clips that are smaller by 7 %."""
_SAME_BYTES = ("-fflags", "+bitexact", "-flags", "+bitexact")
_PATIENCE = 600
_LOG = logging.getLogger(__name__)


class ReportClip(NamedTuple):
    """The clip of a question in a report: inside, a link, or why there is none."""

    inside: str = ""
    """Base64."""
    link: str = ""
    missing: str = ""
    """Why there is no clip."""
    type: str = ""
    """What is inside: OPUS or MP3."""


class ClipToCopy(NamedTuple):
    """A clip, and whether its channels are kept."""

    audio: Path | Clip
    stereo: bool = False


class ClipEncoder:
    """Copies clips, several at once; in WebM rather than Ogg, which Safari plays only since 2025."""

    def __init__(self, pool: Executor, batch: int) -> None:
        self._pool, self._batch = pool, batch
        self._ffmpeg = shutil.which("ffmpeg")

    def encode(self, clips: Sequence[ClipToCopy]) -> list[ReportClip]:
        """Return a copy of each clip, or why there is none, in their order."""
        batches = [clips[begin : begin + self._batch] for begin in range(0, len(clips), self._batch)]
        return [one for batch in self._pool.map(self._encoded, batches) for one in batch]

    def _encoded(self, clips: Sequence[ClipToCopy]) -> list[ReportClip]:
        sounds = [_sound_of(*clip) for clip in clips]
        wavs = [one for one in sounds if isinstance(one, bytes)]
        copies = iter(self._opus(wavs) or [ReportClip(_text(_mp3(wav)), type=MP3) for wav in wavs])
        return [next(copies) if isinstance(one, bytes) else one for one in sounds]

    def _opus(self, wavs: Sequence[bytes]) -> list[ReportClip] | None:
        """Encode by one ffmpeg, whose start takes longer than a clip does; None where it cannot write Opus."""
        if self._ffmpeg is None or not wavs:
            return None
        with temporary_folder("dtbench-clips-") as folder:
            command = [self._ffmpeg, "-nostdin", "-v", "error"]
            for place, wav in enumerate(wavs):
                (folder / f"{place}.wav").write_bytes(wav)
                command += ["-i", f"{place}.wav"]
            for place, wav in enumerate(wavs):
                bits = _BITS if wav_samples(wav).ndim == 1 else _STEREO_BITS
                how = ("-c:a", "libopus", "-b:a", bits, "-compression_level", _EFFORT, *_SAME_BYTES)
                command += ["-map", f"{place}:a", *how, "-map_metadata", "-1", f"{place}.webm"]
            try:
                subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=_PATIENCE)
                return [
                    ReportClip(_text((folder / f"{place}.webm").read_bytes()), type=OPUS) for place in range(len(wavs))
                ]
            except (OSError, subprocess.SubprocessError) as error:
                _LOG.warning("%s could not write Opus (%s), so clips are MP3", self._ffmpeg, format_error(error))
                self._ffmpeg = None
                return None


def copy_clip(clip: ClipToCopy) -> tuple[bytes, str] | str:
    """Return one clip as MP3 with its type, or why there is none."""
    sound = _sound_of(*clip)
    return (_mp3(sound), MP3) if isinstance(sound, bytes) else sound.missing


def lost_clip(clip: Path | Clip) -> ReportClip | None:
    """Return what stands in place of a clip whose file is not there; None where it may be."""
    if isinstance(clip, Path) and not clip.is_file():
        return ReportClip(missing=f"{clip_name(clip)}: the clip is missing.")
    return None


def _sound_of(clip: Path | Clip, stereo: bool) -> bytes | ReportClip:
    """Return a clip as a page plays it, as WAV, or why it cannot be played."""
    if (lost := lost_clip(clip)) is not None:
        return lost
    try:
        heard = prepare_audio(clip, RATE, SECONDS, stereo=stereo)
        return (heard if heard.heard_channels < 3 else prepare_audio(clip, RATE, SECONDS)).wav  # MP3 has two at most
    except DtbenchError as error:
        return ReportClip(missing=str(error))
    except Exception as error:  # someone else's clip
        return ReportClip(missing=f"reading the clip failed with {format_error(error)}")


def _text(encoded: bytes) -> str:
    return base64.b64encode(encoded).decode()


def _mp3(wav: bytes) -> bytes:
    """About 3 kB a second: every browser plays it, and speech and events are what they were."""
    import soundfile

    out = io.BytesIO()
    kind = {"format": "MP3", "subtype": "MPEG_LAYER_III"}
    soundfile.write(out, wav_samples(wav), RATE, **kind, bitrate_mode="VARIABLE", compression_level=0.5)
    return out.getvalue()
