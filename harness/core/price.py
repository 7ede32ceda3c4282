"""What tokens cost: prices per million of them, and counts under the names that endpoints use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, NotRequired, TypedDict

MILLION = 1_000_000
TOKENS_IN = ("prompt_tokens", "input_tokens")
TOKENS_OUT = ("completion_tokens", "output_tokens")
AUDIO_TOKENS = "audio_tokens"
"""Those of the input that are sound, where an endpoint tells them from words."""


class SpentFigures(TypedDict):
    """What all replies of a run used, over all starts and failed ones too; there where a price or a limit is known."""

    tokens_in: int
    tokens_out: int
    cost: NotRequired[float]
    """In US dollars; absent where the price is not known."""


class Price(NamedTuple):
    """The price of a million tokens, in the money that the user names it in."""

    read: float
    written: float
    heard: float | None = None
    """Of input tokens that are sound; None where they cost what others do."""

    def of(self, read: int, written: int, heard: int = 0) -> float:
        """Return what so many tokens cost, to four decimals; those heard are among those read."""
        sound = heard * ((self.read if self.heard is None else self.heard) - self.read)
        return round((read * self.read + sound + written * self.written) / MILLION, 4)

    def of_usage(self, tokens: Mapping[str, int]) -> float:
        """Return what the tokens cost that an endpoint reported; what it does not tell apart costs the higher price."""
        read, written = tokens_read(tokens), tokens_written(tokens)
        untold = read if (self.heard or 0.0) > self.read else 0
        return self.of(read, written, min(read, tokens.get(AUDIO_TOKENS, untold)))

    def as_json(self) -> dict[str, float]:
        """Return the prices as run.json has them."""
        heard = {} if self.heard is None else {"audio_in": self.heard}
        return {"in": self.read, "out": self.written, **heard}


def tokens_read(tokens: Mapping[str, int]) -> int:
    """Return how many tokens of input there are among counts."""
    return next((tokens[name] for name in TOKENS_IN if name in tokens), 0)


def tokens_written(tokens: Mapping[str, int]) -> int:
    """Return how many tokens of output there are among counts."""
    return next((tokens[name] for name in TOKENS_OUT if name in tokens), 0)
