"""How a text ends: whether it was cut off or went round in circles, and what is said more than once."""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

from dtbench.harness.extract.patterns import lazy_pattern

_SENTENCE = lazy_pattern(r"[^.!?\n]*(?:[.!?]+(?=[\s\"')\]*_]|$)|\n|$|[.!?])")
_LOOPS = 3
_LOOP_FROM = 24
"""A shorter sentence may well stand several times."""
_SHORT = 200
_DANGLING = lazy_pattern(
    r"(?:,|\s[=+*/<>^-]|\b(?:a|an|the|and|or|but|of|to|in|on|at|by|for|with|from|into|as|than|that|which|who|whose|where|when"
    r"|while|because|since|if|so|is|are|was|were|be|been|has|have|had|would|could|should|will|can|may|might|must|does|do"
    r"|we|its|their|his|her|this|these|those|between|about|not|very|more|most|then the|also|now|next|then|thus|hence"
    r"|therefore|however|let's))$",
    re.IGNORECASE,
)
_DANGLING_FROM = 24
_ENDED = lazy_pattern(r"[.!?…\u3002\uff01\uff1f\u0964)\]}>`|\"'*$]\s*$")
_FORMULA = lazy_pattern(r"[\\=+^{<]|-$")


class Ending(NamedTuple):
    """A text without the repeats of a loop, and how it ends."""

    text: str
    looped: bool
    """Whether it goes in circles at its end."""
    unfinished: bool
    """Whether it ends inside a sentence or a loop: no weak word in it decides anything."""


def read_ending(text: str) -> Ending:
    """Drop what a loop repeats, and tell whether the text was cut off."""
    text = text.rstrip()
    if len(text) <= _SHORT:
        return Ending(
            text, looped=False, unfinished=len(text) >= _DANGLING_FROM and _DANGLING.search(text[-12:]) is not None
        )
    sentences = [match[0] for match in _SENTENCE.finditer(text) if match[0]]
    keys = [sentence.strip() for sentence in sentences]
    counts = Counter(key for key in keys if len(key) >= _LOOP_FROM)
    repeated = {key for key, count in counts.items() if count >= _LOOPS}
    looped = text[-2000:].count(text[-_LOOP_FROM:]) > _LOOPS or any(
        key in repeated or any(other.startswith(key) for other in repeated) for key in keys[-2:] if len(key) > 3
    )
    if repeated:
        last = {key: place for place, key in enumerate(keys)}
        kept = [s for place, s in enumerate(sentences) if keys[place] not in repeated or last[keys[place]] == place]
        text = "".join(kept)
    return Ending(text, looped=looped, unfinished=looped or _is_cut(text))


def _is_cut(text: str) -> bool:
    """Whether a text of some length ends without the end of a sentence; a short last line needs none."""
    if text.count("$$") % 2 or text.count("\\[") > text.count("\\]") or text.count("\\(") > text.count("\\)"):
        return True
    last = text.removesuffix("\n").rpartition("\n")[2]
    if _DANGLING.search(text[-12:]):
        return True
    if _ENDED.search(text[-8:]):
        return last.count("(") > last.count(")") + 1 or last.count("{") > last.count("}")
    return len(last.split()) > 6 or "\n" not in text or _FORMULA.search(last) is not None
