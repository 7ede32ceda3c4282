"""Where the answer stands in a text: between answer tags, in a box, after `Answer:`, or the whole of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dtbench.harness.core.marks import field_of
from dtbench.harness.core.schema import Sample
from dtbench.harness.extract.containers import find_containers

_LABEL = re.compile(
    r"(?:^|(?<=[\n.!?*_#]))[ \t*_#]*(?:so,? |thus,? |therefore,? |hence,? )?(?:the |my )?(?:final |correct |right )?"
    r"answer[*_ \t]*(?::|is(?: that)?:?|=)[*_ \t]*(?P<answer>[^\n]*\S)",
    re.IGNORECASE,
)
NO_GOLD = "it has no answer, and the words of a right one are expected"
_MARKUP = " \t\r\n*_`\"'“”"


def answer_words(text: str) -> str:
    """Return the words in which an open answer is given: what is marked as the answer last, or the whole text."""
    for container in find_containers(text):
        if container.content.strip():
            return container.content.strip(_MARKUP)
    labelled = list(_LABEL.finditer(text))
    return (labelled[-1]["answer"] if labelled else text).strip(_MARKUP)


def gold_answers(sample: Sample, aliases: str = "") -> Sequence[str]:
    """Return what is right: the answer, others of a published list of answers, and those in the field `aliases`."""
    golds = [] if sample.answer is None else [sample.answer]
    for path in ("answer", "answers", aliases):
        given = field_of(sample, path) if path else None
        if isinstance(given, list | tuple):
            golds += [str(one) for one in given if isinstance(one, str | int | float)]
        elif path == aliases and isinstance(given, str | int | float):
            golds.append(str(given))
    return list(dict.fromkeys(gold for gold in golds if gold.strip()))
