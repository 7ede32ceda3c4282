"""What each family of audio-language models needs: facts that a run would otherwise have to be told every time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Flag = str | int | float | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """The facts of one family; a row of `dtbench models`, and a table of families.toml."""

    name: str
    """The short name, such as `qwen2-audio`."""
    title: str
    hub_id: str | None = None
    """The checkpoint that the short name stands for."""
    architectures: tuple[str, ...] = ()
    """What `architectures` of its config.json says."""
    chain: tuple[str, str] | None = None
    """The tags around its chain of thought; None where it writes none."""
    thinking: str = ""
    """How thinking is asked for."""
    rate: int = 16000
    limit_seconds: float | None = None
    sampling: Mapping[str, float | int] = field(default_factory=dict)
    """Its authors' defaults, by the names of `-M`."""
    serve: Mapping[str, Flag] = field(default_factory=dict)
    """Flags of `vllm serve`, with underscores and without dashes."""
    audio_part: Literal["input_audio", "audio_url"] = "input_audio"
    """How the clip stands in a request."""
    backends: tuple[Literal["vllm", "local", "endpoint"], ...] = ("vllm", "local")
    """What can run it, the default first."""
    instead: str = ""
    """The way that remains where vLLM does not serve it."""
    url: str | None = None
    """The base of its API, for hosted ones."""
    licence: str = ""
    traps: tuple[str, ...] = ()
    proven: str = ""
    """What was run with it, and what came of it; empty where nothing was."""
