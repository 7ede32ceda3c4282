"""What a model hears: the values of `--audio`, such as `clip`, `silence`, `noise:10dB` and `mp3:16k`."""

from __future__ import annotations

import re
from typing import NamedTuple

from dtbench.harness.core.typed_settings import Condition

AUDIO_MODES = ("clip", "silence", "noise", "shuffle")
AUDIO_EXAMPLES = ("noise:10dB", "mp3:16k", "opus:16k")
"""The modes that take a number."""
LEAST_SNR, MOST_SNR = -40.0, 80.0
"""Beyond them, one of the two would be lost in 16 bits."""
BITRATES = {
    "mp3": (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    "opus": tuple(range(6, 129)),
}
"""Codec -> the kbit/s of one channel that it has."""
_NOISE = re.compile(r"noise:([+-]?\d+(?:\.\d+)?)dB", re.IGNORECASE)
_CODEC = re.compile(r"(mp3|opus):(\d+)k", re.IGNORECASE)


class AudioMode(NamedTuple):
    """One value of `--audio`."""

    kind: str
    """One of AUDIO_MODES, or a codec."""
    snr_db: float | None = None
    """Of noise that is added to the clip: how far the clip is above it."""
    kbits: int | None = None
    """Of a codec: the bitrate in kbit/s."""

    def __str__(self) -> str:
        """Return it as the option has it, always in the same spelling."""
        if self.snr_db is not None:
            return f"noise:{self.snr_db + 0:g}dB"
        return self.kind if self.kbits is None else f"{self.kind}:{self.kbits}k"

    @property
    def keeps_clip(self) -> bool:
        """Whether the question's own clip is still heard, as it is or made worse."""
        return self.kind == "clip" or self.snr_db is not None or self.kbits is not None


def parse_audio_mode(text: str) -> AudioMode | None:
    """Return the mode that a text names; None where it names none."""
    if text in AUDIO_MODES:
        return AudioMode(text)
    if noise := _NOISE.fullmatch(text):
        snr = float(noise[1])
        return AudioMode("noise", snr_db=snr) if LEAST_SNR <= snr <= MOST_SNR else None
    if codec := _CODEC.fullmatch(text):
        kind, kbits = codec[1].lower(), int(codec[2])
        return AudioMode(kind, kbits=kbits) if kbits in BITRATES[kind] else None
    return None


class _ModeCondition(Condition):
    """Says of a number that is out of range which ones there are, and of anything else the nearest name."""

    def complaint(self, value: object) -> str:
        """Return the end of a message about a value that is no mode."""
        text = str(value)
        if text.lower().startswith("noise:"):
            return f"noise:SNRdB is expected, from noise:{LEAST_SNR:g}dB to noise:{MOST_SNR:g}dB, such as noise:10dB."
        kind = text.lower().partition(":")[0]
        if kind in BITRATES:
            rates = BITRATES[kind]
            known = f"{rates[0]} to {rates[-1]}" if len(rates) > 20 else ", ".join(map(str, rates))
            return f"{kind}:KBITSk is expected, such as {kind}:16k, with one of {known}."
        return super().complaint(value)


IS_AUDIO_MODE = _ModeCondition(
    lambda value: parse_audio_mode(value) is not None,
    "a mode of --audio",
    (*AUDIO_MODES, *AUDIO_EXAMPLES),
)
