"""The prompts with which authors evaluated their own models, by name: FAMILY/TASK, or FAMILY/TASK/STYLE."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.typed_settings import Condition, read_table, read_toml

_BUILT_IN = Path(__file__).with_name("prompts.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorsPrompt:
    """A prompt as its authors published it: a table of prompts.toml."""

    family: str
    tasks: Annotated[tuple[str, ...], Condition(bool, "one or more tasks")]
    """The benchmarks that it was published for."""
    text: str
    """Their words, with marks for the question and its options."""
    source: Annotated[tuple[str, ...], Condition(bool, "where it was published")]
    style: Literal["direct", "think"] = "direct"
    """The style of answer that it asks for."""
    system: str | None = None
    """Their system prompt; empty where they say that there is none, None where they do not say."""
    note: str = ""
    """What their source leaves open, or says beside it."""

    @property
    def names(self) -> Sequence[str]:
        """Return its names, one for each benchmark."""
        end = "" if self.style == "direct" else f"/{self.style}"
        return [f"{self.family}/{task}{end}" for task in self.tasks]


@functools.cache
def authors_prompts() -> Mapping[str, AuthorsPrompt]:
    """Return every prompt by each of its names."""
    prompts: dict[str, AuthorsPrompt] = {}
    for family, tables in read_toml(_BUILT_IN).items():
        for table in tables:
            prompt = read_table(AuthorsPrompt, {**table, "family": family}, f"{_BUILT_IN}: [[{family}]]")
            for name in prompt.names:
                if name in prompts:
                    raise UserError(f"{_BUILT_IN}: {name} is there twice.")
                prompts[name] = prompt
    return prompts


def prompts_of_family(family: str) -> Mapping[str, AuthorsPrompt]:
    """Return the prompts of one family by their names."""
    return {name: prompt for name, prompt in authors_prompts().items() if prompt.family == family}
