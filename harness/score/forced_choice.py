"""Forced choice: the letter of one option as the whole answer, and how likely each letter was.

Nothing is taken out of a text here: what is no bare letter is no answer. An option whose letter was not among the
tokens that an endpoint told of has a bound and no value, so an answer has a probability only where what is unknown
hardly moves it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.model import Forcible, Model
from dtbench.harness.core.schema import OptionLogprobs, Sample
from dtbench.harness.core.task import letters
from dtbench.harness.extract.extraction import Extraction
from dtbench.harness.extract.tidy import split_text

TOLD = 20
"""How many tokens endpoints tell the log-probabilities of, at most; so many options there may be."""
FORCED_SAMPLING: Mapping[str, int] = {"temperature": 0, "max_tokens": 1, "top_logprobs": TOLD}
"""How every forced answer is drawn, whatever is set for free ones."""
HOW = "forced"
NO_LETTER = "forced: the answer is not one bare letter of the options"
CHAIN_FIRST = "forced: a chain began in place of the letter"
"""As where a server parts chains from answers (vLLM's --reasoning-parser): its structure waits for the chain's end."""
UNKNOWN = 0.01
"""By how much untold options may move an answer's probability."""
LEAST = -9999.0
"""What vLLM gives for no probability at all; JSON has no infinity."""
_LETTER = re.compile(r"[\s▁Ġ(\[\"'*]*([A-Z])[\s)\]\"'*.:]*")


class TokenLogprob(NamedTuple):
    """A token and its log-probability, as an endpoint tells them."""

    token: str
    logprob: float


def option_letters(count: int) -> tuple[str, ...]:
    """The letters that name so many options."""
    return tuple(letters()[:count])


def letter_of(text: str, among: Sequence[str]) -> int | None:
    """The place of the letter that a text is, spaces, brackets and stops aside; None where it is no letter of these."""
    bare = _LETTER.fullmatch(text)
    return among.index(bare[1]) if bare is not None and bare[1] in among else None


def read_forced(text: str, choices: Sequence[str]) -> Extraction:
    """The option whose letter is the whole answer."""
    parts = split_text(text)
    place = letter_of(parts.said, option_letters(len(choices)))
    if place is None:
        return Extraction(parts.thinking, "", None, CHAIN_FIRST if parts.thinking or parts.open_chain else NO_LETTER)
    return Extraction(parts.thinking, parts.said.strip(), choices[place], HOW)


def odds_of(tokens: Sequence[TokenLogprob], among: Sequence[str]) -> OptionLogprobs | None:
    """The letters' log-probabilities: tokens that are the same letter add up; None where no letter is told of."""
    found: dict[int, list[float]] = {}
    for token, logprob in tokens:
        place = letter_of(token, among)
        if place is not None:
            found.setdefault(place, []).append(logprob)
    if not found:
        return None
    logprobs = tuple(_log_sum(found[place]) if place in found else None for place in range(len(among)))
    if None not in logprobs:
        return OptionLogprobs(logprobs)
    rest = 1.0 - math.fsum(math.exp(logprob) for _, logprob in tokens)
    most = math.log(rest) if rest > 0 else -math.inf
    return OptionLogprobs(logprobs, max(min(most, min(logprob for _, logprob in tokens)), LEAST))


def probabilities(odds: OptionLogprobs) -> tuple[float, ...] | None:
    """The share of each option among them all; None where untold ones might move one of the told by UNKNOWN or more."""
    told = [0.0 if logprob is None else math.exp(logprob) for logprob in odds.logprobs]
    total = math.fsum(told)
    if not total:
        return None
    untold = odds.logprobs.count(None)
    more = untold * math.exp(min(0.0, odds.below or 0.0)) if untold else 0.0
    if max(told) / total - max(told) / (total + more) >= UNKNOWN:
        return None
    return tuple(share / total for share in told)


def stored_odds(odds: OptionLogprobs | None) -> dict[str, Any]:
    """What a record's response holds of them: nothing where nothing was told."""
    if odds is None:
        return {}
    logprobs = [None if logprob is None else round(logprob, 5) for logprob in odds.logprobs]
    return {"option_logprobs": logprobs} | ({} if odds.below is None else {"untold_below": round(odds.below, 5)})


def odds_in(record: Mapping[str, Any]) -> OptionLogprobs | None:
    """What was stored so."""
    response = record.get("response") or {}
    told = response.get("option_logprobs")
    return None if told is None else OptionLogprobs(tuple(told), response.get("untold_below"))


def right_place(sample: Sample, choices: Sequence[str]) -> dict[str, int | None]:
    """Where the right option was shown, as a record's score holds it; None where it is not among them."""
    right = sample.answer
    return {"right_place": choices.index(right) if right is not None and right in choices else None}


def _log_sum(logprobs: Sequence[float]) -> float:
    highest = max(logprobs)
    return highest + math.log(math.fsum(math.exp(logprob - highest) for logprob in logprobs))


def refuse_unlettered(task: str, sample: Sample) -> None:
    """A UserError for a question whose options cannot be answered by a letter."""
    count = len(sample.choices)
    if not 1 <= count <= TOLD:
        raise UserError(
            f"--answer forced: the question {sample.id!r} of {task} has {count} options; from 1 to {TOLD} can be told "
            f"by a letter: leave it out with --ids, or take --answer direct."
        )


def refuse_unforced(name: str, models: Iterable[Model]) -> None:
    """A UserError for a model that cannot be held to one letter."""
    if not all(isinstance(model, Forcible) and model.forces for model in models):
        raise UserError(
            f"--answer forced: the model {name} cannot be held to one letter: name an endpoint or a checkpoint, "
            f"or take --answer direct."
        )
