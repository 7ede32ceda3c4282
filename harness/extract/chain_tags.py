"""The tags around a chain of thought; apart from what splits texts by them."""

from __future__ import annotations

import contextlib
import json
from typing import NamedTuple


class ChainTags(NamedTuple):
    """The tags around a model's chain of thought, which are found in either case."""

    opening: str
    closing: str

    @classmethod
    def of(cls, given: object) -> ChainTags:
        """Make them from a list of two, or from a text such as `<reason>,</reason>`; else a ValueError."""
        parts: object = given
        if isinstance(given, str):
            parts = given.split(",")
            with contextlib.suppress(ValueError):  # as JSON, where each may hold a comma
                parts = json.loads(given)
        tags = [part.strip() for part in parts if isinstance(part, str)] if isinstance(parts, list | tuple) else []
        if len(tags) != 2 or not all(tags) or len(tags) != len(parts) or tags[0].lower() == tags[1].lower():  # type: ignore[arg-type]
            raise ValueError("a pair of different tags is expected")
        return cls(*tags)

    @property
    def are_special(self) -> bool:
        """Whether they are written as special tokens are, which decoding drops unless it is told to keep them."""
        return any("|" in tag and tag[0] == "<" and tag[-1] == ">" for tag in self)


USUAL_TAGS = ChainTags("<think>", "</think>")
"""The tags of a model that names none."""
KNOWN_PAIRS = (
    ChainTags("<|channel>", "<channel|>"),  # Gemma 4
    ChainTags("<unused94>", "<unused95>"),  # MedGemma
    ChainTags("<|begin_of_thought|>", "<|end_of_thought|>"),  # OpenThinker, Sky-T1
    ChainTags("<|START_THINKING|>", "<|END_THINKING|>"),  # Command A, Command R7B
    ChainTags("<|open|>think<|sep|>", "<|close|>think<|sep|>"),  # Kimi K3
)
"""Tags that are no words in brackets; a model names its channel right after the first two."""
