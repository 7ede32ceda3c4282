"""From which layer on a token is settled, and what one layer's distribution says of it: pure functions of numbers.

A layer is named by how many layers have run, so 0 is the embeddings. A token settles at the first layer from which it
is the likeliest one at every layer up to the top: a layer that has it by chance, and loses it again, does not count.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

NEVER = -1
SURE = 0.5
LEAST_FALL = 0.01
"""In nats: a token whose probability another clip lowers by less than 1 % does not depend on what is heard."""
LEFT = 0.05
"""Of what another clip does at the embeddings, what is small enough to say that hearing has ended."""


class TokenTrace(NamedTuple):
    """What every layer says of one forced token, from the embeddings to the top."""

    entropy: Sequence[float]
    """In bits."""
    logprob: Sequence[float]
    rank: Sequence[int]
    """1 for the likeliest token."""
    other: Sequence[float] | None = None
    """Log-probability of another question's token at such a place."""
    margin: Sequence[float] | None = None


def settling_layer(trace: Sequence[bool]) -> int:
    """Return the first layer from which it holds up to the top; NEVER where it does not hold at the top."""
    held = sum(1 for _ in itertools.takewhile(bool, reversed(trace)))
    return len(trace) - held if held else NEVER


def settles(trace: TokenTrace) -> int:
    """Return the layer from which the token is the likeliest."""
    return settling_layer([rank == 1 for rank in trace.rank])


def settles_surely(trace: TokenTrace) -> int:
    """Return the layer from which the token is the likeliest and has more than half of the probability."""
    least = math.log(SURE)
    return settling_layer([rank == 1 and value > least for rank, value in zip(trace.rank, trace.logprob, strict=True)])


def hearing_ends(falls: Sequence[float], *, hears: bool) -> int | None:
    """Return the layer from which another clip's states no longer matter; None where they never did.

    `falls` says for each layer, from the embeddings on, how much replacing the clip's states after it does. At the top
    nothing reads them any more, so the last one is 0 whatever the model is.
    """
    if not hears or falls[0] <= 0:
        return None
    return settling_layer([abs(fall) < LEFT * falls[0] for fall in falls])
