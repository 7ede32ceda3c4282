"""The ways in which authors of benchmarks read an option out of an answer, as pure functions of text and options.

The scripts they follow, verdict for verdict:
  muchomusic   mulab-mir/muchomusic d3c9a42
  trea         iiscleap/Audio-LLM-benchmarking-uncertainty 73cb4b4 benchmarking_acc.py
  star_bench   InternLM/StarBench 0daf8b0 ALMEval_code
  voicebench   MatthewCYM/VoiceBench 5338154, its evaluator for multiple choice

Each returns the place of an option, None where it reads none. All are weaker than dtbench's own reading: an article
"A", a letter inside a word or an option inside another one is taken for an answer. Published figures rest on that.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from dtbench.harness.core.task import LETTERS

_MUCHOMUSIC_CUE = "The correct answer is:"
_LETTERS = {"A", "B", "C", "D"}


def muchomusic(text: str, choices: Sequence[str]) -> int | None:
    """Read the only capital letter of an option that the text holds anywhere, else the first option that it holds."""
    said = text.rpartition(_MUCHOMUSIC_CUE)[2].strip()
    letters = set(said) & _LETTERS
    if len(letters) == 1:
        return LETTERS.index(letters.pop())
    said = said.lower().strip()
    return next((place for place, choice in enumerate(choices) if choice.lower().strip() in said), None)


def trea(text: str, choices: Sequence[str]) -> int | None:
    """Read the first character of the text, if it is A, B, C or D; nothing where the script would stop.

    It takes each further line for another answer, `ID ANSWER`: one without a blank stops it, and one whose answer
    begins with such a letter, as there is no such id.
    """
    first, *others = text.split("\n")
    if any(" " not in line or line.partition(" ")[2][:1] in _LETTERS for line in others):
        return None
    return LETTERS.index(first[0]) if first[:1] in _LETTERS else None


def star_bench(text: str, choices: Sequence[str]) -> int | None:
    """Read the last letter after a cue such as `answer`; without a cue a bracketed letter, an option, or a letter."""
    letters = LETTERS[: len(choices)]
    cued = _after_cue(text, letters)
    if cued is not None:
        return letters.find(cued) if cued in letters else None
    found = [*_bracketed(text, letters), *_whole_options(text, choices), *_bare(text, letters)]
    if not found:
        return None
    return max(found, key=lambda one: one[:2])[2]


def _after_cue(text: str, letters: str) -> str | None:
    """Return the letter after the last cue as it is written, one in brackets before any other; None without a cue."""
    of = f"[{letters}{letters.lower()}]"
    cue = r"(?:answer|<answer>|solution|choice|option|correct option is|answer is|答案是|选项是)\s*[:：]*\s*"
    letter = rf"(?:[(<\[{{](?P<in>{of})[)>\]}}]|\b(?P<bare>{of})\b)"
    last: dict[str, str] = {}
    for match in re.finditer(cue + letter, text, re.IGNORECASE):
        for kind in ("in", "bare"):
            if match[kind] is not None:
                last[kind] = match[kind]
    return last.get("in", last.get("bare"))


def _bracketed(text: str, letters: str) -> list[tuple[int, int, int]]:
    found = re.finditer(rf"[(<\[{{](?P<letter>[{letters}])[)>\]}}]", text)
    return [(2, match.start(), letters.index(match["letter"])) for match in found]


def _whole_options(text: str, choices: Sequence[str]) -> list[tuple[int, int, int]]:
    if len(text.split()) <= 2:
        return []
    return [
        (1, match.start(), place)
        for place, choice in enumerate(choices)
        for match in re.finditer(rf"(?<![a-z]){re.escape(choice)}(?![a-z])", text, re.IGNORECASE)
    ]


def _bare(text: str, letters: str) -> list[tuple[int, int, int]]:
    return [(0, match.start(), letters.index(match[0])) for match in re.finditer(rf"\b[{letters}]\b", text)]


def voicebench(text: str, choices: Sequence[str]) -> int | None:
    """Read by the first of the authors' templates that the text holds with a letter, else a letter that it begins with.

    Where it reads none the script draws a letter at random, without a seed; here it stays unread.
    """
    said = text.lower()
    if said.startswith(("<1>", "<2>", "<3>")):
        said = said[3:].strip()
    for template in _voicebench_templates():
        for place, letter in enumerate("abcd"):
            if template.replace("[CHOICE]", letter) in said:
                return place
    for place, letter in enumerate("abcd"):
        if said == letter or said.startswith(tuple(f"{letter}{sign}" for sign in ".,:)")):
            return place
    return 0 if "would be a." in said or 'would be "a.' in said else None


@cache
def _voicebench_templates() -> Sequence[str]:
    import json

    file = Path(__file__).with_name("voicebench_templates.json")
    templates: list[str] = json.loads(file.read_text(encoding="utf-8"))["templates"]
    return templates
