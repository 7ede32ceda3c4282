"""The names of what is measured of a clip: each ends in its unit, and is a column of frames and a heading of groups."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

MEASURES: Mapping[str, str] = MappingProxyType(
    {
        "duration_s": "length of the whole clip, in seconds",
        "loudness_dbfs": "root mean square against full scale, in dB",
        "silence_share": "share of frames that are more than 40 dB below the loudest one",
        "snr_db": "estimate: power beyond that of the quietest tenth of the frames, over the latter, in dB",
        "f0_hz": "median fundamental frequency where there is one, in Hz",
        "f0_range_semitones": "from the 5th to the 95th percentile of the fundamental frequency, in semitones",
        "voiced_share": "share of frames with a fundamental frequency",
        "tempo_bpm": "beats per minute",
        "onsets_per_s": "beginnings of sounds, per second",
        "bandwidth_hz": "highest frequency within 60 dB of the strongest, in Hz",
    }
)
"""What groups and trends are made of, and what each is."""
AS_PUBLISHED: Mapping[str, str] = MappingProxyType(
    {"sample_rate_hz": "sampling rate of the published file", "channels": "channels of the published file"}
)
"""Columns that say how a clip is stored, and nothing of how it sounds."""
LENGTH = "duration_s"
"""The measure that adds up over the clips of a question."""
COLUMNS = (*MEASURES, *AS_PUBLISHED)
Values = dict[str, float | None]
"""Column -> the value of one clip; None where a clip does not have it, such as the pitch of silence."""


def no_values() -> Values:
    """Return the columns of a clip that could not be measured."""
    return dict.fromkeys(COLUMNS)
