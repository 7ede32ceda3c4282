"""The official rules of the benchmarks, as pure functions of a record and a prediction.

The scripts they follow, verdict for verdict:
  text rule       MMAR  ddlBoJack/MMAR 3bce090 evaluation.py;  MMAU  Sakshi113/MMAU 110127f evaluation.py
  letter rule     MMSU  ddwang2000/MMSU of 2026: dingdongwang/MMSU 217d1d3
  carried letter  MMSU  of 2025: dingdongwang/MMSU_Bench f0ef334

Where a script would have stopped with a traceback, the record counts as wrong and `why` says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from dtbench.harness.core.schema import Official

_WORD = re.compile(r"\w+")
_ASCII_WORDS = bytes(ord(chr(code).lower()) if _WORD.match(chr(code)) else ord(" ") for code in range(128)).ljust(256)
"""Each ASCII sign of a word in small letters, a space for any other."""


class _Missing:
    """The type of MISSING, for a record that has no prediction at all."""

    def __repr__(self) -> str:
        return "missing"


MISSING: Final = _Missing()

NO_PREDICTION = "no prediction"
NOT_TEXT = "prediction is not text"
WRONG_FORMAT = "no option letter where the script looks"
NO_EARLIER_LETTER = "empty, and no earlier letter to carry over"


def text_rule(item: Mapping[str, Any], prediction: object) -> Official:
    """Apply the rule of MMAR and MMAU: all words of the answer, and no word that only wrong options have.

    Words are lower-cased and compared as sets, so order and signs are invisible.
    """
    if prediction is MISSING:
        return Official(correct=False, counted=False, why=NO_PREDICTION)
    if not isinstance(prediction, str):
        return Official(correct=False, counted=True, why=NOT_TEXT)
    key = _key_words(item["answer"], "\n".join(item["choices"]))
    text = prediction.lower()
    if not all(word in text for word in key.right):  # which spares most texts of a thousand letters the split
        return Official(correct=False, counted=True)
    predicted = _words(text)
    correct = bool(predicted) and key.right <= predicted and predicted.isdisjoint(key.wrong)
    return Official(correct=correct, counted=True)


def letter_rule(item: Mapping[str, Any], prediction: object) -> Official:
    """Apply the rule of MMSU 2026: a letter at the first or the last but one place; an empty response is wrong."""
    return _letter_verdict(item, prediction, _read_letter(prediction))


class CarriedLetterRule:
    """The rule of MMSU 2025 for one file: as 2026, but an empty response takes the letter of the record before it."""

    def __init__(self) -> None:
        self._carried: str | None = None

    def __call__(self, item: Mapping[str, Any], prediction: object) -> Official:
        """Return the verdict on the next record of the file; the order of calls matters."""
        letter = _read_letter(prediction)
        if letter:
            self._carried = letter
        elif letter == "":
            if self._carried is None:
                return Official(correct=False, counted=True, why=NO_EARLIER_LETTER)
            letter = self._carried
        return _letter_verdict(item, prediction, letter)


def _letter_verdict(item: Mapping[str, Any], prediction: object, letter: str | None) -> Official:
    if letter is None:
        return Official(correct=False, counted=False, why=WRONG_FORMAT if isinstance(prediction, str) else NOT_TEXT)
    # Equality as in the script: the number 3 is not the text "3", and what is absent equals an empty text.
    right = letter != "" and item.get(f"choice_{letter.lower()}", "") == item.get("answer_gt", "")
    return Official(correct=right, counted=True)


def _read_letter(prediction: object) -> str | None:
    """Return the letter that the script reads, "" for an empty response, None where the script drops the record."""
    if prediction is MISSING:
        return ""
    if not isinstance(prediction, str):
        return None
    text = prediction.strip().replace("\n", "")
    if text in {"", "None"}:
        return ""
    if text[0] in "ABCD":
        return text[0]
    if len(text) > 1 and text[-2] in "ABCD":
        return text[-2]
    return None


class _KeyWords(NamedTuple):
    right: frozenset[str]
    wrong: frozenset[str]
    """Words that only wrong options have."""


@lru_cache(maxsize=64)
def _key_words(answer: str, choices: str) -> _KeyWords:
    """Return the words of a question's options, which are wanted for each text that is scored for it."""
    right = frozenset(_words(answer))
    return _KeyWords(right, frozenset(_words(choices) - right))


def _words(text: str) -> set[str]:
    if text.isascii():  # as the pattern finds them, in a third of the time
        return set(text.encode().translate(_ASCII_WORDS).decode().split())
    return set(_WORD.findall(text.lower()))
