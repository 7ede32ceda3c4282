"""What a check of a data set complains of, and what it lets pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from dtbench.harness.core.schema import Sample
from dtbench.harness.core.task import Task
from dtbench.tasks.data.verify import verify_dataset


class Birds(Task):
    name = "birds"

    def __init__(self, answers: Sequence[str]) -> None:
        self._answers = answers

    def samples(self, data_dir: Path | None) -> Iterable[Sample]:
        return [
            Sample(f"b{number}", "Which?", ("crow", "jay"), answer, Path(f"{number}.wav"))
            for number, answer in enumerate(self._answers)
        ]


def problems(size: int | None, answers: Sequence[str] = ("crow",) * 3, *, subset: bool = False) -> list[str]:
    class Published(Birds):
        """Of so many questions, as far as anyone knows."""

    Published.size = size
    return list(verify_dataset(Published(answers), None, audio=False, subset=subset).problems)


@pytest.mark.parametrize(
    ("size", "subset", "complains"),
    [
        (None, False, False),
        (None, True, False),
        (3, False, False),
        (3, True, False),
        (4, False, True),
        (4, True, False),
        (2, False, True),
        (2, True, True),
    ],
)
def test_as_many_items_as_were_published_are_expected_or_fewer_in_a_subset(
    size: int | None, subset: bool, complains: bool
) -> None:
    expected = [f"3 items, but {size} were published (--subset accepts fewer)"] if complains else []
    assert problems(size, subset=subset) == expected


def test_answers_that_are_no_option_are_counted_with_the_first() -> None:
    assert problems(3, ("crow", "owl", "gull")) == [
        "2 answers are not among their options (first: 'b1')",
        "2 questions cannot be scored (first: 'b1': its answer 'owl' is not one of its options ['crow', 'jay'])",
    ]


def test_clips_that_are_not_there_are_counted_and_without_audio_nobody_looks() -> None:
    report = verify_dataset(Birds(("crow",) * 3), None)
    assert report.clips is not None
    assert report.problems == ("3 of 3 clips are missing (first: 0.wav)",)
    assert verify_dataset(Birds(("crow",) * 3), None, audio=False).clips is None
