"""A candidate every night: the last nights are taken together, question by question, against one anchor.

The anchor is the baseline, best with several answers to a question, since its noise is in every night's difference. It
is never the last run that passed: then each night could lose a little, and a month a lot, with every verdict right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dtbench.harness.compare.made_with import refuse_no_model
from dtbench.harness.compare.paired import PairedRuns, pair_runs, refuse_unsound
from dtbench.harness.compare.paired_questions import PairedQuestions
from dtbench.harness.core.errors import DtbenchError, UserError
from dtbench.harness.stats.paired_tests import SharePairs
from dtbench.harness.store.run_folder import StoredRun


@dataclass(frozen=True, slots=True)
class PooledNights:
    """One task of a candidate and of the nights before it, against the anchor."""

    paired: PairedRuns
    """The candidate's questions, each with the share of right answers over all nights."""
    last: PairedRuns | None
    """The candidate against the night before; None where there is none."""
    nights: int
    """How many runs are taken together."""
    look: int
    """How many runs have been compared with the anchor, this one included."""
    answers_a_night: int
    """How many answers each night has to a question."""
    left_out: Sequence[str] = ()
    """Runs of the history that differ in more than the model."""
    folders: Sequence[str] = ()
    """The runs that are taken together."""

    def groups(self) -> set[str]:
        """Return the groups of its questions, as --group takes them."""
        return {f"{heading}={value}" for heading, value in self.paired.questions.by_group()}

    def pairs(self, group: str | None) -> SharePairs:
        """Return the questions of a group, or all of them."""
        return self.paired.pairs(_of_group(self.paired, group))

    def since_last(self, group: str | None) -> float | None:
        """Return the difference between the candidate and the night before it."""
        if self.last is None:
            return None
        both = self.last.pairs(_of_group(self.last, group))
        return sum(both.gaps()) / len(both) if both else None


def _of_group(paired: PairedRuns, group: str | None) -> PairedQuestions:
    if group is None:
        return paired.questions
    heading, _, value = group.partition("=")
    return paired.questions.where(lambda groups: (heading, value) in groups)


def earlier_nights(folder: Path, anchor: StoredRun, candidate: StoredRun) -> list[StoredRun]:
    """Return the finished runs of a folder in the order of their start, but for the anchor and the candidate."""
    if not folder.is_dir():
        raise UserError(f"--history {folder}: there is no such folder; name the one that holds the runs of each night.")
    own = {anchor.path.resolve(), candidate.path.resolve()}
    runs = []
    for inside in sorted(folder.iterdir()):
        if (inside / "run.json").is_file() and inside.resolve() not in own:
            run = StoredRun.open(inside)
            if run.info["status"] == "done":
                runs.append(run)
    return sorted(runs, key=lambda run: (str(run.info["start"]), run.path.name))


def pool_nights(
    paired: PairedRuns, nights: Sequence[StoredRun] | None, window: int, allowed: Sequence[str]
) -> PooledNights:
    """Take a candidate together with the nights before it, as many as the window has room for."""
    answers = paired.answers_each[1]
    if nights is None:
        return PooledNights(paired, None, 1, 1, answers, folders=[paired.folders[1]])
    anchor = StoredRun.open(Path(paired.folders[0]))
    sound: list[PairedRuns] = []
    left_out = []
    for run in nights:
        try:
            refuse_no_model(run, "--history")
            night = pair_runs(anchor, run, paired.task, paired.score)
            refuse_unsound(night, allowed)
        except (DtbenchError, KeyError) as error:
            left_out.append(f"{run.path}: {error}")
        else:
            sound.append(night)
    together = [*sound[-(window - 1) :], paired] if window > 1 else [paired]
    last = _paired_with(sound[-1], paired) if sound else None
    folders = [one.folders[1] for one in together]
    return PooledNights(_pooled(paired, together), last, len(together), len(sound) + 1, answers, left_out, folders)


def _paired_with(night: PairedRuns, candidate: PairedRuns) -> PairedRuns:
    """Compare the candidate with another night."""
    before, after = (StoredRun.open(Path(one.folders[1])) for one in (night, candidate))
    return pair_runs(before, after, candidate.task, candidate.score)


def _pooled(candidate: PairedRuns, nights: Sequence[PairedRuns]) -> PairedRuns:
    """Return the candidate with each question's share over the nights that asked it, weighted by their answers."""
    right: dict[str, float] = {}
    answers: dict[str, int] = {}
    for night in nights:
        each = night.answers_each[1]
        for id_, share in zip(night.questions.ids(), night.questions.after_shares(), strict=True):
            right[id_] = right.get(id_, 0.0) + share * each
            answers[id_] = answers.get(id_, 0) + each
    shares = (right[id_] / answers[id_] for id_ in candidate.questions.ids())
    return candidate.with_questions(candidate.questions.with_after(shares))
