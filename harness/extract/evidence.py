"""Decide which evidence counts as an answer: a choice that rests on less is set aside, and stays visible.

Reading and counting are two steps. `extract` returns what it read, with the level of its evidence; where an answer is
counted, what is weaker than a threshold is no answer.
"""

from __future__ import annotations

import dataclasses

from dtbench.harness.extract.answer import LEVELS, Extraction

EVIDENCE_LEVELS = LEVELS
"""Levels of evidence, the firmest first."""
DEFAULT_MIN_EVIDENCE = "said"
"""The weakest evidence that counts as an answer where nothing else is asked for."""
WEAKEST = EVIDENCE_LEVELS[-1]
"""The threshold under which every choice that was read counts."""


def is_enough(level: str, min_evidence: str) -> bool:
    """Return whether evidence of a level counts under a threshold; the threshold itself does."""
    for name in (level, min_evidence):
        if name not in EVIDENCE_LEVELS:
            raise ValueError(f"{name!r} is no level of evidence; there are {', '.join(EVIDENCE_LEVELS)}")
    return EVIDENCE_LEVELS.index(level) <= EVIDENCE_LEVELS.index(min_evidence)


def set_weak_aside(extraction: Extraction, min_evidence: str) -> Extraction:
    """Return the extraction without its choice where that rests on weaker evidence than the threshold.

    The option is then in `set_aside`; `level` and `how` still say what it rested on.
    """
    choice, level = extraction.choice, extraction.level
    if choice is None or level is None or is_enough(level, min_evidence):
        return extraction
    how = f"{extraction.how}: weaker evidence than {min_evidence}"
    return dataclasses.replace(extraction, choice=None, set_aside=choice, how=how)


def as_read(extraction: Extraction) -> Extraction:
    """Return the extraction with the option that was set aside as its choice, as it was read."""
    if extraction.set_aside is None:
        return extraction
    return dataclasses.replace(extraction, choice=extraction.set_aside, set_aside=None)
