"""Compare runs and gate a candidate from Python, as `dtbench compare` and `dtbench gate` do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dtbench.harness.api.requests import RunLike, folder_of, make_request
from dtbench.harness.compare.gate import GateOptions, GateVerdict, Verdict, gate_runs, worst_verdict
from dtbench.harness.compare.several import compare_runs
from dtbench.harness.compare.words import comparison_in_words, gate_in_words
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.user_warnings import warn_user
from dtbench.harness.store.comparison_types import ComparisonAmongSeveral
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.run_labels import repetition
from dtbench.tasks.reread import RereadTask, reread_runs

if TYPE_CHECKING:
    from dtbench.harness.run.gate_rounds import DecidedGate


class RunComparison(Sequence[ComparisonAmongSeveral]):
    """Runs compared with the first one, question by question: a part for each other run and each task."""

    def __init__(self, parts: Sequence[ComparisonAmongSeveral]) -> None:
        self._parts = parts

    @property
    def sentence(self) -> str:
        """What each part shows, in plain words."""
        return " ".join(comparison_in_words(part) for part in self._parts)

    @property
    def difference(self) -> float:
        """The second run's score minus the first's, from -1 to 1."""
        return self._only["difference"]

    @property
    def low(self) -> float:
        """The lower end of its 95 % interval."""
        return self._only["low"]

    @property
    def high(self) -> float:
        """The upper end of its 95 % interval."""
        return self._only["high"]

    @property
    def p(self) -> float:
        """The probability of a difference at least this large between equally good runs."""
        return self._only["p"]

    @property
    def n(self) -> int:
        """How many questions both runs answered."""
        return self._only["n"]

    def as_json(self) -> list[ComparisonAmongSeveral]:
        """Return what `dtbench compare --json` prints."""
        return list(self._parts)

    @property
    def _only(self) -> ComparisonAmongSeveral:
        if len(self._parts) > 1:
            listed = ", ".join(f"{one['after_run']} on {one['task']}" for one in self._parts)
            raise UserError(f"there are {len(self._parts)} comparisons: take one by its place: {listed}.")
        return self._parts[0]

    def __getitem__(self, place: Any) -> Any:
        return self._parts[place]

    def __len__(self) -> int:
        return len(self._parts)

    def __repr__(self) -> str:
        return f"<RunComparison: {self.sentence}>"

    def _repr_html_(self) -> str:
        from dtbench.harness.api.cards import comparison_cards

        return comparison_cards(self._parts)


def compare(
    baseline: RunLike, run: RunLike, *more: RunLike, task: str | None = None, score: str = "official"
) -> RunComparison:
    """Compare runs with the first one, question by question, with paired significance tests."""
    folders = [folder_of(one) for one in (baseline, run, *more)]
    if line := repetition(folders):
        warn_user(line)
    first, *others = map(StoredRun.open, folders)
    return RunComparison(compare_runs(first, others, task, score))


class GateResult:
    """Whether a candidate may replace a baseline."""

    def __init__(
        self,
        options: GateOptions,
        results: Sequence[GateVerdict],
        reread: Sequence[RereadTask],
        asked: DecidedGate | None = None,
    ) -> None:
        self._options = options
        self.results = results
        """The verdict on each task and group."""
        self.reread = reread
        """Whether the stored verdicts of each run agree with the current code."""
        self._asked = asked

    @property
    def verdict(self) -> Verdict:
        """`passed`, `regressed`, or `undecided`: the worst of the results."""
        return worst_verdict(self.results)

    @property
    def passed(self) -> bool:
        """Whether the candidate passes; with undecided='pass', also if there are too few questions to tell."""
        return self._options.exit_code(self.verdict) == 0

    @property
    def sentence(self) -> str:
        """What the gate found, in plain words."""
        return gate_in_words(self.results, self.verdict)

    def as_json(self) -> dict[str, Any]:
        """Return what `dtbench gate --json` prints."""
        about: dict[str, Any] = {
            "verdict": self.verdict,
            "sentence": self.sentence,
            "results": [one._asdict() for one in self.results],
            "reread": [one._asdict() for one in self.reread],
        }
        return about if self._asked is None else about | {"asked": self._asked.asked, "of": self._asked.of}

    def __iter__(self) -> Iterator[GateVerdict]:
        return iter(self.results)

    def __repr__(self) -> str:
        return f"<GateResult {self.verdict}: {self.sentence}>"

    def _repr_html_(self) -> str:
        from dtbench.harness.api.cards import gate_cards

        return gate_cards(self.results, self.verdict, self.sentence)


def gate(candidate: RunLike, baseline: RunLike, **options: Any) -> GateResult:
    """Test whether a candidate run may replace a baseline; the options are those of `dtbench gate`, with underscores.

    With `until="decided"` the candidate is asked in rounds until the verdict stands.
    """
    folders = {"baseline": folder_of(baseline), "candidate": folder_of(candidate)}
    given = make_request(GateOptions, {**options, **folders}, "gate")
    decided = None if given.until is None else _gate_in_rounds(given)
    results = gate_runs(given) if decided is None else decided.results
    runs = dict.fromkeys([given.baseline, *(Path(run) for one in results for run in one.runs)])
    return GateResult(given, results, reread_runs(runs, given.task), decided)


def _gate_in_rounds(options: GateOptions) -> DecidedGate:
    from dtbench.harness.api.running import run_in_thread
    from dtbench.harness.run.gate_rounds import gate_in_rounds
    from dtbench.harness.run.session import run_in_loop

    return gate_in_rounds(
        options, lambda line: None, lambda request: run_in_thread(lambda: run_in_loop(request, quiet=True))
    )
