"""One chain of reasoning, and the criteria that it is scored against."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from dtbench.harness.score.criteria import Rubric
from dtbench.harness.score.stored_run import SubmittedAnswer
from dtbench.harness.store.jsonl import Key


class RubricCase(NamedTuple):
    """One chain, and the rubric that it is scored against."""

    answer: SubmittedAnswer
    rubric: Rubric
    right: bool
    """By the benchmark's own rule; a wrong answer has 0 marks and is not shown to the judge."""

    @property
    def id(self) -> str:
        """The id of the question."""
        return self.answer.sample.id

    @property
    def repeat(self) -> int:
        """Return 0: run.json says which of several answers is judged."""
        return 0

    @property
    def asked(self) -> bool:
        """Whether the judge is asked about the chain."""
        return self.right

    @property
    def hash(self) -> str:
        """Twelve digits that differ where the chain, the answer after it or the criteria do."""
        row = repr((self.id, self.answer.thinking, self.answer.choice, self.rubric))
        return hashlib.sha256(row.encode("utf-8", "surrogatepass")).hexdigest()[:12]

    @property
    def row(self) -> tuple[Any, ...]:
        """All that its marks depend on, but for the judge."""
        return (self.id, self.answer.thinking, self.answer.choice, self.right, self.rubric)

    def key(self, call: int) -> Key:
        """Return the key of the record of one call."""
        return Key(self.id, call)

    def fields(self) -> Mapping[str, Any]:
        """Return nothing: run.json says which of several answers is judged."""
        return {}
