"""What is trained on: a question about a clip, its answer, and how somebody reasoned to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dtbench.harness.core.schema import Sample


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """One question of the training data."""

    id: str
    audio: Path
    question: str
    choices: tuple[str, ...]
    answer: str
    """The right option, verbatim from the choices."""
    chain: str = ""
    """The reference chain of thought; empty where there is none yet."""
    source: str = ""
    """The data set that it is from."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """What else is known of it, such as the true sounds of a made clip; a model is shown none of it."""

    def sample(self) -> Sample:
        """The row as tasks score it."""
        asked = {"id": self.id, "question": self.question, "choices": list(self.choices), "answer": self.answer}
        return Sample(self.id, self.question, self.choices, self.answer, self.audio, item={**self.extra, **asked})
