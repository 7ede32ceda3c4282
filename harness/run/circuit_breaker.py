"""When a run has seen enough failures: a model that is down must not cost hours, nor its failures pass for answers."""

from __future__ import annotations

from dataclasses import dataclass

IN_A_ROW = 8
"""A model that failed so many questions in a row, each after all its attempts, is down."""


@dataclass(slots=True)
class CircuitBreaker:
    """What one start of a task has seen of its model."""

    allowed: float
    """How many questions may fail before a model that is down stops the run."""
    answered: int = 0
    failed: int = 0
    in_a_row: int = 0
    last: str = ""
    """The message of the last failure."""

    def answer(self) -> None:
        """A question was answered."""
        self.answered += 1
        self.in_a_row = 0

    def failure(self, message: str, *, of_model: bool) -> None:
        """A question failed; one whose clip could not be heard says nothing of the model."""
        self.failed += 1
        self.in_a_row += of_model
        self.last = message

    @property
    def is_over(self) -> bool:
        """Whether the model is down, and nothing it could still answer would bring the run within its budget."""
        return self.in_a_row >= IN_A_ROW and (not self.answered or self.failed > self.allowed)
