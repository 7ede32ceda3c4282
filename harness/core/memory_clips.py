"""Clips that are in memory: encoded as published, or as samples that were decoded elsewhere."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dtbench.harness.core.schema import Clip


@dataclass(frozen=True, slots=True)
class EncodedClip:
    """The encoded bytes of a clip."""

    label: str
    data: bytes

    def read(self) -> bytes:
        """Return the bytes."""
        return self.data


@dataclass(frozen=True, slots=True)
class SampledClip:
    """The samples of a clip that was decoded elsewhere."""

    label: str
    array: Any
    rate: int

    def read(self) -> bytes:
        """Return the samples as WAV, unchanged; several channels are those of the shorter axis."""
        import numpy
        import soundfile

        wave = numpy.asarray(self.array, dtype=numpy.float32)
        if wave.ndim == 2 and wave.shape[0] < wave.shape[1]:
            wave = wave.T
        written = io.BytesIO()
        soundfile.write(written, wave, self.rate, format="WAV", subtype="FLOAT")
        return written.getvalue()


def clip_of_value(value: Any, label: str) -> Path | Clip | None:
    """Return the clip of a path, of bytes, or of what `datasets` has in an Audio column; None where it is none."""
    if isinstance(value, str | Path):
        return Path(value)
    if isinstance(value, bytes | bytearray):
        return EncodedClip(label, bytes(value))
    if isinstance(value, Mapping) and isinstance(value.get("bytes"), bytes):
        return EncodedClip(label, value["bytes"])
    try:  # a mapping, or a decoder of torchcodec, which knows these two names alone
        return SampledClip(label, value["array"], int(value["sampling_rate"]))
    except (TypeError, KeyError, IndexError):
        pass
    if isinstance(value, Mapping) and isinstance(value.get("path"), str):
        return Path(value["path"])
    return None
