"""Count the answers whose official mark waits for a judge, and say which command asks it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from dtbench.harness.core.errors import WaitingError
from dtbench.harness.store.types import Record


class WaitingAnswers:
    """How many answers wait for each scorer, of those whose official mark waits."""

    def __init__(self) -> None:
        self.by_scorer = Counter[str]()

    def watch(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield records as they are, and count those that wait."""
        for record in records:
            if (scorer := official_wait(record)) is not None:
                self.by_scorer[scorer] += 1
            yield record


def official_wait(record: Record) -> str | None:
    """Return the scorer that the official mark of an answer waits for; None where it waits for none."""
    score = record.get("score")
    if score is None or not score.get("waits"):
        return None
    first = next(iter(score.get("marks", {})), None)
    return first if first in score["waits"] else None


def refuse_waiting(run: Path, task: str, waiting: WaitingAnswers) -> None:
    """Raise a WaitingError where answers of a run wait for a judge: until then nobody can tell."""
    for scorer, count in waiting.by_scorer.items():
        verb = "answer to {} waits" if count == 1 else "answers to {} wait"
        asks = f"{judge_command(run, scorer)} asks for the rest"
        raise WaitingError(f"{run}: {count} {verb.format(task)} for the scorer {scorer}: {asks}.")


def judge_command(run: Path | str, scorer: str) -> str:
    """Return the command by which a judge is asked, in quotes."""
    return f"`dtbench judge {run} --scorer {scorer} --base-url URL`"
