"""What each answer of a run is worth, in a few kilobytes, and the measures of claims as numbers of answers."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dtbench.harness.core.errors import DataError
from dtbench.harness.score.measures import LEAST_SHARE, MeasuredAnswer
from dtbench.harness.store.claim_types import AnswerColumns, EvaluatedRun

if TYPE_CHECKING:
    import numpy as np

    Row = np.ndarray[Any, np.dtype[np.float64]]

MOST = 255
CRITERIA = 5
"""Of which three make a chain that leads to its answer, in mini's world."""
NOT_FOLLOWED, FOLLOWED = 1, 2


def pack_bits(values: Sequence[bool]) -> str:
    """Write a bit a value as hexadecimal digits."""
    bits = "".join("01"[bool(value)] for value in values)
    filled = bits.ljust(-(-len(bits) // 4) * 4, "0")
    return "".join(f"{int(filled[place : place + 4], 2):x}" for place in range(0, len(filled), 4))


def unpack_bits(text: str, count: int) -> list[bool]:
    """Read what pack_bits wrote; a DataError for another number of values."""
    try:
        bits = "".join(f"{int(digit, 16):04b}" for digit in text)
    except ValueError:
        raise DataError(f"{text[:20]!r}: no hexadecimal digits.") from None
    if not 0 <= len(bits) - count < 4:
        raise DataError(f"{len(bits)} bits, {count} are expected.")
    return [bit == "1" for bit in bits[:count]]


def pack_counts(values: Sequence[int]) -> str:
    """Write small numbers, a byte each, deflated, as base64."""
    return base64.b64encode(zlib.compress(bytes(min(MOST, value) for value in values), 9)).decode()


def unpack_counts(text: str, count: int) -> list[int]:
    """Read what pack_counts wrote; a DataError for what is damaged, or for another number of values."""
    try:
        values = list(zlib.decompress(base64.b64decode(text, validate=True)))
    except (ValueError, zlib.error) as error:
        raise DataError(f"{text[:20]!r}: not a column of numbers ({error}).") from None
    if len(values) != count:
        raise DataError(f"{len(values)} numbers, {count} are expected.")
    return values


def right_column(right: Sequence[bool]) -> AnswerColumns:
    """Keep of a run whether its answers are right, and nothing else."""
    return {"right": pack_bits(right), "formed": None, "cut": None, "words": None, "criteria": None, "followed": None}


def answer_columns(answers: Sequence[MeasuredAnswer], followed: Sequence[int] | None = None) -> AnswerColumns:
    """Keep of a run what each answer is worth."""
    checked = [answer.criteria for answer in answers]
    criteria = None if None in checked else pack_counts([sum(marks or ()) for marks in checked])
    return {
        "right": pack_bits([answer.right for answer in answers]),
        "formed": pack_counts([bool(answer.formed) for answer in answers]),
        "cut": pack_counts([answer.cut for answer in answers]),
        "words": pack_counts([answer.words for answer in answers]),
        "criteria": criteria,
        "followed": None if followed is None else pack_counts(followed),
    }


def measured_row(run: EvaluatedRun, measure: str) -> tuple[Row, Row] | None:
    """Return the value of each answer and whether it counts, by a measure of claims; None where it is not measured."""
    import numpy as np

    count, columns = run["asked"], run["columns"]
    right = np.array(unpack_bits(columns["right"], count), dtype=float)
    everyone = np.ones(count)
    if measure in {"accuracy", "shuffled_accuracy", "described"}:
        return right, everyone
    column = _column_of(columns, measure)
    if column is None:
        return None
    values = np.array(unpack_counts(column, count), dtype=float)
    if measure == "criteria":
        return values * right, right
    if measure == "lucky_rate":
        return (values < LEAST_SHARE * CRITERIA) * right, right
    if measure == "words":
        return values, np.asarray(values > 0, dtype=float)
    if measure == "empty_rate":
        return np.asarray(values == 0, dtype=float), everyone
    if measure == "follow_rate":
        return np.asarray(values == FOLLOWED, dtype=float), np.asarray(values > 0, dtype=float)
    return values, everyone


def _column_of(columns: AnswerColumns, measure: str) -> str | None:
    """Return the column that a measure is taken from."""
    of: Mapping[str, str | None] = {
        "criteria": columns["criteria"],
        "lucky_rate": columns["criteria"],
        "formed": columns["formed"],
        "cut_rate": columns["cut"],
        "words": columns["words"],
        "empty_rate": columns["words"],
        "follow_rate": columns["followed"],
    }
    return of[measure]
