"""A clip being decoded, and the kinds of arrays that come of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy

    Block = numpy.ndarray[tuple[int, int], numpy.dtype[Any]]
    """Frames by channels: int16 or float32, from -1 to 1."""
    Mono = numpy.ndarray[tuple[int], numpy.dtype[numpy.float32]]
    PCM = numpy.ndarray[tuple[int], numpy.dtype[numpy.int16]]


@dataclass(frozen=True, slots=True)
class DecodedSound:
    """A clip being decoded from its beginning to its end."""

    rate: int
    channels: int
    format: str
    promised: int
    """How many frames its header says there are at least; 0 where it cannot be trusted to know."""
    blocks: Iterator[Block]
    """Each is valid until the next is asked for."""
