"""Baselines that need no model: chance, the commonest letter or answer, the first option, and the right answer."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from dtbench.harness.core.errors import ModelError, UserError
from dtbench.harness.core.schema import Prompt, Response, Sample
from dtbench.harness.core.task import option_letter


class Baseline:
    """Answers with an option, by its position among those of the prompt."""

    name: ClassVar[str]
    listens = False
    rate = 16000
    limit_seconds: float | None = None
    oracle: ClassVar[bool] = False
    """Whether it knows right answers."""
    needs_options: ClassVar[bool] = True
    """Whether it can answer nothing but questions with options."""

    async def generate(self, prompt: Prompt) -> Response:
        """Answer with the option at its position, with its letter."""
        if not prompt.choices:
            raise ModelError(
                f"{prompt.id}: the prompt shows no options, and {self.name} can only choose among options", again=False
            )
        return Response(lettered_option(prompt.choices, self.place(prompt)))

    def place(self, prompt: Prompt) -> int:
        """Return the position of the option, from 0."""
        raise NotImplementedError

    def describe(self) -> Mapping[str, Any]:
        """Return its name, and whether it knows right answers."""
        return {"name": self.name, "oracle": self.oracle}

    async def aclose(self) -> None:
        """Do nothing: there is nothing to close."""


class First(Baseline):
    """Always the first option."""

    name = "first"

    def place(self, prompt: Prompt) -> int:
        """Return 0."""
        return 0


class Random(Baseline):
    """A random option, the same for the same seed, question and repeat."""

    name = "random"

    def __init__(self, *, seed: int = 0) -> None:
        self._seed = seed

    def place(self, prompt: Prompt) -> int:
        """Return a position by a hash; the seed of the prompt takes precedence over the option's."""
        seed = self._seed if prompt.seed is None else prompt.seed
        digest = hashlib.sha256(f"{seed}\n{prompt.id}\n{prompt.repeat}".encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") % len(prompt.choices)

    def describe(self) -> Mapping[str, Any]:
        """Return its seed, too."""
        return {**super().describe(), "seed": self._seed}


class Majority(Baseline):
    """The letter that is right most often, of those that a question has; of open questions the commonest answer."""

    name = "majority"
    oracle = True
    needs_options = False
    needs_samples: ClassVar[bool] = True

    def __init__(self, counts: Mapping[int, int], open_answers: Mapping[str, int]) -> None:
        self._counts, self._open_answers = counts, open_answers

    @classmethod
    def from_samples(cls, samples: Iterable[Sample]) -> Majority:
        """Count the positions of the right answers, and the right answers to open questions."""
        counts, open_answers = Counter[int](), Counter[str]()
        for sample in samples:
            if sample.answer is not None and not sample.choices:
                open_answers[sample.answer] += 1
            elif sample.answer in sample.choices:
                counts[sample.choices.index(sample.answer)] += 1
        if not counts and not open_answers:
            raise UserError("model majority: this data has no correct answers to count; its authors may withhold them.")
        return cls(counts, open_answers)

    async def generate(self, prompt: Prompt) -> Response:
        """Answer with the commonest option, or with the commonest answer to a question without options."""
        if prompt.choices or not self._open_answers:
            return await super().generate(prompt)
        return Response(max(self._open_answers, key=lambda answer: self._open_answers[answer]))

    def place(self, prompt: Prompt) -> int:
        """Return the commonest position that the prompt has, the first of equals."""
        return max(range(len(prompt.choices)), key=lambda place: (self._counts.get(place, 0), -place))

    def describe(self) -> Mapping[str, Any]:
        """Return how often each letter is right, too."""
        names = {option_letter(place): count for place, count in sorted(self._counts.items())}
        found: dict[str, Any] = {**super().describe(), "right": names}
        return {**found, "open_answers": len(self._open_answers)} if self._open_answers else found


class EchoGold(Baseline):
    """The right answer: what a perfect model scores."""

    name = "echo-gold"
    oracle = True
    needs_options = False
    needs_samples: ClassVar[bool] = True

    def __init__(self, answers: Mapping[tuple[str, frozenset[str]], str]) -> None:
        self._answers = answers

    @classmethod
    def from_samples(cls, samples: Iterable[Sample]) -> EchoGold:
        """Learn the right answers; the options distinguish equal ids of several tasks."""
        pairs = ((sample, sample.answer) for sample in samples)
        answers = {(sample.id, frozenset(sample.choices)): answer for sample, answer in pairs if answer is not None}
        if not answers:
            raise UserError("model echo-gold: this data has no correct answers; its authors may withhold them.")
        return cls(answers)

    async def generate(self, prompt: Prompt) -> Response:
        """Answer with the right option and its letter, or with the bare text where it is none of the options."""
        answer = self._answers.get((prompt.id, frozenset(prompt.choices)))
        if answer is None:
            raise ModelError(f"{prompt.id}: echo-gold has no correct answer to this question", again=False)
        if answer not in prompt.choices:
            return Response(answer)
        return Response(lettered_option(prompt.choices, prompt.choices.index(answer)))


def lettered_option(choices: Sequence[str], place: int) -> str:
    """Write an option as an answer: letter and text, as options may themselves be letters."""
    return f"({option_letter(place)}) {choices[place]}"
