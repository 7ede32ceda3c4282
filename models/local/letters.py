"""One letter from a checkpoint in this process: its odds are those of the token that would come first.

One prompt after the other: it is one pass each, which a batch would pad and hardly speed up.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dtbench.harness.core.errors import MachineryError
from dtbench.harness.core.schema import OptionLogprobs, Prompt, Response

if TYPE_CHECKING:
    from dtbench.models.local.sampling import SamplingSettings
    from dtbench.models.local.weights import Weights


def letter_response(weights: Weights, prompt: Prompt, seed: int, *, drawn: SamplingSettings) -> Response:
    """The likeliest letter, and the log-probability of each among all tokens."""
    started = time.perf_counter()
    with _first_row(weights) as rows:
        (said,) = weights.answer([prompt], 1, drawn._replace(temperature=0.0), [seed])
    every = rows[0].float().log_softmax(dim=-1)
    logprobs = tuple(_logprob(every, weights, letter) for letter in prompt.letters)
    text = prompt.letters[logprobs.index(max(logprobs))]
    usage = {"prompt_tokens": said.prompt_tokens, "completion_tokens": 1}
    return Response(text, "length", usage, time.perf_counter() - started, odds=OptionLogprobs(logprobs))


@contextmanager
def _first_row(weights: Weights) -> Iterator[list[Any]]:
    """What the model gives for the first token, before anything is drawn."""
    rows: list[Any] = []
    hook = weights._model.register_forward_hook(lambda module, given, made: rows.append(made.logits[0, -1]))
    try:
        yield rows
    finally:
        hook.remove()


def _logprob(every: Any, weights: Weights, letter: str) -> float:
    return float(every[letter_tokens(weights._tokenizer, letter)].logsumexp(dim=0))


def letter_tokens(tokenizer: Any, letter: str) -> Sequence[int]:
    """The tokens that are this letter alone; a MachineryError where the tokenizer has none."""
    spelt = tokenizer.encode(letter, add_special_tokens=False)
    named = tokenizer.convert_tokens_to_ids(letter)
    found = {*(spelt if len(spelt) == 1 else ()), *([named] if isinstance(named, int) else ())}
    tokens = sorted(token for token in found if tokenizer.decode([token]).strip() == letter)
    if not tokens:
        raise MachineryError(
            f"--answer forced: this tokenizer has no token for the letter {letter}: take --answer direct."
        )
    return tokens
