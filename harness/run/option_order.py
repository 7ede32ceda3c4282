"""Refuse another order of options where nothing but the reading of answers would change by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.schema import Sample


def refuse_useless_order(
    task: str,
    samples: Sequence[Sample],
    permute: int,
    *,
    show: Callable[[Sample], Sample] | None,
    word: Callable[[Sample], str],
) -> None:
    """Refuse --permute where no question has options, or where prompts do not lay them out.

    They may stand in the words of a question or in its clip: the model would be asked in the same order as ever. `show`
    puts the options of a question into the order that is wanted, None for the data set's own; `word` words its prompt.
    """
    if permute and not any(sample.choices for sample in samples):
        raise UserError(f"--permute {permute}: no question of {task} has options: leave it out.")
    if show is None:
        return
    for sample in samples:
        shown = show(sample)
        if shown.choices != sample.choices:
            if word(shown) == word(sample):
                raise UserError(
                    f"--permute: the options of {task} stand in the words or the clip of its questions: another order "
                    f"would change only how answers are read (first: {sample.id!r}). Leave it out."
                )
            return
