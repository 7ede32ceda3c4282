"""The form in which an endpoint takes requests: names of fields, the clip, streaming, what it is not asked for."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dtbench.harness.score.forced_choice import FORCED_SAMPLING
from dtbench.models.endpoint.wire import AudioPart

Longest = Literal["max_tokens", "max_completion_tokens"]
LONGEST: tuple[Longest, Longest] = ("max_tokens", "max_completion_tokens")
Structure = Literal["structured_outputs", "regex", "none"]
STRUCTURE, LOGPROBS = "structure", "logprobs"
"""What a request for one letter asks for beside the letter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestForm:
    """How requests to one endpoint look; equal forms make equal requests of equal prompts."""

    seed: str | None = "seed"
    """The field of the seed; None to send none."""
    seed_bits: int = 64
    """A seed is cut to so many bits."""
    audio_part: AudioPart = "input_audio"
    """How a request carries the clip."""
    longest: Longest = "max_tokens"
    """The field of the longest answer."""
    stream: bool = False
    """Whether answers are streamed."""
    stream_usage: bool = True
    """Whether a streamed answer is asked for its counts of tokens."""
    structure: Structure = "structured_outputs"
    """The field that constrains an answer to one letter."""
    asks: frozenset[str] = frozenset({STRUCTURE, LOGPROBS})
    """What a request for one letter asks for."""
    left_out: frozenset[str] = frozenset()
    """Fields of sampling that the endpoint refuses."""

    def fields(self, sampling: Mapping[str, Any], letters: Sequence[str]) -> dict[str, Any]:
        """Return the fields of a request beside model, messages and seed."""
        given = {name: value for name, value in sampling.items() if name not in LONGEST}
        longest = sampling.get("max_completion_tokens", sampling.get("max_tokens"))
        if longest is not None:
            given[self.longest] = longest
        fields = {name: value for name, value in given.items() if name not in self.left_out}
        if self.stream:
            fields["stream"] = True
            if self.stream_usage:
                fields["stream_options"] = {"include_usage": True}
        return fields | (self._choice(letters) if letters else {})

    def _choice(self, letters: Sequence[str]) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        if LOGPROBS in self.asks:
            fields |= {"logprobs": True, "top_logprobs": FORCED_SAMPLING["top_logprobs"]}
        if STRUCTURE in self.asks and self.structure == "structured_outputs":
            fields["structured_outputs"] = {"choice": list(letters)}
        if STRUCTURE in self.asks and self.structure == "regex":
            fields["regex"] = f"({'|'.join(map(re.escape, letters))})"
        return fields

    def seed_of(self, seed: int | None) -> int | None:
        """Return the seed as it is sent; None where none is."""
        return None if seed is None or self.seed is None else seed & ((1 << self.seed_bits) - 1)

    def as_json(self, *, forced: bool) -> dict[str, Any]:
        """Return what run.json keeps of it."""
        about: dict[str, Any] = {
            "seed": self.seed,
            "seed_bits": self.seed_bits,
            "audio_part": self.audio_part,
            "longest": self.longest,
            "stream": self.stream,
            "left_out": sorted(self.left_out),
        }
        if forced:
            about |= {STRUCTURE: self.structure if STRUCTURE in self.asks else "none", LOGPROBS: LOGPROBS in self.asks}
        return about

    def differences(self, other: RequestForm, sent: Collection[str]) -> list[str]:
        """Say in the words of a user how this form differs from another, of whose fields these would be sent."""
        found = []
        if self.seed != other.seed:
            found.append("no seed" if self.seed is None else f"the seed as {self.seed}")
        elif self.seed_bits != other.seed_bits:
            found.append(f"seeds of {self.seed_bits} bits")
        if self.audio_part != other.audio_part:
            found.append(f"clips with audio_part={self.audio_part}")
        if self.longest != other.longest and {*LONGEST} & {*sent}:
            found.append(f"{self.longest} for {other.longest}")
        if self.stream != other.stream:
            found.append("streamed answers" if self.stream else "answers in one piece")
        if self.left_out != other.left_out:
            names = sorted(self.left_out - other.left_out)
            found.append(
                f"no {' and no '.join(names)}, so that {'its' if len(names) == 1 else 'their'} value is its own"
            )
        lost = other.asks - self.asks
        found += [f"no {'structured output' if one == STRUCTURE else 'log-probabilities'}" for one in sorted(lost)]
        return found
