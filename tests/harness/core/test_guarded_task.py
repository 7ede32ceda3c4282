from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dtbench.harness.core.errors import TaskError
from dtbench.harness.core.guarded_task import guard
from dtbench.harness.core.schema import NoClip, Sample
from dtbench.harness.core.task import Task


class Birds(Task):
    name = "birds"
    count = 300
    odd: int | None = None
    breaks_at: int | None = None

    def samples(self, data_dir: Path | None) -> Iterator[Sample]:
        for number in range(self.count):
            if number == self.breaks_at:
                raise ValueError("no more birds")
            print("a bird")
            id_ = f"q{number}"
            yield Sample(id_, "Which?" if number != self.odd else 7, ("Crow", "Jay"), "Jay", NoClip(id_))  # type: ignore[arg-type]


def test_every_question_comes_once_in_order_and_prints_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert [sample.id for sample in guard(Birds()).samples(None)] == [f"q{number}" for number in range(300)]
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "a bird\n" * 300)


def test_the_questions_before_an_error_come_and_a_fault_among_them_is_told_first() -> None:
    task = Birds()
    task.breaks_at = 140
    seen: list[str] = []
    with pytest.raises(TaskError, match="reading its questions failed with ValueError: no more birds"):
        seen.extend(sample.id for sample in guard(task).samples(None))
    assert seen == [f"q{number}" for number in range(140)]
    task = Birds()
    task.breaks_at, task.odd = 140, 130
    with pytest.raises(TaskError, match=r"question 131 of samples\(\): 'q130' has the question 7"):
        list(guard(task).samples(None))
