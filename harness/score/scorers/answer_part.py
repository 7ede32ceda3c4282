"""Where the answer stands in a text, and how it is evened out before it is compared."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from dtbench.harness.core.marks import field_of
from dtbench.harness.core.schema import Sample
from dtbench.harness.extract.containers import find_containers

_LABEL = re.compile(
    r"(?:^|(?<=[\n.!?*_#]))[ \t*_#]*(?:so,? |thus,? |therefore,? |hence,? )?(?:the |my )?(?:final |correct |right )?"
    r"answer[*_ \t]*(?::|is(?: that)?:?|=)[*_ \t]*(?P<answer>[^\n]*\S)",
    re.IGNORECASE,
)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b", re.IGNORECASE)
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


def even_out(text: str, *, case: bool = False, punctuation: bool = False, articles: bool = False) -> str:
    """Even out what does not count in a comparison; of what would be nothing then, only spaces and case."""
    plain = unicodedata.normalize("NFKC", text)
    plain = " ".join((plain if case else plain.casefold()).split())
    evened = plain
    if not punctuation:
        evened = "".join(sign if _is_word(sign) else " " for sign in evened)
    if not articles:
        evened = _ARTICLES.sub(" ", evened)
    return " ".join(evened.split()) or plain


def _is_word(sign: str) -> bool:
    return sign.isalnum() or sign.isspace() or unicodedata.category(sign) in {"Mn", "Mc"}
