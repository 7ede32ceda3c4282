"""The fields of a record that a samples frame has, as objects that the garbage collector need not walk through.

A frame of 50,000 answers takes two thirds of the time that it takes with dicts. This module loads msgspec: it is
imported when records are read.
"""

from __future__ import annotations

import msgspec


class _LinePart(msgspec.Struct, gc=False):
    """A part of a record; see Record for what its fields mean."""


class ResponseFields(_LinePart):
    """What of a ResponseRecord is a column."""

    text: str | None
    finish_reason: str | None
    usage: dict[str, int]
    seconds: float | None


class ExtractionFields(_LinePart):
    """What of an ExtractionRecord is a column."""

    choice: str | None
    how: str | None
    thinking_chars: int
    level: str | None = None


class OfficialFields(_LinePart):
    """What of an OfficialRecord is a column."""

    correct: bool | None
    counted: bool | None
    mark: float | None = None

    @property
    def value(self) -> float | None:
        """The verdict as a number from 0 to 1; None where it is not counted."""
        if not self.counted or self.correct is None:
            return None
        return float(self.correct) if self.mark is None else self.mark


class ScoreFields(_LinePart):
    """What of a ScoreRecord is a column."""

    official: OfficialFields
    correct: bool | None
    marks: dict[str, float | None] | None = None


class ErrorFields(_LinePart):
    """What of an ErrorRecord is a column."""

    kind: str | None
    message: str | None


class AudioFields(_LinePart):
    """What of an AudioRecord is a column."""

    seconds: float | None
    clip_hash: str | None = None


class SampleLine(_LinePart):
    """One record."""

    id: str
    sample: int
    groups: dict[str, str]
    audio: AudioFields | None
    response: ResponseFields | None = None
    extraction: ExtractionFields | None = None
    score: ScoreFields | None = None
    error: ErrorFields | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it has an error, or everything that an answer has."""
        return self.error is not None or None not in (self.response, self.extraction, self.score)


NO_RESPONSE = ResponseFields(None, None, {}, None)
NO_EXTRACTION = ExtractionFields(None, None, 0)
NO_SCORE = ScoreFields(OfficialFields(None, None), None)
NO_ERROR = ErrorFields(None, None)
NO_AUDIO = AudioFields(None)
"""What a record has none of, with null in every column."""
