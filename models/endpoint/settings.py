"""What -M sets for an endpoint."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from dtbench.harness.core.errors import UserError
from dtbench.models.endpoint.wire import AudioPart

SAMPLING = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "max_tokens",
    "max_completion_tokens",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "seed",
    "n",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSettings:
    """A sampling field that is not set is left to the endpoint."""

    model: str | None = None
    """The name under which the endpoint serves it; not needed where it serves only one."""
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    """As max_tokens, for endpoints that know only this name."""
    repetition_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    """For every request; a seed of the prompt stands before it."""
    n: int | None = None
    """1, where an endpoint wants to be told."""
    extra: dict[str, Any] | None = None
    """More fields of the body."""
    timeout: float = 600.0
    """Seconds for a whole request."""
    reconnect_timeout: float = 120.0
    """Seconds for which an endpoint that has answered before is waited for when it cannot be reached."""
    audio_part: AudioPart = "input_audio"
    """How the clip stands in a request: as `input_audio`, or as the data URL of an `audio_url`."""
    rate: int = 16000
    """The sampling rate of the clips that are sent."""
    limit_seconds: float | None = None
    """The longest clip that the model takes."""

    def __post_init__(self) -> None:
        """Refuse what no endpoint takes."""
        self._refuse_outside("temperature", self.temperature, 0.0)
        self._refuse_outside("top_p", self.top_p, 0.0, 1.0)
        self._refuse_outside("min_p", self.min_p, 0.0, 1.0)
        self._refuse_outside("max_tokens", self.max_tokens, 1)
        self._refuse_outside("max_completion_tokens", self.max_completion_tokens, 1)
        self._refuse_outside("timeout", self.timeout, 0.001)
        self._refuse_outside("reconnect_timeout", self.reconnect_timeout, 0.0)
        self._refuse_outside("rate", self.rate, 4000, 192000)
        self._refuse_outside("limit_seconds", self.limit_seconds, 0.001)
        if self.n not in {None, 1}:
            raise UserError(f"-M n={self.n}: a request asks for one answer; for several a question use --samples.")
        if taken := sorted({"messages", "model", "stream", *SAMPLING} & (self.extra or {}).keys()):
            raise UserError(f"-M extra: the field {taken[0]!r} is not set here; only fields without an option are.")

    @staticmethod
    def _refuse_outside(name: str, value: float | None, least: float, most: float = math.inf) -> None:
        if value is not None and not least <= value <= most:
            allowed = f"at least {least:g}" if most == math.inf else f"{least:g} to {most:g}"
            raise UserError(f"-M {name}={value:g}: {allowed} is expected.")

    def sampling(self) -> dict[str, Any]:
        """The fields of the body that say how to sample."""
        given = {name: getattr(self, name) for name in SAMPLING if getattr(self, name) is not None}
        return {**given, **(self.extra or {})}
