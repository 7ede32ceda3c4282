"""A task whose answers name their own level of evidence, so that no rule of reading decides what a test sees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from dtbench.harness.core.schema import Sample
from dtbench.harness.core.task import Task
from dtbench.harness.extract.answer import Extraction

COUNTS: Mapping[str, tuple[int, int]] = {
    "stated": (6, 5),
    "chosen": (5, 3),
    "concluded": (4, 3),
    "said": (3, 1),
    "inferred": (3, 0),
}
"""Level -> how many answers rest on it, and how many of those are right."""
CHOICES = ("a bell", "a drum", "a horn")


class Levelled(Task):
    name = "levelled"

    def samples(self, data_dir: Path | None) -> Iterable[Sample]:
        for level, (n, _) in COUNTS.items():
            for number in range(n):
                yield Sample(
                    f"{level} {number}", f"What is heard in {level} {number}?", CHOICES, "a bell", Path("clip")
                )
        yield Sample("none 0", "What is not heard?", CHOICES, "a bell", Path("clip"))

    def read(self, text: str, choices: Sequence[str]) -> Extraction:
        level, _, choice = text.partition(": ")
        if choice not in choices:
            return Extraction("", "", None, "nothing decides")
        return Extraction("", choice, choice, f"it is {level}", level)


def texts() -> Iterable[Mapping[str, str]]:
    """Lines of a script for the scripted model: what it says to each question."""
    for level, (n, right) in COUNTS.items():
        for number in range(n):
            yield {"id": f"{level} {number}", "text": f"{level}: {CHOICES[number >= right]}"}
    yield {"id": "none 0", "text": "I cannot tell."}
