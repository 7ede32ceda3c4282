"""Tell several answers from one that was changed: a list of answers, or answers to parts that the model made up."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dtbench.harness.extract.page import Page
from dtbench.harness.extract.patterns import lazy_pattern
from dtbench.harness.extract.stance import CONCLUDED, STATED, Group

_BARE_STATEMENT = lazy_pattern(
    r"[\s*_.)\]}\"']*\n[\s*_\"'-]*(?:\d{1,2}[.)]\s*)?(?:(?:the )?(?:correct |right )?"
    r"(?:answer|choice|option)(?: is|:)+)?[\s*_(\[\"'$]*",
    re.IGNORECASE,
)
_PART = lazy_pattern(
    r"[\s*_#>-]*(?:(?:part|question|problem|q)\s*[(\[]?(?:[a-h]|[ivx]{1,4}|\d{1,2})\b|[(\[]?(?:[a-h]|\d{1,2})[)\]]"
    r"|\d{1,2}\.\s|(?:first|second|third|fourth)(?: (?:question|part|one))?\s*[:,-])",
    re.IGNORECASE,
)


def answers_several(page: Page, groups: Sequence[Group]) -> bool:
    """Whether the last statement stands beside others that it does not take back."""
    stated = [
        group for group in groups if group.level >= CONCLUDED and group.stance == "said" and len(group.options) == 1
    ]
    if len(stated) < 2:
        return False
    one, other = stated[-2:]
    if one.options == other.options or other.start < one.end or "\f" in page.text[one.end : other.start]:
        return False
    if one.level == other.level == STATED and _BARE_STATEMENT.fullmatch(page.cues, one.end, other.start):
        return True
    first, second = _part_of(page, one), _part_of(page, other)
    return first is not None and second is not None and first != second


def _part_of(page: Page, group: Group) -> str | None:
    """Return the sign of the part that a line answers, such as `(b)`; None where its line begins with none."""
    line = page.cues.rfind("\n", 0, group.start) + 1
    part = _PART.match(page.text, line, group.start)
    return part[0].strip(" *_#>-").lower() if part else None
