"""Forced choice: the letter of one option as the whole answer, and how likely each letter was.

Nothing is read out of a text here: what is no bare letter is no answer. An option whose letter was not among the tokens
that an endpoint lists has a bound and no value, so an answer has a probability only where what is unknown hardly moves
it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.model import Forcible, Model
from dtbench.harness.core.schema import OptionLogprobs, Sample
from dtbench.harness.core.task import LETTERS
from dtbench.harness.extract.answer import Extraction
from dtbench.harness.extract.tidy import split_text
from dtbench.harness.store.types import LogprobFields, Record

TOP_LOGPROBS = 20
"""How many tokens endpoints list with their log-probabilities, at most; so many options there may be."""
FORCED_SAMPLING: Mapping[str, int] = {"temperature": 0, "max_tokens": 1, "top_logprobs": TOP_LOGPROBS}
"""How every forced answer is drawn, whatever is set for free ones."""
HOW = "forced"
NO_LETTER = "forced: the answer is not one bare letter of the options"
CHAIN_FIRST = "forced: a chain began in place of the letter"
"""As where a server parts chains from answers (vLLM's --reasoning-parser): its structure waits for the chain's end."""
UNKNOWN = 0.01
"""By how much unlisted options may move an answer's probability."""
LEAST = -9999.0
"""What vLLM gives for no probability at all; JSON has no infinity."""
_LETTER = re.compile(r"[\s▁Ġ(\[\"'*]*([A-Z])[\s)\]\"'*.:]*")


class TokenLogprob(NamedTuple):
    """A token and its log-probability, as an endpoint lists them."""

    token: str
    logprob: float


def option_letters(count: int) -> tuple[str, ...]:
    """Return the letters that name so many options."""
    return tuple(LETTERS[:count])


def letter_of(text: str, among: Sequence[str]) -> int | None:
    """Find the letter that a text is, spaces, brackets and stops aside; None where it is no letter of these."""
    bare = _LETTER.fullmatch(text)
    return among.index(bare[1]) if bare is not None and bare[1] in among else None


def read_forced(text: str, choices: Sequence[str]) -> Extraction:
    """Read the option whose letter is the whole answer."""
    parts = split_text(text)
    place = letter_of(parts.answer, option_letters(len(choices)))
    if place is None:
        how = CHAIN_FIRST if parts.thinking or parts.open_chain else NO_LETTER
        return Extraction(parts.thinking, "", None, how, text=parts.answer)
    return Extraction(parts.thinking, parts.answer.strip(), choices[place], HOW, text=parts.answer)


def option_logprobs(tokens: Sequence[TokenLogprob], among: Sequence[str]) -> OptionLogprobs | None:
    """Return the letters' log-probabilities: tokens that are the same letter add up; None where no letter is listed."""
    by_option: dict[int, list[float]] = {}
    for token, logprob in tokens:
        place = letter_of(token, among)
        if place is not None:
            by_option.setdefault(place, []).append(logprob)
    if not by_option:
        return None
    logprobs = tuple(_log_sum(by_option[place]) if place in by_option else None for place in range(len(among)))
    if None not in logprobs:
        return OptionLogprobs(logprobs)
    rest = 1.0 - math.fsum(math.exp(logprob) for _, logprob in tokens)
    most = math.log(rest) if rest > 0 else -math.inf
    return OptionLogprobs(logprobs, max(min(most, min(logprob for _, logprob in tokens)), LEAST))


def probabilities(options: OptionLogprobs) -> tuple[float, ...] | None:
    """Return each option's share of all; None where unlisted ones might move a listed one by UNKNOWN or more."""
    masses = [0.0 if logprob is None else math.exp(logprob) for logprob in options.logprobs]
    total = math.fsum(masses)
    if not total:
        return None
    unlisted = options.logprobs.count(None)
    more = unlisted * math.exp(min(0.0, options.below or 0.0)) if unlisted else 0.0
    if max(masses) / total - max(masses) / (total + more) >= UNKNOWN:
        return None
    return tuple(mass / total for mass in masses)


def logprob_fields(options: OptionLogprobs | None) -> LogprobFields:
    """Return what a response stores of log-probabilities; nothing where the model gave none."""
    if options is None:
        return {}
    logprobs = [None if logprob is None else round(logprob, 5) for logprob in options.logprobs]
    if options.below is None:
        return {"option_logprobs": logprobs}
    return {"option_logprobs": logprobs, "unlisted_max": round(options.below, 5)}


def stored_logprobs(record: Record) -> OptionLogprobs | None:
    """Return the log-probabilities in a record; None where there are none."""
    response = record.get("response")
    if response is None or "option_logprobs" not in response:
        return None
    return OptionLogprobs(tuple(response["option_logprobs"]), response.get("unlisted_max"))


def gold_index(sample: Sample, choices: Sequence[str]) -> int | None:
    """Return the place of the right option among those shown; None where it is not there."""
    gold = sample.answer
    return choices.index(gold) if gold is not None and gold in choices else None


def _log_sum(logprobs: Sequence[float]) -> float:
    highest = max(logprobs)
    return highest + math.log(math.fsum(math.exp(logprob - highest) for logprob in logprobs))


def refuse_unlettered(task: str, sample: Sample) -> None:
    """Raise a UserError for a question whose options cannot be answered by a letter."""
    count = len(sample.choices)
    if not count:
        raise UserError(
            f"--answer forced: the question {sample.id!r} of {task} is open: it has no options whose letters could be "
            "the answer: leave it out with --ids, or use --answer direct."
        )
    if not 1 <= count <= TOP_LOGPROBS:
        raise UserError(
            f"--answer forced: the question {sample.id!r} of {task} has {count} options, but only 1 to "
            f"{TOP_LOGPROBS} can be answered by a letter: leave it out with --ids, or use --answer direct."
        )


def refuse_unbudgeted(name: str, models: Iterable[Model]) -> None:
    """Raise a UserError for a model whose chains cannot be ended at a number of tokens."""
    if not all(getattr(model, "limits_chains", False) for model in models):
        raise UserError(
            f"--think-budget: it is not known how a request to {name} limits a chain of thought. vLLM that is started "
            "here does it, --backend local, and an endpoint that is known as vLLM or SGLang (-M host=vllm); of another "
            "name the field with -M think_budget_field=FIELD, or take a family that has one."
        )


def refuse_unforced(name: str, models: Iterable[Model]) -> None:
    """Raise a UserError for a model that cannot be constrained to one letter."""
    if not all(isinstance(model, Forcible) and model.forces for model in models):
        raise UserError(
            f"--answer forced: the model {name} cannot be constrained to one letter: name an endpoint or a "
            f"checkpoint, or use --answer direct."
        )
