"""Count the length of an MP3 frame by frame: without a table of contents decoders only estimate it."""

from __future__ import annotations

import mmap
from typing import NamedTuple

_RATES = (44100, 48000, 32000)
_KBITS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBITS_LOW = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_CONTENTS = (b"Xing", b"Info", b"VBRI")
_FIRST_FRAME = 2048
_LAYER_3 = 1
_SAME = 0xFFFE0C00
"""The bits of a header that all frames of a file share: version, layer, rate."""


class _Frame(NamedTuple):
    size: int
    samples: int


def count_mp3_samples(descriptor: int) -> int | None:
    """Count the samples of a channel of an MP3; None where its first frame tells, or it is no layer III."""
    with mmap.mmap(descriptor, 0, prot=mmap.PROT_READ) as data:
        at = _tag_size(data[:10])
        first = int.from_bytes(data[at : at + 4])
        if _frame(first) is None or any(mark in data[at : at + _FIRST_FRAME] for mark in _CONTENTS):
            return None
        samples = 0
        while 0 <= at <= len(data) - 4:
            header = int.from_bytes(data[at : at + 4])
            frame = _frame(header) if header & _SAME == first & _SAME else None
            if frame is None:
                at = data.find(b"\xff", at + 1)
            else:
                at += frame.size
                samples += frame.samples
        return samples


def _tag_size(head: bytes) -> int:
    """Return the size of an ID3 tag before the sound."""
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    footer = 10 if head[5] & 0x10 else 0
    return 10 + footer + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))


def _frame(header: int) -> _Frame | None:
    """Parse a frame header of layer III; None for anything else."""
    version, layer = header >> 19 & 3, header >> 17 & 3
    kbits, rate = header >> 12 & 15, header >> 10 & 3
    if header >> 21 != 0x7FF or version == 1 or layer != _LAYER_3 or kbits in (0, 15) or rate == 3:
        return None
    slower = {3: 0, 2: 1, 0: 2}[version]  # MPEG-1, 2 and 2.5: each has half the rates of the one before
    samples = 576 if slower else 1152
    bits = (_KBITS_LOW if slower else _KBITS)[kbits] * 1000
    return _Frame(samples * bits // 8 // (_RATES[rate] >> slower) + (header >> 9 & 1), samples)
