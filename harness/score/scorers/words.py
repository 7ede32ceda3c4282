"""Scorers of open answers by their words: equal after spelling is evened out, or contained."""

from __future__ import annotations

from functools import partial

from dtbench.harness.core.schema import Mark, Sample, unscorable
from dtbench.harness.score.scorers.answer_part import NO_GOLD, answer_words, even_out, gold_answers

NOTHING_SAID = "nothing was said"


def exact(  # noqa: PLR0913 - its options
    sample: Sample,
    text: str,
    *,
    case: bool = False,
    punctuation: bool = False,
    articles: bool = False,
    aliases: str = "",
    whole: bool = False,
) -> Mark:
    """Give full marks to an answer that equals a right one; case, punctuation and articles count only where asked.

    Right are the answer, the others of a list of answers, and those in the field `aliases` of the published item. What
    is compared is what is marked as the answer, or with `whole` all of the text.
    """
    golds, said = gold_answers(sample, aliases), text.strip() if whole else answer_words(text)
    if not golds or not said:
        return Mark(None, why=NOTHING_SAID) if golds else unscorable(NO_GOLD)
    even = partial(even_out, case=case, punctuation=punctuation, articles=articles)
    right = {even(gold) for gold in golds}
    return Mark(float(even(said) in right), said, "equal" if even(said) in right else "not equal")


def contains(sample: Sample, text: str, *, case: bool = False, aliases: str = "", whole: bool = True) -> Mark:
    """Give full marks to a text in which a right answer stands as words of its own, articles and signs aside."""
    golds, said = gold_answers(sample, aliases), text.strip() if whole else answer_words(text)
    if not golds or not said:
        return Mark(None, why=NOTHING_SAID) if golds else unscorable(NO_GOLD)
    even = partial(even_out, case=case)
    words = f" {even(said)} "
    found = next((gold for gold in golds if f" {even(gold)} " in words), None)
    return Mark(float(found is not None), found or said, "contained" if found is not None else "not contained")
